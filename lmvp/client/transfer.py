"""Bytes to and from the server: asked for by digest, streamed, hashed on the way, checked. Knows no names."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from lmvp.client import files
from lmvp.client.cache import READ_ONLY, Cache
from lmvp.client.errors import ConnectionFailed, IntegrityError, LocalFileError, NotLMVPServer
from lmvp.client.files import CHUNK, LocalFile, Meter
from lmvp.client.http import Session, chunks
from lmvp.client.progress import bytes_bar

BATCH = 1000
SENDING_THREADS = 4
FETCHING_THREADS = 8
RESUMPTIONS = 5


# --- Up


def read_source(source: Path, *, progress: bool | None = None) -> list[LocalFile]:
    """Return the files of a path with their digests."""
    found = files.found(source)
    total = sum(file.stat().st_size for file in found.values())
    with bytes_bar("hashing", total, progress) as meter:
        return meter.map(lambda item: files.hashed(*item, meter), found.items(), threads=SENDING_THREADS)


def send_files(session: Session, model_path: str, local: Sequence[LocalFile], *, progress: bool | None = None) -> None:
    """Ask which bytes the server misses, and send those. `model_path` is the model's API path."""
    unique = iter({file.sha256: file for file in local}.values())
    while batch := list(islice(unique, BATCH)):
        asked = [{"size": file.size, "sha256": file.sha256} for file in batch]
        answers = session.call("POST", f"{model_path}uploads/", asked, repeatable=True)
        with session.understood():
            pairs = zip(batch, answers, strict=True)
            missing = [(file, answer) for file, answer in pairs if answer["status"] != "stored"]
        with bytes_bar("sending", sum(file.size for file, _ in missing), progress) as meter:
            meter.map(lambda pair: _send(session, *pair, meter), missing, threads=SENDING_THREADS)


def _send(session: Session, file: LocalFile, upload: Any, meter: Meter) -> None:
    if "href" not in upload:
        raise NotLMVPServer("The server wants this file in parts, which this client cannot. Install its newest wheel.")
    sent = _Outgoing(file, meter)
    answer = session.send(upload["method"], upload["href"], upload["headers"], lambda: sent if file.size else b"")
    if answer and answer.get("sha256") != file.sha256:
        raise IntegrityError(f"The server has other bytes of {file.source} than were sent. Publish again.")


class _Outgoing:
    """The bytes of one file for one PUT. Hashed again while they leave: the file may have changed since.

    The last piece is held back until all agrees, so that the server never sees a whole body of other bytes.
    """

    def __init__(self, file: LocalFile, meter: Meter) -> None:
        self.file = file
        self.len = file.size  # where requests looks for Content-Length
        self._meter = meter
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        self._meter(-self._sent)
        self._sent = 0
        with files.reading(self.file.source), self.file.source.open("rb") as source:
            yield from self._pieces(source)

    def _pieces(self, source: BinaryIO) -> Iterator[bytes]:
        digest, last = hashlib.sha256(), b""
        for piece in files.pieces(source):
            if last:
                yield last
            digest.update(piece)
            last = piece
            self._sent += len(piece)
            self._meter(len(piece))
            if self._sent > self.file.size:
                break
        if self._sent != self.file.size or digest.hexdigest() != self.file.sha256:
            raise LocalFileError(
                f"{self.file.source} changed while it was sent. Let its writer finish, then publish again."
            )
        yield last


# --- Down


@dataclass(frozen=True)
class RemoteFile:
    """A file of a version on the server: its path in the version, its digest and size."""

    path: str
    sha256: str
    size: int


def list_files(session: Session, version_path: str) -> list[RemoteFile]:
    """Return all files of a version. `version_path` is the version's API path."""
    with session.understood():
        entries = session.pages(f"{version_path}tree/", recursive="true", page_size=200)
        return [RemoteFile(e["path"], _digest(e["digest"]), int(e["size"])) for e in entries if e["type"] == "file"]


def _digest(text: str) -> str:
    """Refuse what is no SHA-256: it becomes a file name in the cache."""
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise ValueError(f"{text!r} is not a SHA-256")
    return text


@dataclass(frozen=True)
class Fetching:
    """One download: what is wanted of which version, and where bytes may be known already."""

    session: Session
    version_path: str
    wanted: Sequence[RemoteFile]
    cache: Cache
    progress: bool | None = None

    def into_cache(self, snapshot: Path) -> None:
        """Make the snapshot hold the wanted files, as read-only links into the cache."""
        targets = [(files.inside(snapshot, file.path), file) for file in self.wanted]
        unique = {file.sha256: file for file in self.wanted}
        with bytes_bar("fetching", sum(file.size for file in unique.values()), self.progress) as meter:
            meter.map(lambda file: self._cached(file, meter), unique.values(), threads=FETCHING_THREADS)
        for target, file in targets:
            self.cache.link(file.sha256, target)

    def into_directory(self, directory: Path) -> None:
        """Make the directory hold the wanted files, writable; other files in it stay as they are."""
        targets = [(files.inside(directory, file.path), file) for file in self.wanted]
        with bytes_bar("fetching", sum(file.size for file in self.wanted), self.progress) as meter:
            meter.map(lambda pair: self._placed(*pair, meter), targets, threads=FETCHING_THREADS)

    def _cached(self, file: RemoteFile, meter: Meter) -> None:
        if self.cache.verified(file.sha256, file.size):
            meter(file.size)
            return
        with files.replacing(self.cache.blob(file.sha256)) as draft:
            self._fetch(file, draft, meter)
            draft.chmod(READ_ONLY)

    def _placed(self, target: Path, file: RemoteFile, meter: Meter) -> None:
        if target.is_dir():
            raise LocalFileError(f"{target} is a directory, and a file of the model. Download to another path.")
        if files.matches(target, file.sha256, file.size):
            meter(file.size)
            return
        blob = self.cache.verified(file.sha256, file.size)
        with files.replacing(target) as draft:
            if blob:
                shutil.copyfile(blob, draft)
                meter(file.size)
            else:
                self._fetch(file, draft, meter)

    def _fetch(self, file: RemoteFile, draft: Path, meter: Meter) -> None:
        """Write the file's bytes to the draft; a broken connection goes on where it broke. IntegrityError if wrong."""
        path = f"{self.version_path}files/{quote(file.path)}"
        with draft.open("xb") as out:
            incoming = _Incoming(file, out, meter)
            for left in reversed(range(RESUMPTIONS + 1)):
                try:
                    with self.session.stream(path, offset=incoming.size) as response:
                        incoming.take(chunks(response, CHUNK), resumed=response.status_code == 206)
                    break
                except ConnectionFailed:
                    if incoming.is_full:
                        break
                    if not left:
                        raise
        incoming.check()


class _Incoming:
    """The bytes of one file as they arrive, hashed on their way to the disk."""

    def __init__(self, file: RemoteFile, out: BinaryIO, meter: Meter) -> None:
        self.file = file
        self.size = 0
        self._digest = hashlib.sha256()
        self._out = out
        self._meter = meter

    @property
    def is_full(self) -> bool:
        return self.size >= self.file.size

    def take(self, pieces: Iterator[bytes], *, resumed: bool) -> None:
        """Take more bytes; not resumed: all of them, from the beginning. Stops at the first byte too many."""
        if not resumed:
            self._begin_again()
        for piece in pieces:
            self._digest.update(piece)
            self._out.write(piece)
            self.size += len(piece)
            self._meter(len(piece))
            if self.size > self.file.size:
                return

    def _begin_again(self) -> None:
        self._out.seek(0)
        self._out.truncate()
        self._meter(-self.size)
        self._digest, self.size = hashlib.sha256(), 0

    def check(self) -> None:
        if (self.size, self._digest.hexdigest()) == (self.file.size, self.file.sha256):
            return
        raise IntegrityError(
            f"The server sent other bytes for {self.file.path} than were published ({self.size} bytes, SHA-256 "
            f"{self._digest.hexdigest()[:12]}…, instead of {self.file.size}, {self.file.sha256[:12]}…). Nothing was "
            "kept. Try again; if it goes on, tell whoever runs the server that its storage, or a proxy, is damaged."
        )
