"""The header of a GGUF file, versions 2 and 3, little-endian. Format: docs/gguf.md in ggml-org/ggml.

Keys and values, then the tensors, told one after the other: vocabularies are passed over to reach what follows them.
Shapes are in the file's order, the fastest dimension first.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, BinaryIO

from registry.headers.reading import (
    MAX_DIMENSIONS,
    MAX_NOTES,
    BadHeader,
    Header,
    Notes,
    Reader,
    Tensor,
    check_count,
    check_names,
    check_places,
    elements_of,
)

MAX_VISITED = 2_000_000  # entries of arrays that can be passed over one by one only
MAX_ARRAYS = 4  # in each other
SHOWN = 16  # entries of an array
SHOWN_TEXT = 200  # characters of a text in one
MAX_ALIGNMENT = 2**20

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
BOOL, TEXT, ARRAY = 7, 8, 9
KINDS = {0: "uint8", 1: "int8", 2: "uint16", 3: "int16", 4: "uint32", 5: "int32", 6: "float32", 7: "bool"}
KINDS |= {8: "string", 9: "array", 10: "uint64", 11: "int64", 12: "float64"}

# type: name, elements in a block, bytes of a block
TYPES = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
}


def read(stream: BinaryIO, size: int) -> Header:
    """Return what the header says; BadHeader where it contradicts itself, the format or the file's size."""
    reader = Reader(stream, size)
    if reader.take(4) != b"GGUF":
        raise BadHeader("it does not begin with “GGUF”.")
    _check_version(reader.number("I"))
    tensors, keys = reader.number("Q"), reader.number("Q")
    check_count(tensors)
    if keys > MAX_NOTES:
        raise BadHeader(f"it claims {keys:,} metadata entries; at most {MAX_NOTES:,} are read.")
    values = _Values(reader)
    for _ in range(keys):
        values.read_one()
    told = [_told(reader) for _ in range(tensors)]
    start = math.ceil(reader.position / values.alignment) * values.alignment
    placed = [replace(tensor, begin=start + offset) for tensor, offset in told]
    check_names(tensor.name for tensor in placed)
    check_places(placed, size)
    return Header("gguf", placed, values.notes)


def _check_version(version: int) -> None:
    if version in (2 << 24, 3 << 24):
        raise BadHeader("it is big-endian, which is not read.")
    if version not in (2, 3):
        raise BadHeader(f"its version is {version}; 2 and 3 are read.")


class _Values:
    """The metadata, read one entry after the other."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.notes = Notes()
        self.alignment = 32
        self._visited = 0

    def read_one(self) -> None:
        key = self.reader.name(self.reader.number("Q"))
        kind = self.reader.number("I")
        if kind == ARRAY:
            value, cut = self._array(1)
        elif kind == TEXT:
            value, cut = self.reader.text(self.reader.number("Q"))
        else:
            value, cut = self._number(kind), False
        if key == "general.alignment":
            self._align(value)
        self.notes.add(key, value, cut=cut)

    def _align(self, value: Any) -> None:
        if type(value) is not int or not 8 <= value <= MAX_ALIGNMENT or value % 8:
            raise BadHeader("its general.alignment is no multiple of 8 up to 2^20.")
        self.alignment = value

    def _number(self, kind: int) -> Any:
        if kind not in NUMBERS:
            raise BadHeader(f"it has a value of the type {kind}, which GGUF does not know.")
        if kind == BOOL:
            raw = self.reader.number("B")
            if raw > 1:
                raise BadHeader(f"a truth value in it is {raw}.")
            return bool(raw)
        value = self.reader.number(NUMBERS[kind])
        return value if math.isfinite(value) else str(value)  # JSON has no infinity

    def _array(self, depth: int) -> tuple[Any, bool]:
        """Return an array, or what there is to say of a long one; and whether it is a long one."""
        if depth > MAX_ARRAYS:
            raise BadHeader(f"arrays stand deeper in each other than {MAX_ARRAYS}.")
        kind, count = self.reader.number("I"), self.reader.number("Q")
        if kind in NUMBERS:
            first = [self._number(kind) for _ in range(min(count, SHOWN))]
            self.reader.skip((count - len(first)) * WIDTHS[kind])
        elif kind == TEXT:
            self._visit(count)
            first = [self.reader.text(self.reader.number("Q"))[0][:SHOWN_TEXT] for _ in range(min(count, SHOWN))]
            self.reader.skip_texts(count - len(first))
        elif kind == ARRAY:
            self._visit(count)
            first = []
            for _ in range(count):
                self._array(depth + 1)
        else:
            raise BadHeader(f"it has an array of the type {kind}, which GGUF does not know.")
        long = count > len(first)
        return ({"type": KINDS[kind], "count": count, "first": first} if long else first), long

    def _visit(self, count: int) -> None:
        self._visited += count
        if self._visited > MAX_VISITED:
            raise BadHeader(f"its arrays claim more than {MAX_VISITED:,} texts.")


def _told(reader: Reader) -> tuple[Tensor, int]:
    """Return one tensor, and where it says to begin."""
    name = reader.name(reader.number("Q"))
    dimensions = reader.number("I")
    if dimensions > MAX_DIMENSIONS:
        raise BadHeader(f"{name!r} has {dimensions:,} dimensions; at most {MAX_DIMENSIONS} are read.")
    shape = tuple(reader.number("Q") for _ in range(dimensions))
    kind, offset = reader.number("I"), reader.number("Q")
    elements = elements_of(name, shape)
    if kind not in TYPES:
        return Tensor(name, f"type {kind}", shape), offset
    dtype, block, width = TYPES[kind]
    if (shape[0] if shape else 1) % block:
        raise BadHeader(f"{name!r} has rows that are no whole blocks of {dtype}.")
    return Tensor(name, dtype, shape, size=elements // block * width), offset
