"""The content of an artifact as values: what is given becomes bytes and a media type, and back. No HTTP.

Knows data frames by their own methods, and imports pandas or polars only to make one.
"""

from __future__ import annotations

import io
import json
import mimetypes
import os
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from lmvp.client.errors import UnknownFormat, ValidationFailed
from lmvp.client.http import encode

BINARY, JSON, CSV = "application/octet-stream", "application/json", "text/csv"
RECORDS = "application/vnd.chapkit.dataframe+json"
PARQUET = "application/vnd.apache.parquet"
PARQUETS = (PARQUET, "application/x-parquet", "application/parquet")
TABLES = (CSV, RECORDS, *PARQUETS)
Form = Literal["bytes", "json", "text", "records", "csv", "pandas", "polars"]
ACCEPTED: dict[str, str] = {"records": RECORDS, "csv": CSV, "json": f"{JSON}, */*"}


@dataclass(frozen=True)
class Outgoing:
    """Bytes to keep with an artifact: a file of this machine, or `data`."""

    content_type: str
    data: bytes = b""
    file: Path | None = None


def outgoing(content: Any, content_type: str | None) -> Outgoing:
    """Return what is kept of a path, bytes, a data frame (Parquet, else CSV), or any value of JSON."""
    if isinstance(content, (bytes, bytearray, memoryview)):
        return Outgoing(content_type or BINARY, bytes(content))
    if isinstance(content, (str, os.PathLike)):
        file = Path(content).expanduser()
        return Outgoing(content_type or mimetypes.guess_type(file.name)[0] or BINARY, file=file)
    if is_frame(content):
        return _of_frame(content)
    try:
        return Outgoing(content_type or JSON, encode(content))
    except ValidationFailed as error:
        raise ValidationFailed(
            f"A {type(content).__name__} is no content of an artifact. Give a path, bytes, a data frame, or what JSON has."
        ) from error


def is_frame(value: Any) -> bool:
    """Whether it is a data frame of pandas or Polars."""
    return any(
        f"{kind.__module__}.".startswith(("pandas.", "polars.")) and kind.__name__ == "DataFrame"
        for kind in type(value).__mro__
    )


def _of_frame(frame: Any) -> Outgoing:
    buffer = io.BytesIO()
    try:
        if hasattr(frame, "write_parquet"):
            frame.write_parquet(buffer)
        else:
            frame.to_parquet(buffer, index=False)
    except ImportError:  # pandas without pyarrow
        return Outgoing(CSV, frame.to_csv(index=False).encode())
    return Outgoing(PARQUET, buffer.getvalue())


def form_of(content_type: str) -> Form:
    """Return the form that suits a media type best, with what is installed here."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in TABLES:
        installed = [library for library in ("pandas", "polars") if find_spec(library)]
        return "pandas" if "pandas" in installed else "polars" if installed else "records"
    if kind == JSON or kind.endswith("+json"):
        return "json"
    return "text" if kind.startswith("text/") else "bytes"


def accepted(form: str, content_type: str) -> str:
    """Return what to accept in order to read the form."""
    if form in ("pandas", "polars"):
        return "*/*" if content_type in PARQUETS else RECORDS
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
    if form in ("pandas", "polars"):
        return _frame(body, form, content_type)
    return body


def _frame(body: bytes, library: str, content_type: str) -> Any:
    try:
        frames = import_module(library)
        if content_type in PARQUETS:
            return frames.read_parquet(io.BytesIO(body))
    except ImportError as error:
        raise UnknownFormat(
            f"{error}. Install it (pip install {library} pyarrow), or load with to='records'."
        ) from error
    return frames.DataFrame(json.loads(body))
