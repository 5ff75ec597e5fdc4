"""Model files as the formats' own pages describe them, written by hand: small ones for tests, and lying ones."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Sequence
from typing import Any

# --- safetensors


def safetensors_of(header: Any, data: bytes = b"", *, length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def safetensors(tensors: dict[str, tuple[str, Sequence[int], bytes]], metadata: dict[str, str] | None = None) -> bytes:
    """A whole file of tensors: name → (dtype, shape, bytes)."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return safetensors_of(header, data)


# --- GGUF


def text(said: str | bytes) -> bytes:
    raw = said.encode() if isinstance(said, str) else said
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str | bytes, kind: int, raw: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + raw


def array(kind: int, count: int, raw: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + raw


def info(name: str, shape: Sequence[int], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(
    entries: Sequence[bytes] = (),
    infos: Sequence[bytes] = (),
    data: bytes = b"",
    *,
    version: int = 3,
    keys: int | None = None,
    tensors: int | None = None,
    alignment: int = 32,
) -> bytes:
    counts = (len(infos) if tensors is None else tensors), (len(entries) if keys is None else keys)
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(entries) + b"".join(infos)
    return head + (bytes(-len(head) % alignment) + data if data else b"")


# --- ONNX


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    raw = b""
    while value > 0x7F:
        raw, value = raw + bytes([value & 0x7F | 0x80]), value >> 7
    return raw + bytes([value])


def number(place: int, value: int) -> bytes:
    return varint(place << 3) + varint(value)


def message(place: int, raw: bytes | str) -> bytes:
    raw = raw.encode() if isinstance(raw, str) else raw
    return varint(place << 3 | 2) + varint(len(raw)) + raw


def initializer(name: str, shape: Sequence[int], kind: int, raw: bytes | None, more: bytes = b"") -> bytes:
    dims = b"".join(number(1, length) for length in shape)
    return message(5, dims + number(2, kind) + message(8, name) + (b"" if raw is None else message(9, raw)) + more)


def port(place: int, name: str, kind: int, shape: Sequence[int | str | None]) -> bytes:
    lengths = b""
    for one in shape:
        lengths += message(1, b"" if one is None else number(1, one) if isinstance(one, int) else message(2, one))
    return message(place, message(1, name) + message(2, message(1, number(1, kind) + message(2, lengths))))


def onnx(graph: bytes, more: bytes = b"") -> bytes:
    return number(1, 9) + more + message(7, graph)


# --- NumPy


def npy(literal: str | bytes, data: bytes = b"", *, version: int = 1, length: int | None = None) -> bytes:
    raw = literal.encode() if isinstance(literal, str) else literal
    size = struct.pack("<H" if version == 1 else "<I", len(raw) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + raw + data


def described(descr: str = "'<f4'", shape: str = "(2,)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


def zipped(entries: dict[str, bytes], *, how: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, raw in entries.items():
            archive.writestr(name, raw)
    return out.getvalue()
