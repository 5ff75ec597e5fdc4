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
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from registry import storage
from registry.errors import Invalid
from registry.incoming import begin_writing_back, full_disk_said_clearly
from registry.syncing import sync_together
from registry.tars import Member

WORTH_BEGINNING = 16 * 1024  # bytes of a file that the disk is told to begin with while others still come


class Pack:
    """The files of a pack by their digest, in the order they came. Discarded unless stored."""

    def __init__(self) -> None:
        self.sizes = dict[str, int]()
        with full_disk_said_clearly():
            settings.INCOMING_DIR.mkdir(parents=True, exist_ok=True)
            self.directory, self._descriptor = _held_directory()

    def add(self, member: Member) -> None:
        """Write a member's bytes; Invalid (digest_mismatch) when they are not those of its name."""
        hasher = hashlib.sha256()
        with full_disk_said_clearly():
            descriptor = os.open(self.path_of(member.digest), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
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
        self.sizes[member.digest] = member.size

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
