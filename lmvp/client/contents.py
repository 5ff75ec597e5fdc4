"""The content of an artifact as values: what is given becomes a file and a media type, and back. No HTTP.

Objects are kept as `formats` keeps them. A table is also read by another library than the one that wrote it.
"""

from __future__ import annotations

import contextlib
import io
import json
import mimetypes
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from lmvp.client import formats
from lmvp.client.errors import UnknownFormat, ValidationFailed
from lmvp.client.files import writing
from lmvp.client.formats import Record
from lmvp.client.formats.frames import PARQUET
from lmvp.client.formats.libraries import is_installed
from lmvp.client.http import encode

BINARY, JSON, CSV = "application/octet-stream", "application/json", "text/csv"
RECORDS = "application/vnd.chapkit.dataframe+json"
PARQUETS = (PARQUET, "application/x-parquet", "application/parquet")
TABLES = (CSV, RECORDS, *PARQUETS)
FRAMES = ("pandas", "polars")
Form = Literal["bytes", "json", "text", "records", "csv", "pandas", "polars"]
ACCEPTED: dict[str, str] = {"records": RECORDS, "csv": CSV, "json": f"{JSON}, */*"}


@dataclass(frozen=True)
class Outgoing:
    """What is kept with an artifact: a file of this machine, and its media type."""

    content_type: str
    file: Path


@contextlib.contextmanager
def outgoing(content: Any, content_type: str | None) -> Iterator[Outgoing]:
    """Give a path as it is, and anything else as a file that is there until the block ends.

    That is bytes, an object whose format is known, or any value of JSON. A content type of JSON or CSV is what becomes
    of an object or a data frame; any other is said of the file beside its format.
    """
    with contextlib.ExitStack() as stack:
        yield _outgoing(content, content_type, stack)


def _outgoing(content: Any, content_type: str | None, stack: contextlib.ExitStack) -> Outgoing:
    if isinstance(content, (str, os.PathLike)):
        file = Path(content).expanduser()
        return Outgoing(content_type or mimetypes.guess_type(file.name)[0] or BINARY, file)
    if isinstance(content, (bytes, bytearray, memoryview)):
        return _written(bytes(content), content_type or BINARY, stack)
    if bare(content_type or "") == CSV and (text := _csv(content)) is not None:
        return _written(text, str(content_type), stack)
    if formats.matching(content) and bare(content_type or "") != JSON:
        return _kept(content, content_type, stack)
    return _written(_json(content), content_type or JSON, stack)


def _written(data: bytes, content_type: str, stack: contextlib.ExitStack) -> Outgoing:
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="lmvp-", ignore_cleanup_errors=True))
    file = Path(scratch) / "content"
    with writing(file):
        file.write_bytes(data)
    return Outgoing(content_type, file)


def _kept(obj: Any, content_type: str | None, stack: contextlib.ExitStack) -> Outgoing:
    try:
        kept = stack.enter_context(formats.kept(obj))
    except UnknownFormat:  # a library that is missing: pandas without what writes Parquet
        if (text := _csv(obj)) is None:
            raise
        return _written(text, CSV, stack)
    file = kept.path / kept.record.file
    if not file.is_file():
        raise ValidationFailed(
            f"A {type(obj).__name__} is kept in several files ({kept.record.format}), and an artifact has one. Publish it "
            "as a version, and name that: create_artifact(…, version=lmvp.publish(…))."
        )
    return Outgoing(formats.media_type_of(kept.record, content_type or kept.media_type), file)


def _csv(content: Any) -> bytes | None:
    """Return a data frame as CSV; None of what is none."""
    if hasattr(content, "write_csv"):
        return str(content.write_csv()).encode()
    return str(content.to_csv(index=False)).encode() if hasattr(content, "to_csv") else None


def _json(content: Any) -> bytes:
    try:
        return encode(content)
    except ValidationFailed as error:
        raise ValidationFailed(
            f"A {type(content).__name__} is no content of an artifact. Give a path, bytes, what JSON has, or an object whose "
            "format is known, such as a data frame, a NumPy array or a PyTorch module; of others say how they are kept: "
            "lmvp.register_format(…)."
        ) from error


def object_in(content_type: str) -> Record | None:
    """Return how an object is kept; None for other content, and for a data frame whose library is not here.

    Any other library reads that one's table. UnknownFormat for a format that is not known here.
    """
    record = formats.record_in(content_type)
    return None if record and record.format in FRAMES and not is_installed(record.format) else record


def bare(content_type: str) -> str:
    """`Text/CSV; charset=utf-8` → `text/csv`."""
    return content_type.partition(";")[0].strip().lower()


def form_of(content_type: str) -> Form:
    """Return the form that suits a media type best, with what is installed here."""
    kind = bare(content_type)
    if kind in TABLES:
        installed = [library for library in FRAMES if is_installed(library)]
        return "pandas" if "pandas" in installed else "polars" if installed else "records"
    if kind == JSON or kind.endswith("+json"):
        return "json"
    return "text" if kind.startswith("text/") else "bytes"


def accepted(form: str, content_type: str) -> str:
    """Return what to accept in order to read the form."""
    if form in FRAMES:
        return "*/*" if bare(content_type) in PARQUETS else RECORDS
    return ACCEPTED.get(form, "*/*")


def read(body: bytes, form: str, content_type: str) -> Any:
    """Return the bytes as a value of the form; UnknownFormat where they are none."""
    try:
        return _value(body, form, content_type)
    except ValueError as error:
        raise UnknownFormat(f"The content ({content_type}) is no {form}: {error}. Load it with to='bytes'.") from error


def _value(body: bytes, form: str, content_type: str) -> Any:
    if form in ("json", "records"):
        return json.loads(body)
    if form in ("text", "csv"):
        return body.decode()
    if form in FRAMES:
        return _frame(body, form, content_type)
    return body


def _frame(body: bytes, library: str, content_type: str) -> Any:
    try:
        frames = import_module(library)
        if bare(content_type) in PARQUETS:
            return frames.read_parquet(io.BytesIO(body))
    except ImportError as error:
        raise UnknownFormat(
            f"{error}. Install it (pip install {library} pyarrow), or load with to='records'."
        ) from error
    return frames.DataFrame(json.loads(body))
