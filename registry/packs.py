"""Small files that came together: each hashed while it is written, all synced at once. Knows no row.

They stand in a directory of their own below the incoming one, which goes with them.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings

from registry import storage
from registry.errors import Invalid
from registry.incoming import begin_writing_back, full_disk_said_clearly
from registry.spreading import spread_directories
from registry.syncing import sync_together
from registry.tars import Member

SMALL = 2**20  # bytes of a file that is held in memory, and written aside
TOGETHER, MOST_TOGETHER = 2**20, 64  # bytes, or files, that one thread is given at a time
WRITERS, AHEAD = 2, 4  # threads, and how many times that waits for them: some 8 MiB a pack
WORTH_BEGINNING = 16 * 1024  # bytes of a file that the disk is told to begin with while others still come
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Pack:
    """The files of a pack by their digest, in the order they came. Discarded unless stored."""

    def __init__(self) -> None:
        self.sizes = dict[str, int]()
        with full_disk_said_clearly():
            settings.INCOMING_DIR.mkdir(parents=True, exist_ok=True)
            spread_directories(settings.INCOMING_DIR)
            self.directory, self._descriptor = _held_directory()

    def receive(self, members: Iterable[Member]) -> None:
        """Write the members; Invalid (digest_mismatch) when the bytes of one are not those of its name.

        Small ones are hashed and written aside, some together, while the next ones come.
        """
        with ThreadPoolExecutor(WRITERS) as aside:
            writing = deque[Future[None]]()
            try:
                for some in _together(members):
                    self.sizes |= {member.digest: member.size for member in some}
                    if some[0].size > SMALL:
                        self._write_all_of(some)
                        continue
                    writing.append(aside.submit(self._write_all_of, some))
                    if len(writing) > AHEAD:
                        writing[0].result()
                        writing.popleft()
            finally:  # of several errors, the one of the earlier member is told
                for done in writing:
                    done.result()

    def _write_all_of(self, members: Sequence[Member]) -> None:
        for member in members:
            self._write(member)

    def _write(self, member: Member) -> None:
        hasher = hashlib.sha256()
        with full_disk_said_clearly():
            descriptor = os.open(member.digest, NEW, dir_fd=self._descriptor)
            try:
                os.fchmod(descriptor, 0o444)  # whatever the umask
                for piece in member.pieces:
                    hasher.update(piece)
                    _write_all(descriptor, piece)
                if member.size >= WORTH_BEGINNING:
                    begin_writing_back(descriptor, 0, member.size)
            finally:
                os.close(descriptor)
        if not hmac.compare_digest(hasher.hexdigest(), member.digest):
            raise Invalid(
                "digest_mismatch",
                f"The bytes of {member.digest} in this pack have the SHA-256 {hasher.hexdigest()}. The file changed or was"
                " damaged on the way: hash it and send the pack again.",
                fields={"members": [member.digest]},
            )

    def path_of(self, digest: str) -> Path:
        return self.directory / digest

    def store(self, digests: Collection[str]) -> None:
        """Sync these files together and give them their keys. They stay here too until they are discarded."""
        paths = {digest: self.path_of(digest) for digest in digests}
        with full_disk_said_clearly():
            sync_together(paths.values(), self._descriptor)
            storage.take_all(paths)

    def file(self, digest: str) -> PackedFile:
        return PackedFile(self, digest, self.sizes[digest])

    def discard(self) -> None:
        """Forget the bytes here; what has been stored stays under its key."""
        shutil.rmtree(self.directory, ignore_errors=True)
        os.close(self._descriptor)

    def __enter__(self) -> Pack:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


@dataclass(frozen=True, slots=True)
class PackedFile:
    """One file of a pack, stored by itself."""

    pack: Pack
    sha256: str
    size: int

    def store(self) -> str:
        self.pack.store([self.sha256])
        return self.sha256


def _together(members: Iterable[Member]) -> Iterator[list[Member]]:
    """Yield small members some at a time, their bytes held; a large one alone, to be read before one asks for more."""
    held, size = list[Member](), 0
    try:
        for member in members:
            if member.size > SMALL:
                yield [member]
                continue
            held.append(replace(member, pieces=iter([memoryview(b"".join(member.pieces))])))
            size += member.size
            if size >= TOGETHER or len(held) == MOST_TOGETHER:
                yield held
                held, size = [], 0
    except Invalid:
        if held:
            yield held
        raise
    if held:
        yield held


def _held_directory() -> tuple[Path, int]:
    """Make a directory of which whoever cleans up sees that somebody writes it; another, where that one was quicker."""
    while True:
        directory = Path(tempfile.mkdtemp(dir=settings.INCOMING_DIR, suffix=".part"))
        with suppress(FileNotFoundError):
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if directory.exists():
                return directory, descriptor
            os.close(descriptor)


def _write_all(descriptor: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(descriptor, piece) :]
