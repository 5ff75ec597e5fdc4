"""The header of a safetensors file. Format: the README of huggingface/safetensors, section “Format”.

Eight bytes of length, JSON of that length, then the tensors' bytes without holes and overlaps. The reference reader takes
100 MB of JSON; 16 MiB, which 100,000 tensors fit into, keep what a hostile header can cost us small.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO, TypeGuard

from registry.headers.reading import (
    MAX_ELEMENTS,
    MAX_NAME,
    MAX_TENSORS,
    BadHeader,
    Header,
    Notes,
    Reader,
    Tensor,
    check_count,
    elements_of,
)

MAX_HEADER = 16 * 2**20
MAX_MARKS = 25 * MAX_TENSORS  # brackets, braces and commas: what parsed JSON costs grows with them
BITS = {
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    **dict.fromkeys(["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"], 8),
    **dict.fromkeys(["U16", "I16", "F16", "BF16"], 16),
    **dict.fromkeys(["U32", "I32", "F32"], 32),
    **dict.fromkeys(["U64", "I64", "F64", "C64"], 64),
}


def read(stream: BinaryIO, size: int) -> Header:
    """Return what the header says; BadHeader where it contradicts itself, the format or the file's size."""
    reader = Reader(stream, size)
    length = reader.number("Q")
    if length > MAX_HEADER:
        raise BadHeader(f"its header claims {length:,} bytes; at most {MAX_HEADER:,} are read.")
    said = _parse(reader.take(length))
    notes = _notes(said.pop("__metadata__", None))
    check_count(len(said))
    tensors = [_tensor(name, about, reader.position) for name, about in said.items()]
    _check_places(tensors, reader.position, size)
    return Header("safetensors", tensors, notes)


def _parse(raw: bytes) -> dict[str, Any]:
    if not raw.startswith(b"{"):
        raise BadHeader("its header does not begin with “{”.")
    if sum(map(raw.count, (b"{", b"[", b","))) > MAX_MARKS:
        raise BadHeader("its header has more parts than 100,000 tensors need.")
    try:
        said = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except BadHeader:
        raise
    except UnicodeDecodeError:
        raise BadHeader("its header is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise BadHeader("its header is not JSON.") from None
    return said if isinstance(said, dict) else _refuse(said)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadHeader("a key of its header is there twice.")
    return found


def _refuse(said: object) -> Any:
    raise BadHeader(f"{str(said)[:20]} has no place in its header.")


def _notes(said: Any) -> Notes:
    notes = Notes()
    if not isinstance(said, dict | None):
        raise BadHeader("its __metadata__ is no object.")
    for key, value in (said or {}).items():
        if not isinstance(value, str):
            raise BadHeader(f"__metadata__ maps {key[:100]!r} to something else than a text.")
        notes.add(_whole(key), _whole(value))
    return notes


def _whole(text: str) -> str:
    """Refuse halves of characters, which JSON can spell and nothing can store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadHeader("a text in its header is broken Unicode.") from None
    return text


def _tensor(name: str, about: Any, start: int) -> Tensor:
    if len(_whole(name).encode()) > MAX_NAME:
        raise BadHeader(f"a name has more than {MAX_NAME:,} bytes.")
    if not isinstance(about, dict):
        raise BadHeader(f"{name!r} is described by something else than an object.")
    dtype, shape, place = about.get("dtype"), about.get("shape"), about.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in BITS:
        raise BadHeader(f"{name!r} has no dtype that safetensors knows.")
    if not _are_counts(shape):
        raise BadHeader(f"{name!r} has no shape of whole numbers from 0 on.")
    if not _are_counts(place) or len(place) != 2:
        raise BadHeader(f"{name!r} has no data_offsets of two whole numbers from 0 on.")
    begin, end = place
    if elements_of(name, shape) * BITS[dtype] != (end - begin) * 8:
        raise BadHeader(f"{name!r} has {end - begin:,} bytes, which do not fit its shape and dtype.")
    return Tensor(name, dtype, tuple(shape), start + begin, end - begin)


def _are_counts(said: Any) -> TypeGuard[list[int]]:
    return isinstance(said, list) and all(type(one) is int and 0 <= one <= MAX_ELEMENTS for one in said)


def _check_places(tensors: list[Tensor], start: int, size: int) -> None:
    behind = start
    for begin, length, name in sorted((tensor.begin or 0, tensor.size or 0, tensor.name) for tensor in tensors):
        if begin != behind:
            raise BadHeader(f"the bytes of {name!r} do not begin where the ones before them end.")
        behind += length
    if behind != size:
        raise BadHeader(f"its tensors end at byte {behind:,}, the file at {size:,}.")
