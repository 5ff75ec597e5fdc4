"""What came of uploads whose bytes come in parts: on the disk of this machine, or in the bucket that replicas share."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from registry import storage
from registry.digests import chunks_of
from registry.incoming import Incoming, full_disk_said_clearly
from registry.storage import Lost, Shared, sync_directory

Pieces = Sequence[tuple[str, int]]  # name and size


class Partial(Incoming):
    """The file of an upload whose bytes come in parts. It stays between them, cut to the bytes that are known to be safe.

    Its digest is there only behind `hash_again`, unless it came in one part. `after_another`: who wrote before may still
    have it open, and write late; then this becomes another file, out of its reach.
    """

    def __init__(self, name: str, *, offset: int, limit: int, after_another: bool = False) -> None:
        self.name = name
        self._after_another = after_another
        super().__init__(limit=limit)
        if os.fstat(self._file.fileno()).st_size < offset:
            self._file.close()
            raise Lost(errno.ENOENT, "the bytes that had come are not here any more", name)
        self._file.truncate(offset)
        self._file.seek(offset)
        self.size = self._written_back = offset
        self.in_one_part = offset == 0 and not after_another

    def _open(self) -> tuple[int, Path]:
        path = partial_path(self.name)
        if _stands_in_store(path) or (self._after_another and _is_open(path)):
            _copy_anew(path)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), path

    def write(self, chunk: bytes) -> None:
        self._append(chunk)
        if self.in_one_part:
            self._hasher.update(chunk)

    def sync(self) -> None:
        """Return when the bytes that came so far, and the file's own name, would survive a pulled plug."""
        with full_disk_said_clearly():
            os.fsync(self._file.fileno())
            sync_directory(self.path.parent)

    def hash_again(self, *, meanwhile: Callable[[], object]) -> None:
        """Read what came in other parts, so that the digest is that of the whole file; call `meanwhile` now and then."""
        if not self.in_one_part:
            with self.path.open("rb") as file:
                for chunk in chunks_of(file):
                    self._hasher.update(chunk)
                    meanwhile()
            self.in_one_part = True

    def noted(self) -> dict[str, Any]:
        """What the upload's row says of the bytes that are safe."""
        return {"offset": self.size}

    def close(self) -> None:
        """Leave the bytes for the next part."""
        self._file.close()


class InPieces(Incoming):
    """An upload whose bytes come in parts, where replicas share a bucket: what is safe is there, in pieces.

    The file here holds what came last, and is gone with the part; any replica goes on, and the last one puts it together.
    """

    def __init__(self, name: str, *, pieces: Pieces, limit: int, store: Shared) -> None:
        super().__init__(limit=limit)
        self.name = name
        self.pieces = list(pieces)
        self._store = store
        self._begin = self.size = self._written_back = self._kept = sum(size for _, size in pieces)
        self._file.seek(self._begin)  # before that: a hole
        self.in_one_part = not pieces

    def write(self, chunk: bytes) -> None:
        self._append(chunk)
        if self.in_one_part:
            self._hasher.update(chunk)

    def sync(self) -> None:
        """Return when the bytes that came so far are safe in the bucket; but for the last, which go up with the whole file."""
        length = self.size - self._kept
        if length and self.size < self.limit:
            name = self._store.keep_piece(self.name, self.path, start=self._kept, length=length)
            self.pieces.append((name, length))
            self._kept = self.size

    def hash_again(self, *, meanwhile: Callable[[], object]) -> None:
        """Fetch what came in other parts, so that the file is whole, and its digest known."""
        if self.in_one_part:
            return
        self._file.seek(0)
        for name, size in self.pieces:
            if self._file.tell() < self._begin:
                self._fetch(name, size, meanwhile)
        with self.path.open("rb") as file:
            file.seek(self._begin)
            for chunk in chunks_of(file):
                self._hasher.update(chunk)
                meanwhile()
        self.in_one_part = True

    def _fetch(self, name: str, size: int, meanwhile: Callable[[], object]) -> None:
        with self._store.open_piece(self.name, name) as piece, full_disk_said_clearly():
            for chunk in chunks_of(piece):
                self._file.write(chunk)
                self._hasher.update(chunk)
                size -= len(chunk)
                meanwhile()
        if size:
            raise Lost(errno.ENOENT, "the bytes that had come are not as they were any more", self.name)

    def noted(self) -> dict[str, Any]:
        return {"offset": self._kept, "pieces": self.pieces}

    def close(self) -> None:
        self.discard()


def partial_of(
    name: str, *, offset: int, pieces: Pieces, limit: int, after_another: bool = False
) -> Partial | InPieces:
    """Open what came of an upload, to go on at the offset that its row says; Lost when the bytes before are not there."""
    store = storage.shared()
    if store is None:
        return Partial(name, offset=offset, limit=limit, after_another=after_another)
    if sum(size for _, size in pieces) != offset:
        raise Lost(errno.ENOENT, "the bytes that had come were left on another machine", name)
    return InPieces(name, pieces=pieces, limit=limit, store=store)


def _stands_in_store(path: Path) -> bool:
    """Whether a file got its key already (and its row was not written): what stands in the store nobody may write."""
    return path.is_file() and path.stat().st_nlink > 1


def _is_open(path: Path) -> bool:
    with suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _copy_anew(path: Path) -> None:
    """Let a name stand for a file of its own with the same bytes."""
    draft = path.with_suffix(f"{path.suffix}.{secrets.token_hex(4)}")
    try:
        shutil.copyfile(path, draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())  # it takes the place of bytes that are known to be safe
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def partial_path(name: str) -> Path:
    return Path(settings.INCOMING_DIR / f"{name}.part")


def forget_partial(name: str, pieces: Pieces = ()) -> None:
    """Delete what came of an upload; quiet when nothing did. What a bucket does not delete now is garbage later."""
    partial_path(name).unlink(missing_ok=True)
    if pieces and (store := storage.shared()):
        with suppress(storage.Unavailable):
            for piece, _ in pieces:
                store.forget_piece(name, piece)
