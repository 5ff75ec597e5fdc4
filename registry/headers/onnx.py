"""The header of an ONNX model: what its protobuf says around its weights, which are passed over.

Format: onnx/onnx.proto in onnx/onnx (ModelProto, GraphProto, TensorProto), in the encoding of protobuf.dev, “Encoding”.
Told are the initializers of the main graph. Weights in other files are named, and never looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from registry.headers.reading import (
    MAX_DIMENSIONS,
    MAX_NAME,
    MAX_TENSORS,
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

MAX_FIELDS = 1_000_000
MAX_PORTS = 500  # inputs and outputs that are told
MAX_OPSETS = 100
SHOWN_NAME = 100  # characters of the name of a dimension
MAX_FILES = 100  # of external weights that are told
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

# Number of a data type: its name, and bits of an element in raw_data (0: unknown or none)
TYPES = {
    0: ("UNDEFINED", 0),
    1: ("FLOAT", 32),
    2: ("UINT8", 8),
    3: ("INT8", 8),
    4: ("UINT16", 16),
    5: ("INT16", 16),
    6: ("INT32", 32),
    7: ("INT64", 64),
    8: ("STRING", 0),
    9: ("BOOL", 8),
    10: ("FLOAT16", 16),
    11: ("DOUBLE", 64),
    12: ("UINT32", 32),
    13: ("UINT64", 64),
    14: ("COMPLEX64", 64),
    15: ("COMPLEX128", 128),
    16: ("BFLOAT16", 16),
    17: ("FLOAT8E4M3FN", 8),
    18: ("FLOAT8E4M3FNUZ", 8),
    19: ("FLOAT8E5M2", 8),
    20: ("FLOAT8E5M2FNUZ", 8),
    21: ("UINT4", 4),
    22: ("INT4", 4),
    23: ("FLOAT4E2M1", 4),
    24: ("FLOAT8E8M0", 8),
    25: ("UINT2", 2),
    26: ("INT2", 2),
    27: ("FLOAT6E2M3", 0),
    28: ("FLOAT6E3M2", 0),
}


def read(stream: BinaryIO, size: int) -> Header:
    """Return what the header says; BadHeader where it contradicts itself, the format or the file's size."""
    model = _Model(_Fields(Reader(stream, size)))
    model.read(size)
    if not model.facts.get("ir_version") or not model.has_graph:
        raise BadHeader("it holds no ir_version and no graph.")
    check_names(tensor.name for tensor in model.tensors if tensor.name)
    check_places(model.tensors, size)
    return Header("onnx", model.tensors, model.notes())


class _Fields:
    """Walks through the fields of messages, each of which stands whole inside the one around it."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._seen = 0

    def until(self, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield number, wire type and value of each field; for LENGTH the value is its length, and it stands next."""
        while self.reader.position < end:
            self._seen += 1
            if self._seen > MAX_FIELDS:
                raise BadHeader(f"it has more than {MAX_FIELDS:,} fields.")
            tag = self.varint(end)
            number, wire = tag >> 3, tag & 7
            if not number or wire not in (VARINT, FIXED64, LENGTH, FIXED32):
                raise BadHeader(f"at byte {self.reader.position:,} stands no field of protobuf.")
            value = self.varint(end) if wire in (VARINT, LENGTH) else 0
            length = {VARINT: 0, FIXED64: 8, LENGTH: value, FIXED32: 4}[wire]
            stop = self.reader.position + length
            if stop > end:
                raise BadHeader(f"at byte {self.reader.position:,} a field ends behind the message around it.")
            yield number, wire, value
            self.reader.skip(stop - self.reader.position)

    def varint(self, end: int) -> int:
        """Return an unsigned number of at most 64 bits."""
        value = 0
        for shift in range(0, 70, 7):
            if self.reader.position >= end:
                break
            byte = self.reader.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= 2**64:
                    break
                return value
        raise BadHeader(f"at byte {self.reader.position:,} a number is cut off, or longer than 64 bits.")

    def message(self, length: int) -> Iterator[tuple[int, int, int]]:
        return self.until(self.reader.position + length)

    def pair(self, length: int) -> tuple[str, str, bool]:
        """Return key and value of a StringStringEntryProto, and whether the value was cut."""
        key, value, cut = "", "", False
        for number, wire, size in self.message(length):
            if (number, wire) == (1, LENGTH):
                key = self.reader.name(size)
            elif (number, wire) == (2, LENGTH):
                value, cut = self.reader.text(size)
        return key, value, cut


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


@dataclass
class _Model:
    """A model while it is read: one method per kind of message."""

    fields: _Fields
    facts: dict[str, Any] = field(default_factory=dict)
    opsets: dict[str, int] = field(default_factory=dict)
    properties: Notes = field(default_factory=Notes)
    tensors: list[Tensor] = field(default_factory=list)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    nodes: int = 0
    has_graph: bool = False

    def read(self, size: int) -> None:
        texts = {2: "producer_name", 3: "producer_version", 4: "domain"}
        for number, wire, value in self.fields.until(size):
            if wire == VARINT and number in (1, 5):
                self.facts["ir_version" if number == 1 else "model_version"] = _signed(value)
            elif wire == LENGTH and number in texts:
                self.facts[texts[number]] = self._text(value, texts[number])
            elif (number, wire) == (7, LENGTH):
                self.has_graph = True
                self._graph(value)
            elif (number, wire) == (8, LENGTH):
                self._opset(value)
            elif (number, wire) == (14, LENGTH):
                key, said, cut = self.fields.pair(value)
                self.properties.add(key, said, cut=cut)

    def notes(self) -> Notes:
        notes = Notes()
        given = {tensor.name for tensor in self.tensors}  # older models repeat their weights among the inputs
        inputs = [one for one in self.inputs if one["name"] not in given]
        files = sorted({tensor.external for tensor in self.tensors if tensor.external})
        about = self.facts | {"opset": self.opsets, "nodes": self.nodes, "inputs": inputs, "outputs": self.outputs}
        for key, value in about.items():
            whole = not isinstance(value, list) or len(value) <= MAX_PORTS
            notes.add(key, value if whole else value[:MAX_PORTS], cut=not whole or key in self.cut)
        if files:
            notes.add("external_data", files[:MAX_FILES], cut=len(files) > MAX_FILES)
        if self.properties.values:
            notes.add("properties", self.properties.values, cut=bool(self.properties.cut))
        return notes

    def _text(self, length: int, key: str) -> str:
        text, cut = self.fields.reader.text(length)
        if cut:
            self.cut.add(key)
        return text

    def _opset(self, length: int) -> None:
        domain, version = "", 0
        for number, wire, value in self.fields.message(length):
            if (number, wire) == (1, LENGTH):
                domain = self.fields.reader.name(value)
            elif (number, wire) == (2, VARINT):
                version = _signed(value)
        self.opsets[domain or "ai.onnx"] = version
        if len(self.opsets) > MAX_OPSETS:
            raise BadHeader(f"it names more than {MAX_OPSETS} operator sets.")

    def _graph(self, length: int) -> None:
        for number, wire, value in self.fields.message(length):
            if wire != LENGTH:
                continue
            if number == 1:
                self.nodes += 1
            elif number == 2:
                self.facts["graph"] = self._text(value, "graph")
            elif number == 5:
                self._add(self._tensor(value))
            elif number == 11:
                self.inputs.append(self._port(value))
            elif number == 12:
                self.outputs.append(self._port(value))
            elif number == 15:
                self._sparse(value)

    def _add(self, tensor: Tensor) -> None:
        check_count(len(self.tensors) + 1)
        self.tensors.append(tensor)

    def _sparse(self, length: int) -> None:
        """A sparse weight counts with the values that are there."""
        for number, wire, value in self.fields.message(length):
            if (number, wire) == (1, LENGTH):
                self._add(self._tensor(value))

    def _tensor(self, length: int) -> Tensor:
        name, shape, kind, begin, size, external = "", list[int](), 0, None, None, ""
        for number, wire, value in self.fields.message(length):
            if number == 1:
                self._dimensions(shape, wire, value)
            elif (number, wire) == (2, VARINT):
                kind = value
            elif (number, wire) == (8, LENGTH):
                name = self.fields.reader.name(value)
            elif (number, wire) == (9, LENGTH):
                begin, size = self.fields.reader.position, value
            elif (number, wire) == (13, LENGTH):
                key, said, _ = self.fields.pair(value)
                external = said[:MAX_NAME] if key == "location" else external
        elements = elements_of(name, shape)
        dtype, bits = TYPES.get(kind, (f"type {kind}", 0))
        if size is not None and bits and size != -(-elements * bits // 8):
            raise BadHeader(f"{name!r} has {size:,} bytes, which do not fit its shape and type.")
        return Tensor(name, dtype, tuple(shape), begin, size, external)

    def _dimensions(self, shape: list[int], wire: int, value: int) -> None:
        if wire == VARINT:
            shape.append(_signed(value))
        elif wire == LENGTH:
            end = self.fields.reader.position + value
            while self.fields.reader.position < end and len(shape) <= MAX_DIMENSIONS:
                shape.append(_signed(self.fields.varint(end)))
        if len(shape) > MAX_DIMENSIONS:
            raise BadHeader(f"a tensor has more than {MAX_DIMENSIONS} dimensions.")

    def _port(self, length: int) -> dict[str, Any]:
        """Return an input or output: a ValueInfoProto."""
        port: dict[str, Any] = {"name": "", "dtype": None, "shape": None}
        if len(self.inputs) + len(self.outputs) > MAX_TENSORS + MAX_PORTS:
            raise BadHeader("it has more inputs and outputs than are read.")
        for number, wire, value in self.fields.message(length):
            if (number, wire) == (1, LENGTH):
                port["name"] = self.fields.reader.name(value)
            elif (number, wire) == (2, LENGTH):
                self._type(port, value)
        return port

    def _type(self, port: dict[str, Any], length: int) -> None:
        """Read a TypeProto; only tensors have a type and a shape to tell."""
        for number, wire, size in self.fields.message(length):
            if (number, wire) != (1, LENGTH):
                continue
            for inner, wire_inner, value in self.fields.message(size):
                if (inner, wire_inner) == (1, VARINT):
                    port["dtype"] = TYPES.get(value, (f"type {value}", 0))[0]
                elif (inner, wire_inner) == (2, LENGTH):
                    port["shape"] = self._shape(value)

    def _shape(self, length: int) -> list[int | str | None]:
        """Return the lengths, or names, or None for what is open, of a TensorShapeProto."""
        shape: list[int | str | None] = []
        for number, wire, size in self.fields.message(length):
            if (number, wire) != (1, LENGTH):
                continue
            if len(shape) == MAX_DIMENSIONS:
                raise BadHeader(f"an input or output has more than {MAX_DIMENSIONS} dimensions.")
            open_or_known: int | str | None = None
            for inner, wire_inner, value in self.fields.message(size):
                if (inner, wire_inner) == (1, VARINT):
                    open_or_known = _signed(value)
                elif (inner, wire_inner) == (2, LENGTH):
                    open_or_known = self.fields.reader.name(value)[:SHOWN_NAME]
            shape.append(open_or_known)
        return shape
