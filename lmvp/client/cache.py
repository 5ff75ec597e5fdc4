"""Downloaded bytes kept by digest, and snapshots: directories of read-only links to them. Trusts no file unread.

<LMVP_CACHE>/blobs/<sha256>
<LMVP_CACHE>/snapshots/<project>/<model>/<version digest>/…
<LMVP_CACHE>/incoming/<sha256>.part     bytes that are not all here yet
<LMVP_CACHE>/locks/…                    one process at a time fetches a large file, or fills or removes a snapshot
<LMVP_CACHE>/versions/  refs/           what records.py knows of them

A blob gets its name when it is whole, so nobody sees half of one; who removes it takes no bytes from a snapshot that links to it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from lmvp.client import files, locks, windows_names

READ_ONLY = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class Cache:
    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or _default_root()).absolute()

    def blob(self, sha256: str) -> Path:
        return self.root / "blobs" / sha256

    def part(self, sha256: str) -> Path:
        """Return where the bytes of a blob gather until they are all here."""
        return self.root / "incoming" / f"{sha256}.part"

    def locked(self, digest: str, *, meanwhile: Callable[[], object] = lambda: None) -> AbstractContextManager[None]:
        """Hold what has this digest, a blob or a version, against other threads and processes."""
        return locks.held(self.lock(digest), meanwhile=meanwhile)

    def lock(self, digest: str) -> Path:
        return self.root / "locks" / digest

    def verified(self, sha256: str, size: int, meter: files.Meter = lambda _: None) -> Path | None:
        """Return the blob when it is there and still is what its name says; a damaged one is thrown away."""
        blob = self.blob(sha256)
        if files.matches(blob, sha256, size, meter):
            return blob
        if blob.exists():
            remove(blob)
        return None

    def take(self, sha256: str, whole: Path) -> None:
        """Let a file that is whole and checked become the blob."""
        blob = self.blob(sha256)
        with files.writing(blob):
            blob.parent.mkdir(parents=True, exist_ok=True)
            whole.chmod(READ_ONLY)
            whole.replace(blob)

    def snapshot(self, project: str, model: str, digest: str) -> Path:
        # No name of a project or model begins with “_”: one that is a device on Windows stands there beside it.
        names = [f"_{name}" if windows_names.is_device(name) else name for name in (project, model)]
        return files.inside(self.root / "snapshots", "/".join([*names, digest]))

    def link(self, sha256: str, target: Path) -> None:
        """Make the target the blob's content: a hard link, or a read-only copy where there are none.

        FileNotFoundError when the blob has been removed.
        """
        blob = self.blob(sha256)
        try:
            os.link(blob, target)
        except OSError:  # something is there already, no directory yet, no links on this disk, too many of them …
            if not (target.exists() and target.samefile(blob)):
                self._replace(blob, target)

    def _replace(self, blob: Path, target: Path) -> None:
        blob.stat()
        with files.replacing(target) as draft:
            try:
                os.link(blob, draft)
            except OSError:
                shutil.copyfile(blob, draft)
                draft.chmod(READ_ONLY)
            if target.exists():
                remove(target)


def remove(file: Path) -> None:
    """Remove a file, if it is still there."""
    if sys.platform == "win32":
        with contextlib.suppress(FileNotFoundError):
            file.chmod(stat.S_IWRITE)  # Windows keeps read-only files
    file.unlink(missing_ok=True)


def _default_root() -> Path:
    if os.environ.get("LMVP_CACHE"):
        return Path(os.environ["LMVP_CACHE"]).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "lmvp" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lmvp"
