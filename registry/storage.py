"""Bytes by digest, over Django's STORAGES["blobs"]: the only file that knows S3 from disk. Knows no row and no right.

A blob's key is a function of its digest and of nothing else. Files that are whole and synced (registry.incoming) get their
key by a link (disk) or an upload (S3).
"""

from __future__ import annotations

import errno
import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from django.conf import settings
from django.core.files import File
from django.core.files.storage import FileSystemStorage, storages

from lmvp.watching.tallies import failures_counted
from registry.digests import CHUNK, SHA256, chunks_of, digest_stream
from registry.syncing import sync_together

REQUESTS_AT_ONCE = 8  # to a bucket, for the files of packs
READ_AT_ONCE = 128 * 1024  # of an object of which only parts are read
Answer = TypeVar("Answer")
OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Lost(FileNotFoundError):
    """Bytes of a blob that are not in the store any more: lost, or set aside because they were damaged."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands under a key: the digest that it is named by, its bytes, and when they were written (seconds)."""

    digest: str
    size: int
    written_at: float


class _Store(Protocol):
    def take(self, source: Path, digest: str) -> None: ...
    def take_all(self, sources: Mapping[str, Path]) -> None: ...
    def all_exist(self, digests: Collection[str]) -> bool: ...
    def open(self, digest: str) -> BinaryIO: ...
    def delete(self, digest: str) -> None: ...
    def open_ranges(self, digest: str) -> BinaryIO: ...
    def exists(self, digest: str) -> bool: ...
    def set_aside(self, digest: str) -> None: ...
    def stored(self) -> Iterator[Stored]: ...
    def is_there(self) -> bool: ...
    def check(self) -> None: ...


class _Disk:
    """Blobs as read-only files `ab/cdef…` in one directory, on the file system of the incoming files."""

    def __init__(self, storage: FileSystemStorage) -> None:
        self.root = Path(storage.location)

    def _path(self, digest: str) -> Path:
        return self.root / key_of(digest)

    def take(self, source: Path, digest: str) -> None:
        target = self._path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.chmod(0o444)
        _link(source, target)
        # All the way up, and always: who made the directory may have died before it synced it.
        for directory in (target.parent, self.root, self.root.parent):
            sync_directory(directory)

    def take_all(self, sources: Mapping[str, Path]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            directories = {self._path(digest).parent for digest in sources}
            for directory in directories:
                directory.mkdir(exist_ok=True)
            for digest, source in sources.items():
                _link(source, self._path(digest))
            sync_together(directories | {self.root}, descriptor)
        finally:
            os.close(descriptor)
        sync_directory(self.root.parent)

    def all_exist(self, digests: Collection[str]) -> bool:
        root = str(self.root)
        return all(os.path.isfile(f"{root}/{key_of(digest)}") for digest in digests)

    def open(self, digest: str) -> BinaryIO:
        return self._path(digest).open("rb", buffering=0)  # type: ignore[return-value]

    open_ranges = open

    def delete(self, digest: str) -> None:
        self._path(digest).unlink(missing_ok=True)

    def exists(self, digest: str) -> bool:
        return self._path(digest).is_file()

    def set_aside(self, digest: str) -> None:
        shelf = settings.LMVP_DATA_DIR / "quarantine"
        shelf.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.move(self._path(digest), shelf / digest)
        sync_directory(shelf)

    def stored(self) -> Iterator[Stored]:
        for directory in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            for file in os.scandir(directory):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    about = file.stat(follow_symlinks=False)
                    yield Stored(directory.name + file.name, about.st_size, about.st_mtime)

    def is_there(self) -> bool:
        return self.root.is_dir()

    def check(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.root) as probe:
            probe.write(b"ready")
            probe.flush()


class _Bucket:
    """Blobs as objects `ab/cdef…` of an S3 bucket, through django-storages."""

    def __init__(self, storage: object) -> None:
        self.storage = storage

    def take(self, source: Path, digest: str) -> None:
        with source.open("rb") as file:
            self.storage.save(key_of(digest), File(file))  # type: ignore[attr-defined]
        # The store may not verify what it received: read it back before anybody relies on it.
        with self.open(digest) as stored:
            found, _ = digest_stream(chunks_of(stored))
        if found != digest:
            self.delete(digest)
            raise OSError(errno.EIO, f"the store gave back other bytes for {digest}")

    def take_all(self, sources: Mapping[str, Path]) -> None:
        self._at_once(lambda digest: self.take(sources[digest], digest), sources)

    def all_exist(self, digests: Collection[str]) -> bool:
        return all(self._at_once(self.exists, digests))

    @staticmethod
    def _at_once(ask: Callable[[str], Answer], digests: Collection[str]) -> list[Answer]:
        """Ask for many objects side by side: each answer of a store takes its time, however small."""
        asked = [_beside().submit(ask, digest) for digest in digests]
        wait(asked)  # all of them, also where one fails: their sources go when this returns
        return [one.result() for one in asked]

    def open(self, digest: str) -> BinaryIO:
        file: BinaryIO = self.storage.open(key_of(digest), "rb")  # type: ignore[attr-defined]
        return file

    def open_ranges(self, digest: str) -> BinaryIO:
        thing = self.storage.bucket.Object(key_of(digest))  # type: ignore[attr-defined]
        return io.BufferedReader(_Ranges(thing), READ_AT_ONCE)

    def delete(self, digest: str) -> None:
        self.storage.delete(key_of(digest))  # type: ignore[attr-defined]

    def exists(self, digest: str) -> bool:
        return bool(self.storage.exists(key_of(digest)))  # type: ignore[attr-defined]

    def set_aside(self, digest: str) -> None:
        if self.exists(digest):
            bucket, key = self.storage.bucket, self._key(key_of(digest))  # type: ignore[attr-defined]
            bucket.copy({"Bucket": bucket.name, "Key": key}, self._key(f"quarantine/{digest}"))
            self.delete(digest)

    def stored(self) -> Iterator[Stored]:
        prefix = self._key("")
        for item in self.storage.bucket.objects.filter(Prefix=prefix):  # type: ignore[attr-defined]
            name = item.key.removeprefix(prefix)
            if name[2:3] == "/":
                yield Stored(name.replace("/", "", 1), item.size, item.last_modified.timestamp())

    def is_there(self) -> bool:
        return True  # a bucket that is not there is an error wherever it is asked

    def _key(self, name: str) -> str:
        location = str(self.storage.location).strip("/")  # type: ignore[attr-defined]
        return f"{location}/{name}" if location else name

    def check(self) -> None:
        self.storage.exists("ready")  # type: ignore[attr-defined]


@cache
def _beside() -> ThreadPoolExecutor:
    """Threads that stay: each keeps its connection to the bucket, and making one takes longer than a file."""
    return ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="bucket")


class _Ranges(io.RawIOBase):
    """An object of a bucket, read by ranges: what django-storages opens is fetched whole at the first read."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing
        self._size: int = thing.content_length
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._place)
        if length <= 0:
            return 0
        last = self._place + length - 1
        piece: bytes = self._thing.get(Range=f"bytes={self._place}-{last}")["Body"].read()
        if len(piece) != length:
            raise OSError(errno.EIO, f"the store gave {len(piece)} of {length} bytes")
        buffer[:length] = piece
        self._place += length
        return length


def _store() -> _Store:
    storage = storages["blobs"]
    return _Disk(storage) if isinstance(storage, FileSystemStorage) else _Bucket(storage)


@failures_counted
def take(source: Path, digest: str) -> None:
    """Give a synced file its key, as the bytes of this digest. What stood there before is replaced; the source may stay."""
    _store().take(source, digest)


@failures_counted
def take_all(sources: Mapping[str, Path]) -> None:
    """Give many synced, read-only files their keys by digest; return when all of them would survive a pulled plug."""
    _store().take_all(sources)


def key_of(digest: str) -> str:
    return f"{digest[:2]}/{digest[2:]}"


@failures_counted
def open_blob(digest: str) -> BinaryIO:
    """Open the bytes for reading, unbuffered (a real file on disk, so that the server can use sendfile); Lost if gone."""
    with lost_bytes_said_clearly(digest):
        return _store().open(digest)


def path_of(digest: str) -> Path | None:
    """Return the file of this machine that holds the bytes; None where they are in a bucket."""
    store = _store()
    return store._path(digest) if isinstance(store, _Disk) else None


def internal_location(digest: str) -> str | None:
    """Return where the proxy in front finds the bytes, if it shall send them (ACCEL_REDIRECT); Lost if they are gone."""
    store = _store()
    if not settings.ACCEL_REDIRECT or not isinstance(store, _Disk):
        return None
    with lost_bytes_said_clearly(digest):
        store._path(digest).stat()
    return f"{settings.ACCEL_REDIRECT}{key_of(digest)}"


@failures_counted
def open_ranges(digest: str) -> BinaryIO:
    """Open the bytes for reading a few of them here and there; Lost if they are gone."""
    with lost_bytes_said_clearly(digest):
        return _store().open_ranges(digest)


@failures_counted
def blob_exists(digest: str) -> bool:
    return _store().exists(digest)


@failures_counted
def all_exist(digests: Collection[str]) -> bool:
    return _store().all_exist(digests)


@failures_counted
def delete_blob(digest: str) -> None:
    """Delete the bytes; quiet when they are not there."""
    _store().delete(digest)


@failures_counted
def set_aside(digest: str) -> None:
    """Move damaged bytes out of the store, to `quarantine/`; quiet when they are not there."""
    _store().set_aside(digest)


def stored() -> Iterator[Stored]:
    """Yield what stands in the store, row or not; only names that are digests."""
    return (one for one in _store().stored() if SHA256.fullmatch(one.digest))


def is_there() -> bool:
    """Whether the place of all bytes is there at all: a volume that is not mounted is no loss of files."""
    return _store().is_there()


@failures_counted
def check() -> None:
    """Raise OSError (or the store's own error) when bytes could not be kept now."""
    settings.INCOMING_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.INCOMING_DIR) as probe:
        probe.write(b"ready")
    _store().check()


class Slice(io.RawIOBase):
    """`length` bytes of a blob from `start`. Has the blob's file number, positioned, so that sendfile serves it."""

    def __init__(self, digest: str, *, start: int, length: int) -> None:
        self._file = open_blob(digest)
        self._file.seek(start)
        self._left = length

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)  # positions of the whole file: what sendfile counts in

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        piece = self._file.read(wanted)
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._file.close()
        super().close()


def read_blob(digest: str) -> Iterator[bytes]:
    """Yield the bytes of a blob, piece by piece."""
    with open_blob(digest) as file:
        yield from chunks_of(file, size=CHUNK)


def _link(source: Path, target: Path) -> None:
    """Let the target be the source's bytes, at once; the source stays, unless the file system knows no hard links."""
    try:
        os.link(source, target)
        return
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno in OUT_OF_SPACE:
            raise
        source.replace(target)
        return
    draft = source.with_suffix(f"{source.suffix}.{secrets.token_hex(4)}")
    os.link(source, draft)
    draft.replace(target)
    draft.unlink(missing_ok=True)  # POSIX leaves it where both were the same file already


@contextmanager
def lost_bytes_said_clearly(digest: str) -> Iterator[None]:
    """Turn the store's word for a file that is not there into ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise Lost(errno.ENOENT, "the store has not got these bytes any more", digest) from error


def sync_directory(path: Path) -> None:
    """Let the names in a directory survive a pulled plug."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
