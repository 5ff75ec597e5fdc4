"""What every store of blobs can do, and the words that its answers are made of. Knows no row and no right."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from registry.errors import Busy

OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Lost(FileNotFoundError):
    """Bytes of a blob that are not in the store any more: lost, or set aside because they were damaged."""


class Unavailable(Busy):
    """The store does not answer, or not as it should, just now; nothing was changed by the call that raises this."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands under a key: the digest that it is named by, its bytes, and when they were written (seconds)."""

    digest: str
    size: int
    written_at: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an upload on its way: bytes that came together, and when they were written (seconds)."""

    upload: str
    name: str
    size: int
    written_at: float


class Store(Protocol):
    """Blobs by their digest. Raises FileNotFoundError for what is not there, Unavailable when it cannot tell."""

    def take(self, source: Path, digest: str) -> None: ...
    def take_all(self, sources: Mapping[str, Path]) -> None: ...
    def all_exist(self, digests: Collection[str]) -> bool: ...
    def open(self, digest: str, *, start: int = 0, length: int | None = None) -> BinaryIO: ...
    def delete(self, digest: str) -> None: ...
    def open_ranges(self, digest: str) -> BinaryIO: ...
    def exists(self, digest: str) -> bool: ...
    def set_aside(self, digest: str) -> None: ...
    def stored(self) -> Iterator[Stored]: ...
    def is_there(self) -> bool: ...
    def check(self) -> None: ...


class Shared(Store, Protocol):
    """A store that all replicas share, which keeps uploads on their way as well: pieces `incoming/<upload>/<name>`."""

    def keep_piece(self, upload: str, source: Path, *, start: int, length: int) -> str: ...
    def open_piece(self, upload: str, name: str) -> BinaryIO: ...
    def forget_piece(self, upload: str, name: str) -> None: ...
    def pieces(self) -> Iterator[Piece]: ...


def key_of(digest: str) -> str:
    return f"{digest[:2]}/{digest[2:]}"
