"""Digests: of a stream, of a directory's entries, of a version. Pure: no database, no clock, no file names of ours.

All are SHA-256 in lower-case hex.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

CHUNK = 1 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")
EMPTY = hashlib.sha256().hexdigest()


def chunks_of(stream: Any, *, size: int = CHUNK) -> Iterator[bytes]:
    """Read a binary stream piece by piece."""
    while piece := stream.read(size):
        yield piece


def digest_stream(chunks: Iterable[bytes]) -> tuple[str, int]:
    """Return the SHA-256 and the number of bytes of a stream, in constant memory."""
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
    return hasher.hexdigest(), size


def digest_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def base64_of(hex_digest: str) -> str:
    """The form that the `Digest` and `Repr-Digest` headers want (RFC 3230, RFC 9530)."""
    return base64.b64encode(bytes.fromhex(hex_digest)).decode()


def canonical_json(value: Any) -> str:
    """Return the one spelling of a JSON value that digests are made over: sorted keys, no spaces, UTF-8.

    Raises ValueError for NaN, infinities and lone surrogates, which JSON or UTF-8 cannot hold.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    text.encode()
    return text


class TooDeep(ValueError):
    """A JSON value is nested deeper than is taken."""


def check_levels(value: Any, levels: int) -> None:
    """Refuse objects and lists in more than so many levels: what readers of JSON take, and recursion survives."""
    if not isinstance(value, (Mapping, list, tuple)):
        return
    if levels == 0:
        raise TooDeep
    for item in value.values() if isinstance(value, Mapping) else value:
        check_levels(item, levels - 1)


def digest_version(
    *, tree: str, parents: Iterable[str], author: str, message: str, metadata_json: str, time: datetime
) -> str:
    """Return the digest of a version: over a first line that names the form, then canonical JSON of its parts.

    `metadata_json` is canonical already. `time` is UTC with microseconds. Metrics are outside.
    """
    head = {
        "author": author,
        "message": message,
        "parents": list(parents),
        "time": time.isoformat(timespec="microseconds"),
        "tree": tree,
    }
    return digest_bytes(f"lmvp version 1\n{canonical_json(head)}\n{metadata_json}\n".encode())


def is_finite_number(value: object) -> bool:
    """Whether a value is a number that every JSON reader and both databases can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
