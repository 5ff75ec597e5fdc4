"""Downloaded bytes kept by digest, and snapshots: directories of read-only links to them. Trusts no file unread.

<LMVP_CACHE>/blobs/<sha256>
<LMVP_CACHE>/snapshots/<project>/<model>/<version digest>/…
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

from lmvp.client import files

READ_ONLY = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class Cache:
    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or _default_root()).absolute()

    def blob(self, sha256: str) -> Path:
        return self.root / "blobs" / sha256

    def verified(self, sha256: str, size: int) -> Path | None:
        """Return the blob when it is there and still is what its name says; a damaged one is thrown away."""
        blob = self.blob(sha256)
        if files.matches(blob, sha256, size):
            return blob
        if blob.exists():
            remove(blob)
        return None

    def snapshot(self, project: str, model: str, digest: str) -> Path:
        return files.inside(self.root / "snapshots", f"{project}/{model}/{digest}")

    def link(self, sha256: str, target: Path) -> None:
        """Make the target the blob's content: a hard link, or a read-only copy where there are none."""
        blob = self.blob(sha256)
        if target.exists() and target.samefile(blob):
            return
        with files.replacing(target) as draft:
            try:
                os.link(blob, draft)
            except OSError:
                shutil.copyfile(blob, draft)
                draft.chmod(READ_ONLY)
            if target.exists():
                remove(target)


def remove(file: Path) -> None:
    if sys.platform == "win32":
        file.chmod(stat.S_IWRITE)  # Windows keeps read-only files
    file.unlink()


def _default_root() -> Path:
    if os.environ.get("LMVP_CACHE"):
        return Path(os.environ["LMVP_CACHE"]).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "lmvp" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lmvp"
