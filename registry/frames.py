"""Tables (“DataFrames”) as CSV and as records in JSON. Pure: from a stream to a stream. Parquet is read in registry.parquet.

Nothing is held whole: rows come out as they are read.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, BinaryIO

# What stands in RFC 8259, 6, and is read as the same number everywhere: at most 15 digits before the point.
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
MOST_LINE_CHARACTERS = 2**20
MOST_ROW_CHARACTERS = 4 * 2**20
MOST_COLUMNS = 10_000

Row = Sequence[Any]
Table = tuple[list[str], Iterator[Row]]  # the names of the columns, and the rows


class NoTable(ValueError):
    """The bytes are no table that can be read; the message says why."""


class NoReader(Exception):
    """Parquet cannot be read here: pyarrow is not installed."""


class _Lines:
    """The lines of a text, none of them held when it is too long, nor rows that never end (an open quote)."""

    def __init__(self, stream: BinaryIO) -> None:
        self.text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        self.since_row = 0

    def __iter__(self) -> Iterator[str]:
        while line := self.text.readline(MOST_LINE_CHARACTERS + 1):
            self.since_row += len(line)
            if len(line) > MOST_LINE_CHARACTERS or self.since_row > MOST_ROW_CHARACTERS:
                raise NoTable("a row is longer than can be read")
            yield line


class _Number(float):
    """A number of CSV that keeps its spelling: 0.10 stays 0.10."""

    text: str

    def __new__(cls, text: str) -> _Number:
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __repr__(self) -> str:
        return self.text


def from_csv(stream: BinaryIO) -> Table:
    """Read CSV (RFC 4180) with a first line of names. A cell is a number where every reader of JSON agrees, or a text;
    an empty one is None. Raises NoTable, for a later row while rows are taken.
    """
    lines = _Lines(stream)
    reader = csv.reader(lines, strict=True)
    columns = named_columns(_next_row(reader, lines) or [])
    return columns, _csv_rows(reader, lines, len(columns))


def _next_row(reader: Any, lines: _Lines) -> list[str] | None:
    try:
        row: list[str] | None = next(reader, None)
    except (csv.Error, UnicodeDecodeError) as error:
        raise NoTable(str(error)) from error
    lines.since_row = 0
    return row


def _csv_rows(reader: Any, lines: _Lines, width: int) -> Iterator[Row]:
    while (row := _next_row(reader, lines)) is not None:
        if not row:
            continue  # a blank line
        if len(row) > width:
            raise NoTable(f"line {reader.line_num} has {len(row)} cells, and the first line {width}")
        yield [_cell(text) for text in row] + [None] * (width - len(row))


def _cell(text: str) -> Any:
    if not text:
        return None
    return _Number(text) if NUMBER.fullmatch(text) and math.isfinite(float(text)) else text


def from_json(value: Any) -> Table:
    """Read {"columns": [...], "data": [[...], ...]}, or a list of records whose keys are the columns."""
    if isinstance(value, Mapping):
        columns, data = value.get("columns"), value.get("data")
        rows = isinstance(data, list) and all(isinstance(row, list) for row in data)
        if not isinstance(columns, list) or not rows or any(len(row) != len(columns) for row in data):  # type: ignore[union-attr]
            raise NoTable("`columns` and `data` are needed: names, and rows with a value for each")
        return named_columns(columns), iter(data)  # type: ignore[arg-type]
    if not isinstance(value, list) or not all(isinstance(record, Mapping) for record in value):
        raise NoTable("a list of records, or an object with `columns` and `data`, is needed")
    columns = list(dict.fromkeys(name for record in value for name in record))
    return named_columns(columns), ([record.get(name) for name in columns] for record in value)


def named_columns(names: Sequence[Any]) -> list[str]:
    """Return the names of a table's columns; NoTable for too many, and for two that are the same."""
    if len(names) > MOST_COLUMNS:
        raise NoTable(f"there are more than {MOST_COLUMNS:,} columns")
    if not all(isinstance(name, str) for name in names):
        raise NoTable("the names of columns are texts")
    if len(set(names)) != len(names):
        raise NoTable("two columns have the same name")
    return list(names)


def to_json(table: Table) -> Iterator[bytes]:
    """Write a table as a list of records."""
    columns, rows = table
    keys = [json.dumps(name, ensure_ascii=False) for name in columns]
    before = "["
    for row in rows:
        cells = ", ".join(f"{key}: {_json(value)}" for key, value in zip(keys, row, strict=True))
        yield f"{before}{{{cells}}}".encode("utf-8", "replace")
        before = ",\n"
    yield b"[]" if before == "[" else b"]"


def _json(value: Any) -> str:
    if isinstance(value, _Number):
        return value.text
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def to_csv(table: Table) -> Iterator[bytes]:
    """Write a table as CSV (RFC 4180) with a first line of names. Cells are as they are: also one that begins with =."""
    columns, rows = table
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([as_text(value) for value in row])
        if written.tell() > 2**16:
            yield _taken(written)
    yield _taken(written)


def _taken(written: io.StringIO) -> bytes:
    text = written.getvalue()
    written.seek(0)
    written.truncate()
    return text.encode("utf-8", "replace")


def as_text(value: Any) -> str:
    """Return a cell as CSV holds it: nothing for None, numbers as they were spelled, nested values as JSON."""
    plain = value if isinstance(value, _Number) else _plain(value)
    if plain is None:
        return ""
    if isinstance(plain, str):
        return plain
    return repr(plain) if isinstance(plain, float) else json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Return what JSON can hold: times as ISO 8601, bytes in base 64; what is no number (NaN, infinity) is None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (str, int)) else str(value)


def joined(pieces: Iterable[bytes], *, least: int = 2**16) -> Iterator[bytes]:
    """Yield the same bytes in larger pieces: a row is too little to send by itself."""
    waiting, size = list[bytes](), 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= least:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)
