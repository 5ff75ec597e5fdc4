"""Whole versions as files under LMVP_ACTIVE_ROOT, for processes that serve them. Knows no row and no right.

    <project>/<model>/<alias>                       a symlink to …
    .versions/<key>/<sequence>-v<number>-<digest>/  … all files of one version, read-only
    .versions/<key>/.doubt                          there while damaged bytes may be among the files
    .locks/<key>                                    locked by whoever changes what belongs to the key

A directory gets its name when it is whole and synced, and loses it before it is removed: a crash at any line leaves the
old version or the new one behind the link, and drafts that the next call sweeps away. Links are relative.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from django.conf import settings

from registry import storage, trees
from registry.digests import chunks_of, digest_stream

logger = logging.getLogger("lmvp.activation")

FICLONE = 0x40049409  # linux/fs.h: the blocks of another file, shared until one of the two is written
NO_SHARING = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.ENOTTY, errno.EINVAL})
NO_SHARING |= {errno.EOPNOTSUPP, errno.ENOTSUP}
DRAFT, LINK, GONE, DOUBT = ".draft", ".link", ".gone-", ".doubt"
KEY = re.compile(r"([0-9]+)-(.+)")
WHOLE = re.compile(r"([0-9]{6,})-v([0-9]+)-([0-9a-f]{64})")
TRIES = 10  # that somebody else tidies an empty directory away just before a link is put into it


@dataclass(frozen=True, slots=True)
class Key:
    """Whose files they are: an alias of a model. It stays when project or model get another name."""

    model_id: int
    alias: str

    def __str__(self) -> str:
        return f"{self.model_id}-{self.alias}"

    @property
    def home(self) -> Path:
        return settings.LMVP_ACTIVE_ROOT / ".versions" / str(self)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be served: at `<project>/<model>/<alias>`, the files of a version. They are asked for when needed."""

    address: str
    number: int
    digest: str
    files: Callable[[], Iterable[trees.Place]]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is served now, since when."""

    number: int
    digest: str
    since: datetime


def standing(address: str) -> Standing | None:
    """Return what is served at `<project>/<model>/<alias>`, as the disk tells it."""
    link = settings.LMVP_ACTIVE_ROOT / address
    try:
        found = WHOLE.fullmatch(Path(os.readlink(link)).name)
        since = link.lstat().st_mtime
    except OSError:
        return None
    if not found or not link.is_dir():
        return None
    return Standing(int(found[2]), found[3], datetime.fromtimestamp(since, timezone.utc))


def known_keys() -> set[Key]:
    """Return all keys that something on the disk belongs to."""
    names = {path.name for path in _entries(settings.LMVP_ACTIVE_ROOT / ".versions")}
    names |= {_home_of(link) for link in _links()}
    return {Key(int(found[1]), found[2]) for name in names if (found := KEY.fullmatch(name))}


@contextmanager
def held(key: Key) -> Iterator[None]:
    """Wait for the key's lock and hold it; it ends with the process at the latest."""
    place = settings.LMVP_ACTIVE_ROOT / ".locks"
    _make_directory(place)
    with (place / str(key)).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def doubt(key: Key) -> None:
    """Have the files of this key read before they are relied on again: they may share bytes that turned out damaged.

    It lasts until `show` has succeeded, whatever happens in between. The caller holds the lock.
    """
    if key.home.is_dir():
        (key.home / DOUBT).touch()
        _sync(key.home)


def show(key: Key, wanted: Wanted | None) -> None:
    """Serve what is wanted under this key, and nothing else. The caller holds the lock.

    What was served until now is kept until the next switch, for processes that have followed the link already and
    open their files one after the other; unless it is in doubt.
    """
    in_doubt = (key.home / DOUBT).exists()
    for path in _entries(key.home):
        if path.name in (DRAFT, LINK) or path.name.startswith(GONE):
            _remove(path)
    before = _served(key, wanted)
    if wanted is None:
        _keep(key, links=set(), directories=set())
        return
    whole = before if before and _is(before, wanted) else _find(key, wanted)
    if whole is None or (in_doubt and not _is_sound(whole, wanted)):
        whole = _build(key, wanted)
    if before != whole or not _points_to(wanted.address, whole):
        _switch(key, wanted.address, whole)
    previous = before if before != whole else max(_whole(key) - {whole}, default=None)
    kept = {whole, None if in_doubt else previous}
    _keep(key, links={settings.LMVP_ACTIVE_ROOT / wanted.address}, directories=kept)


# --- What is there


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _links() -> Iterator[Path]:
    """Every symlink <project>/<model>/<alias> that leads into .versions."""
    for project in _entries(settings.LMVP_ACTIVE_ROOT):
        if project.name.startswith(".") or project.is_symlink():
            continue
        for model in _entries(project):
            yield from (link for link in _entries(model) if _home_of(link))


def _home_of(link: Path) -> str:
    """Return the name of the key that a link belongs to; "" for what is no link of ours."""
    try:
        parts = Path(os.readlink(link)).parts
    except OSError:
        return ""
    return parts[-2] if len(parts) >= 3 and parts[-3] == ".versions" else ""


def _whole(key: Key) -> set[Path]:
    return {path for path in _entries(key.home) if WHOLE.fullmatch(path.name)}


def _is(whole: Path, wanted: Wanted) -> bool:
    return whole.name.endswith(f"-v{wanted.number}-{wanted.digest}")


def _find(key: Key, wanted: Wanted) -> Path | None:
    """Return a directory that holds the version already: the previous one, or one that a crash left unlinked."""
    return max((whole for whole in _whole(key) if _is(whole, wanted)), default=None)


def _is_sound(whole: Path, wanted: Wanted) -> bool:
    """Read all files of a directory: whether each is there with the bytes that it shall have."""
    for place in wanted.files():
        try:
            with (whole / trees.clean_path(place.path)).open("rb", buffering=0) as file:
                found, _ = digest_stream(chunks_of(file))
        except OSError:
            found = ""
        if found != place.entry.digest:
            logger.error("%s holds damaged bytes: %s. It is made anew as soon as the store has them", whole, place.path)
            return False
    return True


def _served(key: Key, wanted: Wanted | None) -> Path | None:
    """Return the directory that is linked now, at the wanted address or at a former one."""
    links = [link for link in _links() if _home_of(link) == str(key)]
    links.sort(key=lambda link: wanted is not None and link == settings.LMVP_ACTIVE_ROOT / wanted.address)
    served = [key.home / Path(os.readlink(link)).name for link in links]
    return next((whole for whole in reversed(served) if whole in _whole(key)), None)


def _points_to(address: str, whole: Path) -> bool:
    link = settings.LMVP_ACTIVE_ROOT / address
    try:
        return os.readlink(link) == os.path.relpath(whole, link.parent)
    except OSError:
        return False


# --- Building


def _build(key: Key, wanted: Wanted) -> Path:
    """Write all files of the version into a draft, sync it, and give it its name."""
    draft = key.home / DRAFT
    _make_directory(draft)
    try:
        _fill(draft, wanted.files())
        sequence = 1 + max((int(path.name.partition("-")[0]) for path in _whole(key)), default=0)
        whole = key.home / f"{sequence:06d}-v{wanted.number}-{wanted.digest}"
        draft.rename(whole)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)  # a full disk gets its space back at once
        raise
    for directory in (key.home, key.home.parent, settings.LMVP_ACTIVE_ROOT):
        _sync(directory)
    return whole


def _fill(draft: Path, files: Iterable[trees.Place]) -> None:
    directories, sharing = {draft}, _Sharing()
    for place in files:
        target = draft / trees.clean_path(place.path)
        missing = [above for above in target.parents if above.is_relative_to(draft) and above not in directories]
        for directory in reversed(missing):
            directory.mkdir()
            directory.chmod(0o755)  # whatever the umask
            directories.add(directory)
        sharing.put(place.entry.digest, target, executable=place.entry.mode == trees.EXECUTABLE)
    for directory in directories:
        _sync(directory)


class _Sharing:
    """Puts bytes into files in the cheapest way that this disk knows; what failed once is not tried again."""

    def __init__(self) -> None:
        self.ways: list[Callable[[Path, Path], None]] = [_clone, os.link]

    def put(self, digest: str, target: Path, *, executable: bool) -> None:
        source = storage.path_of(digest)
        for way in tuple(self.ways):
            if source is None:
                break
            if way is os.link and executable:
                continue  # the mode belongs to the file, and that one is the blob's
            try:
                way(source, target)
            except OSError as error:
                if error.errno not in NO_SHARING:
                    raise
                target.unlink(missing_ok=True)
                self.ways.remove(way)
                continue
            if way is _clone:
                _finish(target, executable)
            return
        _copy(digest, target)
        _finish(target, executable)


def _clone(source: Path, target: Path) -> None:
    with source.open("rb") as bytes_of, target.open("xb") as file:
        fcntl.ioctl(file.fileno(), FICLONE, bytes_of.fileno())


def _copy(digest: str, target: Path) -> None:
    hasher = hashlib.sha256()
    with target.open("xb", buffering=0) as file:
        for chunk in storage.read_blob(digest):
            hasher.update(chunk)
            written = 0
            while written < len(chunk):
                written += file.write(memoryview(chunk)[written:])
    if hasher.hexdigest() != digest:
        raise OSError(errno.EIO, f"the store gave back other bytes for {digest}")


def _finish(target: Path, executable: bool) -> None:
    target.chmod(0o555 if executable else 0o444)
    _sync(target)


# --- Switching and tidying


def _switch(key: Key, address: str, whole: Path) -> None:
    """Put a link to the directory in the place of the one that is there: one rename."""
    link, draft = settings.LMVP_ACTIVE_ROOT / address, key.home / LINK
    draft.symlink_to(os.path.relpath(whole, link.parent))
    for attempt in range(TRIES):
        try:
            _make_directory(link.parent)
            draft.replace(link)
            break
        except FileNotFoundError:
            if attempt + 1 == TRIES:
                raise
    for directory in (link.parent, link.parent.parent, settings.LMVP_ACTIVE_ROOT):
        _sync(directory)


def _keep(key: Key, *, links: set[Path], directories: set[Path | None]) -> None:
    """Remove what belongs to the key and is not among these: links first, and doubts about it last."""
    for link in [link for link in _links() if _home_of(link) == str(key) and link not in links]:
        link.unlink()
        _sync(link.parent)
        for directory in (link.parent, link.parent.parent):
            with suppress(OSError):  # not empty: others are served there
                directory.rmdir()
    for whole in _whole(key) - directories:
        gone = whole.with_name(GONE + whole.name)
        whole.rename(gone)  # under its name it is whole, to the last moment
        _sync(key.home)
        _remove(gone)
    (key.home / DOUBT).unlink(missing_ok=True)
    with suppress(OSError):
        key.home.rmdir()


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path)


def _make_directory(path: Path) -> None:
    """Make a directory and those above it, readable for serving processes of other users."""
    missing = [above for above in (path, *path.parents) if not above.exists()]
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)


def _sync(path: Path) -> None:
    with suppress(FileNotFoundError):  # a directory that was tidied away at this moment
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
