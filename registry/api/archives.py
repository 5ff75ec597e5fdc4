"""A whole version as one streamed zip or tar: nothing is held whole, the length is not known beforehand."""

from __future__ import annotations

import errno
import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime

from registry.storage import read_blob
from registry.trees import EXECUTABLE, Place

SENT_AT_ONCE = 256 * 1024


class _Sink(io.RawIOBase):
    """Where an archive is written to, emptied after every piece. Not seekable, as the wire is."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self._pieces.append(bytes(piece))
        return len(piece)

    def drain(self) -> Iterator[bytes]:
        if self._pieces:
            yield b"".join(self._pieces)
            self._pieces.clear()


def zip_of(places: list[Place], when: datetime) -> Iterator[bytes]:
    """Yield a zip (stored, not deflated: weights do not shrink) of the files, all dated `when`."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for place in places:
            about = zipfile.ZipInfo(place.path, max(when.timetuple()[:6], (1980, 1, 1, 0, 0, 0)))
            about.external_attr = (0o100755 if place.entry.mode == EXECUTABLE else 0o100644) << 16
            with archive.open(about, "w", force_zip64=place.entry.size > 2**31 - 1) as member:
                for piece in read_blob(place.entry.digest):
                    member.write(piece)
                    yield from sink.drain()
            yield from sink.drain()
    yield from sink.drain()


def tar_of(places: Iterable[Place], when: datetime) -> Iterator[bytes]:
    """Yield a pax tar of the files in their order, all dated `when`, in pieces that are worth a packet."""
    return _gathered(_members(places, int(when.timestamp())))


def _members(places: Iterable[Place], when: int) -> Iterator[bytes]:
    for place in places:
        about, left = tarfile.TarInfo(place.path), place.entry.size
        about.size, about.mtime = left, when
        about.mode = 0o755 if place.entry.mode == EXECUTABLE else 0o644
        yield about.tobuf(tarfile.PAX_FORMAT)
        for piece in read_blob(place.entry.digest):
            left -= len(piece)
            yield piece
        if left:  # an answer that breaks off is better than one in which all members behind stand askew
            raise OSError(errno.EIO, "the store gave back another number of bytes", place.entry.digest)
        yield bytes(-about.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    some, size = list[bytes](), 0
    for piece in pieces:
        some.append(piece)
        size += len(piece)
        if size >= SENT_AT_ONCE:
            yield b"".join(some)
            some, size = [], 0
    yield b"".join(some)
