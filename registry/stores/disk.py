"""The store on a disk: a file for each blob. Bytes and names survive a pulled plug before anybody is told of them."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.core.files.storage import FileSystemStorage

from registry.stores.contract import OUT_OF_SPACE, Stored, key_of
from registry.syncing import sync_together


class Disk:
    """Blobs as read-only files `ab/cdef…` in one directory, on the file system of the incoming files."""

    def __init__(self, storage: FileSystemStorage) -> None:
        self.root = Path(storage.location)

    def path_of(self, digest: str) -> Path:
        return self.root / key_of(digest)

    def take(self, source: Path, digest: str) -> None:
        target = self.path_of(digest)
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
            root, directories = str(self.root), {str(self.root)}
            for digest, source in sources.items():
                target = f"{root}/{key_of(digest)}"
                directories.add(os.path.dirname(target))
                try:
                    _link(source, target)
                except FileNotFoundError:
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    _link(source, target)
            sync_together(directories, descriptor)
        finally:
            os.close(descriptor)
        sync_directory(self.root.parent)

    def all_exist(self, digests: Collection[str]) -> bool:
        root = str(self.root)
        return all(os.path.isfile(f"{root}/{key_of(digest)}") for digest in digests)

    def open(self, digest: str, *, start: int = 0, length: int | None = None) -> BinaryIO:
        file = self.path_of(digest).open("rb", buffering=0)
        file.seek(start)
        return file  # type: ignore[return-value]

    open_ranges = open

    def delete(self, digest: str) -> None:
        self.path_of(digest).unlink(missing_ok=True)

    def exists(self, digest: str) -> bool:
        return self.path_of(digest).is_file()

    def set_aside(self, digest: str) -> None:
        shelf = settings.LMVP_DATA_DIR / "quarantine"
        shelf.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.move(self.path_of(digest), shelf / digest)
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


def _link(source: Path, target: str | Path) -> None:
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


def sync_directory(path: Path) -> None:
    """Let the names in a directory survive a pulled plug."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
