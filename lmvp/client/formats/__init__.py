"""How objects become files, and files objects again. Each library has a module; which formats there are: `registry.py`."""

from lmvp.client.formats.format import Format, Loading, Unfit
from lmvp.client.formats.keeping import Kept, kept
from lmvp.client.formats.loading import load
from lmvp.client.formats.record import RECORD, Record
from lmvp.client.formats.registry import is_known, register_format

__all__ = ["RECORD", "Format", "Kept", "Loading", "Record", "Unfit", "is_known", "kept", "load", "register_format"]
