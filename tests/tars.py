"""Tars made block by block, so that they can lie; and packs sent as a client does."""

from __future__ import annotations

import hashlib
import tarfile
from typing import Any

from accounts.models import User
from tests.cast import client_of

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)


def header(
    name: str, size: int, *, kind: bytes = b"0", link: str = "", prefix: bytes = b"", size_field: bytes = b""
) -> bytes:
    """Return the block of a header whose checksum is right, whatever it says."""
    said = size_field or (b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big"))
    fields = [(0, name.encode()), (100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"), (124, said)]
    fields += [(136, b"00000000000\0"), (148, b" " * 8), (156, kind), (157, link.encode())]
    fields += [(257, b"ustar\x0000"), (345, prefix)]
    block = bytearray(BLOCK)
    for start, content in fields:
        block[start : start + len(content)] = content
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(content: bytes) -> bytes:
    return header(digest_of(content), len(content)) + padded(content)


def pax(kind: bytes = tarfile.XHDTYPE, **records: str) -> bytes:
    """Return an extended header with these records."""
    content = b"".join(_record(f" {key}={value}\n".encode()) for key, value in records.items())
    return header("pax", len(content), kind=kind) + padded(content)


def _record(rest: bytes) -> bytes:
    length = len(rest) + 1
    while len(f"{length}") + len(rest) != length:
        length += 1
    return f"{length}".encode() + rest


def pack_of(*contents: bytes) -> bytes:
    return b"".join(map(member, contents)) + END


def send_pack(
    actor: User | None,
    body: bytes,
    *,
    model: str = "vision/models/classifier",
    content_type: str = "application/x-tar",
    **extra: Any,
) -> Any:
    return client_of(actor).generic("POST", f"/v1/projects/{model}/uploads/pack/", body, content_type, **extra)
