"""Files on their way: they grow in the incoming directory, are hashed and counted, and get their key when they are whole.

Nothing here knows a row. What is in the incoming directory is on the disk of this machine, whatever the store is.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

from registry import storage
from registry.errors import Invalid, StorageFull, TooLarge
from registry.storage import OUT_OF_SPACE

CHUNKS_AHEAD = 1  # received and written, and still to be hashed
WRITE_BACK = 16 * 2**20  # bytes after which the disk is told to begin


class Incoming:
    """A file that grows in the incoming directory while its bytes are hashed and counted. Discarded unless stored.

    Raises TooLarge at the first byte over `limit`, StorageFull when the disk is full.
    """

    def __init__(self, *, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._written_back = 0
        self._hasher = hashlib.sha256()
        with full_disk_said_clearly():
            settings.INCOMING_DIR.mkdir(parents=True, exist_ok=True)
            descriptor, self.path = self._open_held()
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def _open_held(self) -> tuple[int, Path]:
        """Open the file so that whoever cleans up sees that somebody writes it; anew, where that one was quicker."""
        while True:
            descriptor, path = self._open()
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if path.exists():
                return descriptor, path
            os.close(descriptor)

    def _open(self) -> tuple[int, Path]:
        descriptor, name = tempfile.mkstemp(dir=settings.INCOMING_DIR, suffix=".part")
        return descriptor, Path(name)

    @property
    def sha256(self) -> str:
        return self._hasher.hexdigest()

    def write(self, chunk: bytes) -> None:
        self._append(chunk)
        self._hasher.update(chunk)

    def write_all(self, chunks: Iterable[bytes]) -> None:
        """Write a stream. Hashing one chunk, receiving the next and writing back the ones before overlap."""
        with ThreadPoolExecutor(1) as aside:
            hashing: deque[Future[None]] = deque()
            for chunk in chunks:
                self._append(chunk)
                hashing.append(aside.submit(self._hasher.update, chunk))
                if len(hashing) > CHUNKS_AHEAD:
                    hashing.popleft().result()
            for done in hashing:
                done.result()

    def _append(self, chunk: bytes) -> None:
        if self.size + len(chunk) > self.limit:
            raise TooLarge(
                "too_large", f"More than the {self.limit:,} bytes that were announced or are allowed came in."
            )
        with full_disk_said_clearly():
            written = 0
            while written < len(chunk):
                written += self._file.write(memoryview(chunk)[written:])
        self.size += len(chunk)
        if self.size - self._written_back >= WRITE_BACK:
            begin_writing_back(self._file.fileno(), self._written_back, self.size)
            self._written_back = self.size

    def check(self, *, sha256: str | None = None, size: int | None = None) -> None:
        """Refuse bytes that are not the announced ones."""
        if size is not None and size != self.size:
            raise Invalid(
                "size_mismatch", f"{size:,} bytes were announced and {self.size:,} came. Send the file again, whole."
            )
        if sha256 and not hmac.compare_digest(sha256, self.sha256):
            raise Invalid(
                "digest_mismatch",
                f"The bytes that came have the SHA-256 {self.sha256}, not {sha256}. The file changed or was damaged on"
                " the way: hash it and send it again.",
            )

    def store(self) -> str:
        """Sync the bytes and give them their key; return their SHA-256. What stood there before is replaced.

        They stay here too until they are discarded: whoever finds them taken away from their key stores them again. The
        file stays open as long: without its lock it could be cleaned up before it has its key.
        """
        with full_disk_said_clearly():
            os.fsync(self._file.fileno())
            storage.take(self.path, self.sha256)
        return self.sha256

    def discard(self) -> None:
        """Forget the bytes here; what has been stored stays under its key."""
        self.path.unlink(missing_ok=True)
        self._file.close()

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def begin_writing_back(descriptor: int, start: int, stop: int) -> None:
    """Let the kernel begin with what is dirty there now, so that the sync at the end finds little left to do."""
    if hasattr(os, "posix_fadvise"):  # on Linux this advice starts the write-back, and waits for nothing
        os.posix_fadvise(descriptor, start, stop - start, os.POSIX_FADV_DONTNEED)


def abandoned(before: float) -> Iterator[Path]:
    """Yield incoming files, and directories of packs, that were last written before then (seconds) and that nobody writes.

    Nobody begins to before the next one is asked for. By a clock that was set forward all of them are old.
    """
    if not settings.INCOMING_DIR.is_dir():
        return
    for path in sorted(settings.INCOMING_DIR.glob("*.part*")):
        with suppress(OSError):  # gone meanwhile, or somebody writes it
            if path.stat().st_mtime < before:
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if path.exists():
                        yield path
                finally:
                    os.close(descriptor)


def forget_abandoned(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def bytes_of(path: Path) -> int:
    """Return how many bytes an incoming file has, or the files of a pack together."""
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def free_bytes() -> int:
    """How many bytes fit where they arrive."""
    settings.INCOMING_DIR.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(settings.INCOMING_DIR).free


@contextmanager
def full_disk_said_clearly() -> Iterator[None]:
    """Turn the operating system's words for a full disk into ours."""
    try:
        yield
    except OSError as error:
        if error.errno not in OUT_OF_SPACE:
            raise
        raise StorageFull(
            "storage_full", "The server's disk is full, and nothing of this was kept. Ask its administrator for space."
        ) from error
