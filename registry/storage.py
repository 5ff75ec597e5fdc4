"""Bytes by digest, over Django's STORAGES["blobs"]: the one face of registry.stores. Knows no row and no right.

A blob's key is a function of its digest and of nothing else. Files that are whole and synced (registry.incoming) get their
key by a link (disk) or an upload (S3).
"""

from __future__ import annotations

import errno
import io
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from django.conf import settings
from django.core.files.storage import FileSystemStorage, Storage, storages

from lmvp.watching.tallies import failures_counted
from registry.digests import CHUNK, SHA256, chunks_of
from registry.stores.contract import OUT_OF_SPACE, Lost, Piece, Shared, Store, Stored, Unavailable, key_of
from registry.stores.disk import Disk, sync_directory

if TYPE_CHECKING:
    from registry.stores.bucket import Bucket
    from registry.stores.staging import Part, Staging

SIGNED_FOR = 3600  # seconds in which a download has to begin

__all__ = [
    "OUT_OF_SPACE",
    "Lost",
    "Part",
    "Piece",
    "Shared",
    "Slice",
    "Staging",
    "Stored",
    "Unavailable",
    "key_of",
    "sync_directory",
]


def _store() -> Store:
    storage = storages["blobs"]
    return Disk(storage) if isinstance(storage, FileSystemStorage) else _bucket_of(storage)


def _bucket() -> Bucket | None:
    """Return the store where it is a bucket."""
    storage = storages["blobs"]
    return None if isinstance(storage, FileSystemStorage) else _bucket_of(storage)


def _bucket_of(storage: Storage) -> Bucket:
    from registry.stores.bucket import (
        bucket_of,  # with boto3, which takes a third of a second: not for those with a disk
    )

    return bucket_of(storage)


@failures_counted
def take(source: Path, digest: str) -> None:
    """Give a synced file its key, as the bytes of this digest. What stood there before is replaced; the source may stay."""
    _store().take(source, digest)


@failures_counted
def take_all(sources: Mapping[str, Path]) -> None:
    """Give many synced, read-only files their keys by digest; return when all of them would survive a pulled plug."""
    _store().take_all(sources)


@failures_counted
def open_blob(digest: str, *, start: int = 0, length: int | None = None) -> BinaryIO:
    """Open the bytes for reading, unbuffered (a real file on disk, so that the server can use sendfile); Lost if gone.

    It stands at `start`; `length` says how many will be read, so that a bucket sends no more.
    """
    with lost_bytes_said_clearly(digest):
        return _store().open(digest, start=start, length=length)


def is_on_disk() -> bool:
    """Whether files stay on the disk where they arrive; on their way to a bucket they only pass through it."""
    return isinstance(_store(), Disk)


def path_of(digest: str) -> Path | None:
    """Return the file of this machine that holds the bytes; None where they are in a bucket."""
    store = _store()
    return store.path_of(digest) if isinstance(store, Disk) else None


def internal_location(digest: str) -> str | None:
    """Return where the proxy in front finds the bytes, if it shall send them (ACCEL_REDIRECT); Lost if they are gone."""
    store = _store()
    if not settings.ACCEL_REDIRECT or not isinstance(store, Disk):
        return None
    with lost_bytes_said_clearly(digest):
        store.path_of(digest).stat()
    return f"{settings.ACCEL_REDIRECT}{key_of(digest)}"


def public_location(digest: str, *, disposition: str, content_type: str) -> str | None:
    """Return where clients fetch the bytes from the bucket themselves, if they reach it; Lost if they are gone."""
    store = _bucket()
    if not settings.S3_PUBLIC_ENDPOINT_URL or store is None:
        return None
    if not store.exists(digest):
        raise Lost(errno.ENOENT, "the store has not got these bytes any more", digest)
    return store.signed_address(
        digest,
        endpoint=settings.S3_PUBLIC_ENDPOINT_URL,
        disposition=disposition,
        content_type=content_type,
        seconds=SIGNED_FOR,
    )


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


def shared() -> Shared | None:
    """Return the store where all replicas share it; None where it is a disk."""
    return _bucket()


def staging() -> Staging | None:
    """Return where uploads stand that senders bring to the bucket themselves; None where they do not reach it."""
    return bucket_staging() if settings.S3_PUBLIC_ENDPOINT_URL else None


def bucket_staging() -> Staging | None:
    """Return where they would stand, and may have been left; None where the store is a disk."""
    store = _bucket()
    if store is None:
        return None
    from registry.stores.staging import Staging  # as above

    return Staging(store, settings.S3_PUBLIC_ENDPOINT_URL)


@failures_counted
def check() -> None:
    """Raise OSError (or the store's own error) when bytes could not be kept now."""
    settings.INCOMING_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.INCOMING_DIR) as probe:
        probe.write(b"ready")
    _store().check()


class Slice(io.RawIOBase):
    """`length` bytes of a blob from `start`. On disk it has the blob's file number, positioned, so that sendfile serves it."""

    def __init__(self, digest: str, *, start: int, length: int) -> None:
        self._file = open_blob(digest, start=start, length=length)
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


@contextmanager
def lost_bytes_said_clearly(digest: str) -> Iterator[None]:
    """Turn the store's word for a file that is not there into ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise Lost(errno.ENOENT, "the store has not got these bytes any more", digest) from error
