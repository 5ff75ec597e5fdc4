"""What a column of a Parquet file holds by the headers of its own pages: the file's footer may claim anything. Pure.

Format: https://github.com/apache/parquet-format, `PageHeader` in parquet.thrift, in Thrift's compact protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

MOST_PAGES = 100_000  # of a row group: each costs a look at its header
FIRST_LOOK, LONGEST_HEADER = 4096, 2**20  # bytes
DEEPEST = 4  # structs in each other: a page header has three

TRUE, FALSE, BYTE, SHORT, INT, LONG, DOUBLE, BINARY, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 12
UNCOMPRESSED, COMPRESSED, DATA, DATA_V2 = 2, 3, 5, 8  # fields of a page header


class BadPages(ValueError):
    """The pages of a column are not what the format says; the message says why."""


@dataclass(slots=True)
class Pages:
    """The sums over the pages of one column in one row group. `bytes`: as they are when uncompressed."""

    count: int = 0
    bytes: int = 0
    values: int = 0


def read_pages(stream: BinaryIO, *, start: int, length: int, values: int) -> Pages:
    """Add up the pages from a place in the file on, as far as a reader would go that wants so many values."""
    found, place = Pages(), start
    while found.values < values and place < start + length:
        if found.count == MOST_PAGES:
            raise BadPages(f"a column has more than {MOST_PAGES:,} pages in a row group")
        header, size = _header(stream, place)
        _add(found, header)
        place += size + _count(header, COMPRESSED)
    return found


def _add(found: Pages, header: dict[int, Any]) -> None:
    found.count += 1
    found.bytes += _count(header, UNCOMPRESSED)
    found.values += sum(_count(header[kind], 1) for kind in (DATA, DATA_V2) if isinstance(header.get(kind), dict))


def _count(header: dict[int, Any], number: int) -> int:
    said = header.get(number)
    if type(said) is not int or said < 0:
        raise BadPages("a page has no header that can be read")
    return said


def _header(stream: BinaryIO, place: int) -> tuple[dict[int, Any], int]:
    """Return the fields of the header there, and its bytes."""
    size = FIRST_LOOK
    while True:
        stream.seek(place)
        raw = stream.read(size)
        reader = _Compact(raw)
        try:
            return reader.struct(DEEPEST), reader.place
        except IndexError:
            if len(raw) < size or size >= LONGEST_HEADER:
                raise BadPages("the header of a page does not end") from None
        size *= 16


class _Compact:
    """Thrift's compact protocol, as far as page headers need it. IndexError where the bytes end."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.place = 0

    def struct(self, levels: int) -> dict[int, Any]:
        if not levels:
            raise BadPages("the header of a page is nested too deeply")
        fields, number = dict[int, Any](), 0
        while said := self._byte():
            step, kind = said >> 4, said & 15
            number = number + step if step else self._signed()
            fields[number] = self._value(kind, levels)
        return fields

    def _value(self, kind: int, levels: int) -> Any:
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind in (SHORT, INT, LONG):
            return self._signed()
        if kind == STRUCT:
            return self.struct(levels - 1)
        if kind not in (BYTE, DOUBLE, BINARY):
            raise BadPages("a page has no header that can be read")
        return self._skip({BYTE: 1, DOUBLE: 8}.get(kind) or self._unsigned())

    def _skip(self, size: int) -> None:
        self.place += size
        if self.place > len(self.raw):
            raise IndexError

    def _byte(self) -> int:
        self.place += 1
        return self.raw[self.place - 1]

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise BadPages("a number in the header of a page is too long")
        return value | byte << shift

    def _signed(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)
