"""How objects become files, and files objects again. Each library has a module; which formats there are: `registry.py`."""

from lmvp.client.formats.format import Format, Loading, Trusted, Unfit
from lmvp.client.formats.keeping import Kept, kept
from lmvp.client.formats.loading import load
from lmvp.client.formats.media_types import media_type_of, record_in
from lmvp.client.formats.record import RECORD, Record
from lmvp.client.formats.registry import is_known, matching, register_format

__all__ = [
    "RECORD",
    "Format",
    "Kept",
    "Loading",
    "Record",
    "Trusted",
    "Unfit",
    "is_known",
    "kept",
    "load",
    "matching",
    "media_type_of",
    "record_in",
    "register_format",
]
