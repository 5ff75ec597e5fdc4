"""What the cache holds, what of it may go, and whether it is whole. Safe while others download."""

from __future__ import annotations

import shutil
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from lmvp.client import files, locks
from lmvp.client.cache import Cache, remove
from lmvp.client.crew import Crew
from lmvp.client.progress import Shown, bytes_bar
from lmvp.client.records import Record, Records

LEFT_BEHIND = (
    24 * 3600.0
)  # seconds after which bytes that no version needs are nobody's: a download may still be at work
CHECKING_THREADS = 4


@dataclass(frozen=True)
class CachedVersion:
    """A version in the cache. `size`: bytes of its different files; `path`: its read-only snapshot, if there is one."""

    project: str
    model: str
    number: int
    digest: str
    files_count: int
    size: int
    used_at: datetime
    path: Path | None

    def __str__(self) -> str:
        return f"{self.project}/{self.model} v{self.number} ({self.digest[:12]})"


@dataclass
class Pruned:
    """What was taken out of the cache, or would be: versions, and how many files and bytes of the disk."""

    versions: list[CachedVersion] = field(default_factory=list)
    files: int = 0
    size: int = 0


@dataclass
class Verified:
    """What a check of the cache read, and the digests that were damaged; those are gone and will be fetched again."""

    files: int = 0
    size: int = 0
    damaged: list[str] = field(default_factory=list)


def cached_versions(cache: Cache) -> list[CachedVersion]:
    """Return the versions in the cache, the one that was used last first."""
    found = _newest_first(_cached(cache, record) for record in Records(cache.root).all())
    return [version for version in found if version.path]


def _cached(cache: Cache, record: Record) -> CachedVersion:
    version = record.version
    snapshot = cache.snapshot(version.project, version.model, version.digest)
    return CachedVersion(
        version.project,
        version.model,
        version.number,
        version.digest,
        len(record.files),
        record.size,
        datetime.fromtimestamp(record.used_at, timezone.utc),
        snapshot if snapshot.is_dir() else None,
    )


class Pruning:
    """Takes out of the cache what is not wanted any more. A version that is being downloaded is left alone.

    `pretend`: only says what would go.
    """

    def __init__(self, cache: Cache, *, pretend: bool) -> None:
        self._cache = cache
        self._records = Records(cache.root)
        self._pretend = pretend
        self._kept = {record.digest: record for record in self._records.all()}
        self._went: set[str] = set()  # digests of files
        self.pruned = Pruned()

    def unused_since(self, moment: datetime) -> None:
        """Take out the versions that were not used since then."""
        for version in self._versions():
            if version.used_at < moment:
                self._take_out(version)

    def down_to(self, most: int) -> None:
        """Take out the versions that were used longest ago, until the rest has at most so many bytes."""
        for version in reversed(self._versions()):
            needed = {file.sha256: file.size for record in self._kept.values() for file in record.files}
            if sum(needed.values()) <= most:
                return
            self._take_out(version)

    def sweep(self) -> None:
        """Take away the bytes that no version needs: at once those of versions that went, others when they are old."""
        needed = {file.sha256 for record in self._kept.values() for file in record.files}
        before = time.time() - LEFT_BEHIND
        for file in _files(self._cache.root / "blobs"):
            if file.name not in needed and (file.name in self._went or _modified(file) < before):
                self._sweep_away(file)
        for part in [*_files(self._cache.root / "incoming"), *_drafts(self._cache.root)]:
            if _modified(part) < before:
                self._sweep_away(part)
        if not self._pretend:
            self._records.forget_lost_refs()

    def _versions(self) -> list[CachedVersion]:
        return _newest_first(_cached(self._cache, record) for record in self._kept.values())

    def _take_out(self, version: CachedVersion) -> None:
        with locks.held_if_free(self._cache.lock(version.digest)) as free:
            if not free:
                return
            self._went |= {file.sha256 for file in self._kept.pop(version.digest).files}
            if version.path:
                self.pruned.versions.append(version)
            if not self._pretend:
                self._records.forget(version.digest)
                _remove_directory(version.path)

    def _sweep_away(self, file: Path) -> None:
        self.pruned.files += 1
        self.pruned.size += _size(file)
        if not self._pretend:
            with files.writing(file):
                remove(file)


def verify(cache: Cache, *, progress: Shown) -> Verified:
    """Read everything in the cache again; what is damaged is taken away, and fetched again when it is wanted."""
    blobs = [file for file in _files(cache.root / "blobs") if not file.name.startswith(files.DRAFT)]
    verified = Verified(len(blobs), sum(_size(file) for file in blobs))
    with bytes_bar("verifying", verified.size, progress, files=len(blobs)) as bar, Crew(CHECKING_THREADS) as crew:

        def count(size: int) -> None:
            crew.check()
            bar(size)

        def check(blob: Path) -> None:
            if cache.verified(blob.name, _size(blob), count) is None:
                verified.damaged.append(blob.name)
            bar.finish()

        crew.each(check, blobs)
    verified.damaged.sort()
    return verified


def _newest_first(versions: Iterable[CachedVersion]) -> list[CachedVersion]:
    return sorted(versions, key=lambda version: version.used_at, reverse=True)


def _remove_directory(snapshot: Path | None) -> None:
    if snapshot is None:
        return
    with files.writing(snapshot):
        if sys.platform == "win32":
            for file in snapshot.rglob("*"):
                file.chmod(stat.S_IWRITE)
        shutil.rmtree(snapshot)
        for parent in (snapshot.parent, snapshot.parent.parent):
            if not any(parent.iterdir()):
                parent.rmdir()


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.glob("*") if path.is_file())


def _drafts(root: Path) -> Iterator[Path]:
    """Yield what killed processes left behind beside the files that they were writing."""
    return (path for path in root.rglob(f"{files.DRAFT}*") if path.parent != root / "blobs")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # another process prunes as well
        return 0


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return time.time()
