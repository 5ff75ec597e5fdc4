"""A version's files on their way to this machine: what is here already, and how the rest is fetched."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lmvp.client import files, packs
from lmvp.client.arriving import LARGE, Arriving, Part, Source
from lmvp.client.cache import READ_ONLY, Cache
from lmvp.client.crew import Crew
from lmvp.client.errors import IntegrityError, LMVPError, LocalFileError, NotFound, ValidationFailed
from lmvp.client.files import CHUNK, Meter
from lmvp.client.http import Session
from lmvp.client.patience import may_pass
from lmvp.client.progress import Bar, Shown, bytes_bar
from lmvp.client.remote import RemoteFile

FETCHING_THREADS = 4
LINKINGS = 3  # a file that is pruned between its fetching and its linking is fetched again


class Place(Protocol):
    """Where fetched files go."""

    def may_have(self, file: RemoteFile) -> bool:
        """Whether it is worth to read what stands there."""

    def has(self, file: RemoteFile, meter: Meter) -> bool:
        """Whether the bytes stand there already, or could be copied there from the cache; the meter counts them."""

    def take(self, file: RemoteFile, whole: Path) -> None:
        """Take a file that is whole and checked; it is not where it was any more."""

    def write(self, file: RemoteFile, content: bytes) -> None:
        """Take a small file's bytes, which are checked."""


@dataclass(frozen=True)
class Fetching:
    """One download: what is wanted of which version, and where bytes may be known already."""

    session: Session
    version_path: str
    wanted: Sequence[RemoteFile]
    cache: Cache
    progress: Shown = None

    def into_cache(self, snapshot: Path) -> None:
        """Make the snapshot hold the wanted files, as read-only links into the cache."""
        inside = files.Inside(snapshot)
        targets = [(inside.place(file.path), file) for file in self.wanted]
        with self.cache.locked(snapshot.name):
            missing = list(self.wanted)
            for _ in range(LINKINGS):
                self._bring(missing, _CachePlace(self.cache))
                missing = [file for target, file in targets if not self._linked(file, target)]
                if not missing:
                    return
        raise LocalFileError(
            f"{self.cache.root} is emptied while it is filled. Let `lmvp cache prune` end, and try again."
        )

    def _linked(self, file: RemoteFile, target: Path) -> bool:
        try:
            self.cache.link(file.sha256, target)
        except FileNotFoundError:
            return False
        return True

    def into_directory(self, directory: Path) -> None:
        """Make the directory hold the wanted files, writable; other files in it stay as they are."""
        targets: dict[str, list[Path]] = {}
        inside = files.Inside(directory)
        for file in self.wanted:
            target = inside.place(file.path)
            if target.is_dir():
                raise LocalFileError(f"{target} is a directory, and a file of the model. Download to another path.")
            targets.setdefault(file.sha256, []).append(target)
        self._bring(self.wanted, _DirectoryPlace(self.cache, targets))

    def _bring(self, wanted: Iterable[RemoteFile], place: Place) -> None:
        unique = list({file.sha256: file for file in wanted}.values())
        total = sum(file.size for file in unique)
        with (
            bytes_bar("fetching", total, self.progress, files=len(unique)) as bar,
            Crew(FETCHING_THREADS) as crew,
        ):
            _Work(self, place, bar, crew).do(unique)


class _Work:
    """The fetching of several files with a few threads: small ones in packs, large ones one by one from all threads."""

    def __init__(self, fetching: Fetching, place: Place, bar: Bar, crew: Crew) -> None:
        self._session = fetching.session
        self._path = fetching.version_path
        self._cache = fetching.cache
        self._place = place
        self._bar = bar
        self._crew = crew
        self._source = Source(fetching.session, fetching.version_path, crew, self._count)
        self._missing: list[RemoteFile] = []
        self._alone: list[RemoteFile] = []

    def do(self, unique: Sequence[RemoteFile]) -> None:
        known = [file for file in unique if self._place.may_have(file)]
        self._crew.each(self._look, known)
        self._missing += set(unique).difference(known)
        missing = sorted(self._missing, key=lambda file: (file.path, file.sha256))
        self._require_room(sum(file.size for file in missing))
        small = [file for file in missing if file.size < packs.PACKED]
        self._alone += [file for file in missing if packs.PACKED <= file.size < LARGE]
        if len(small) > 1:
            self._crew.each(self._fetch_pack, packs.packs_of(small))
        else:
            self._alone += small
        self._crew.each(self._fetch, self._alone)
        for file in missing:
            if file.size >= LARGE:
                self._fetch(file, together=True)

    def _count(self, size: int) -> None:
        self._crew.check()
        self._bar(size)

    def _look(self, file: RemoteFile) -> None:
        if self._place.has(file, self._count):
            self._bar.finish()
        else:
            self._missing.append(file)

    def _require_room(self, size: int) -> None:
        with files.writing(self._cache.root):
            self._cache.root.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self._cache.root).free
        if free < size:
            raise LocalFileError(
                f"{self._cache.root} has room for {free:,} bytes, and {size:,} are to come. Free some (`lmvp cache "
                "prune`), or set LMVP_CACHE to a directory on another disk."
            )

    # --- One by one

    def _fetch(self, file: RemoteFile, *, together: bool = False) -> None:
        with self._cache.locked(file.sha256, meanwhile=self._crew.check):
            if not self._place.has(file, self._count):  # another process may have brought it while this one waited
                part = self._arrived(file, together)
                self._place.take(file, part.path)
                part.forget()
        self._bar.finish()

    def _arrived(self, file: RemoteFile, together: bool) -> Part:
        """Return the file's bytes, whole and checked. What is wrong is fetched once more from its beginning."""
        for is_last in (False, True):
            part = Part(self._cache.part(file.sha256), file.size)
            arriving = Arriving(self._source, file, part)
            try:
                arriving.fetch_together() if together else arriving.fetch()
            except IntegrityError:
                part.forget()
                if is_last:
                    raise
                arriving.withdraw()
            else:
                return part
        raise AssertionError  # the last attempt returns or raises

    # --- Together

    def _fetch_pack(self, pack: Sequence[RemoteFile]) -> None:
        """Fetch small files in one stream; those that do not come so are left to be fetched one by one."""
        left = {file.path: file for file in pack}
        patience = self._source.patience()
        while left:
            before = len(left)
            try:
                self._unpack(left)
                break
            except (NotFound, ValidationFailed):
                break
            except LMVPError as error:
                if not may_pass(error):
                    raise
                if len(left) < before:
                    patience.renew()
                patience.wait(error)
        self._alone += left.values()

    def _unpack(self, left: dict[str, RemoteFile]) -> None:
        from lmvp.client.transport import pieces

        sizes = {path: file.size for path, file in left.items()}
        with self._session.stream_answer(f"{self._path}pack/", {"paths": list(left)}) as response:
            for path, content in packs.members(pieces(response, CHUNK), sizes):
                file = left.get(path)
                if file and hashlib.sha256(content).hexdigest() == file.sha256:
                    self._count(file.size)
                    self._place.write(file, content)
                    self._bar.finish()
                    del left[path]


class _CachePlace:
    """The cache: each content once, read-only."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def may_have(self, file: RemoteFile) -> bool:
        return self._cache.blob(file.sha256).exists()

    def has(self, file: RemoteFile, meter: Meter) -> bool:
        return self._cache.verified(file.sha256, file.size, meter) is not None

    def take(self, file: RemoteFile, whole: Path) -> None:
        self._cache.take(file.sha256, whole)

    def write(self, file: RemoteFile, content: bytes) -> None:
        files.write(self._cache.blob(file.sha256), content, mode=READ_ONLY)


class _DirectoryPlace:
    """A directory of the caller's own: files of the same content are copies of each other."""

    def __init__(self, cache: Cache, targets: dict[str, list[Path]]) -> None:
        self._cache = cache
        self._targets = targets

    def may_have(self, file: RemoteFile) -> bool:
        return self._targets[file.sha256][0].exists() or self._cache.blob(file.sha256).exists()

    def has(self, file: RemoteFile, meter: Meter) -> bool:
        first, *more = self._targets[file.sha256]
        if not files.matches(first, file.sha256, file.size, meter):
            blob = self._cache.verified(file.sha256, file.size, meter)
            if blob is None:
                return False
            _copy(blob, first)
        for target in more:
            if not files.matches(target, file.sha256, file.size):
                _copy(first, target)
        return True

    def take(self, file: RemoteFile, whole: Path) -> None:
        first, *more = self._targets[file.sha256]
        with files.replacing(first) as draft:
            try:
                whole.replace(draft)
            except OSError:  # another disk
                shutil.copyfile(whole, draft)
        for target in more:
            _copy(first, target)

    def write(self, file: RemoteFile, content: bytes) -> None:
        for target in self._targets[file.sha256]:
            files.write(target, content)


def _copy(source: Path, target: Path) -> None:
    with files.replacing(target) as draft:
        shutil.copyfile(source, draft)
