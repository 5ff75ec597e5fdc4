"""Directories as values: paths, entries, canonical bytes, and changes that touch only the directories on their way.

Pure: rows are reached through a function that callers pass: `Load` gives one directory's bytes by its digest, `LoadAll`
those of many at once. What opens many directories does so level by level, asking once for each level.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from registry.digests import digest_bytes
from registry.directories import (
    DIRECTORY,
    EXECUTABLE,
    FILE,
    Directory,
    Entry,
    count,
    decode,
    differing,
    directories_first,
    entries,
    entry_named,
    entry_of,
    figures,
    line_for,
    line_of,
)

__all__ = [
    "DIRECTORY",
    "EXECUTABLE",
    "FILE",
    "BadPath",
    "Built",
    "Difference",
    "Directory",
    "Entry",
    "Load",
    "LoadAll",
    "Place",
    "apply_changes",
    "brought",
    "clean_path",
    "compare",
    "count",
    "decode",
    "directories_first",
    "entries",
    "files_at",
    "files_between",
    "find",
]

MAX_PATH_BYTES = 1024
MAX_LEVELS = 100  # directories in directories: they are walked by recursion
MAX_ENTRIES = 100_000

Load = Callable[[str], bytes]
LoadAll = Callable[[Collection[str]], Mapping[str, bytes]]


class BadPath(ValueError):
    """A path, or a set of paths, that a version cannot hold. `code` is a stable word."""

    def __init__(self, code: str, path: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.path = path


@dataclass(frozen=True, slots=True)
class Place:
    """An entry and where it stands."""

    path: str
    entry: Entry


Written = dict[str, tuple[Entry, bytes]]  # by digest: directories as entries, and their bytes


@dataclass(frozen=True, slots=True)
class Built:
    """A tree that was built: its root as an entry, and every directory that had to be written."""

    root: Entry
    directories: Written


def clean_path(path: str) -> str:
    """Return the path as it is kept (NFC); BadPath for one that could be read as anything but a file inside."""
    kept = unicodedata.normalize("NFC", path)
    try:
        length = len(kept.encode())
    except UnicodeEncodeError:
        raise BadPath("invalid_path", path, "A path must be valid Unicode.") from None
    if length > MAX_PATH_BYTES:
        raise BadPath("invalid_path", path, f"A path has at most {MAX_PATH_BYTES} bytes; this one has {length}.")
    if any(unicodedata.category(char) == "Cc" for char in kept) or "\\" in kept:
        raise BadPath("invalid_path", path, f"{path!r}: no control characters and no backslashes in paths; use “/”.")
    if any(part in ("", ".", "..") for part in kept.split("/")):
        raise BadPath("invalid_path", path, f"{path!r}: a path is relative, without empty, “.” or “..” segments.")
    if kept.count("/") > MAX_LEVELS:
        raise BadPath("invalid_path", path, f"{path!r}: directories stand at most {MAX_LEVELS} deep.")
    return kept


# --- Changes


@dataclass(slots=True)
class _Change:
    """What happens to one name: removed, then put as a file or changed below as a directory."""

    remove: bool = False
    put: Entry | None = None
    below: dict[str, _Change] = field(default_factory=dict)


def apply_changes(load: LoadAll, base: str | None, *, put: Mapping[str, Entry], remove: Iterable[str] = ()) -> Built:
    """Build the tree that `base` (a digest, or None for nothing) becomes with paths removed and then entries put.

    Reads and writes only the directories on the way to a change; a directory that is put is taken as it is. BadPath for
    paths that collide (a file where a directory is, names that differ only by case), for one that is not there to be
    removed, and for a directory of more than MAX_ENTRIES.
    """
    changes = _Change()
    for path in remove:
        _at(changes, path).remove = True
    for path, entry in put.items():
        _at(changes, path).put = replace(entry, name=path.rpartition("/")[2])
    building = _Building(_on_the_way(load, base, changes))
    there = Entry("", DIRECTORY, base, *figures(building.contents[base])) if base else None
    return Built(building.directory(there, changes, "") or building.write("", b"", 0, 0), building.written)


def _at(changes: _Change, path: str) -> _Change:
    for part in path.split("/"):
        changes = changes.below.setdefault(part, _Change())
    return changes


def _on_the_way(load: LoadAll, base: str | None, changes: _Change) -> dict[str, bytes]:
    """Return the bytes of every directory in which something changes."""
    contents: dict[str, bytes] = {}
    level = [(base, changes)] if base else []
    while level:
        contents |= load({digest for digest, _ in level})
        level = [
            (entry.digest, change)
            for digest, outer in level
            for name, change in outer.below.items()
            if change.below and not change.remove
            if (entry := entry_named(contents[digest], name)) and entry.is_directory
        ]
    return contents


@dataclass(slots=True)
class _Building:
    """A tree under change: the bytes of the directories on the way, and what was written of it."""

    contents: Mapping[str, bytes]
    written: Written = field(default_factory=dict)

    def directory(self, there: Entry | None, changes: _Change, where: str) -> Entry | None:
        """Return the changed directory as an entry, or None when nothing is left of it."""
        old = self.contents[there.digest] if there else b""
        size, files = (there.size, there.files) if there else (0, 0)
        pieces, kept, came = list[bytes](), 0, set[str]()
        for name, change in sorted(changes.below.items()):  # in the order of the lines
            start, end = line_of(old, name.encode())
            was = entry_of(old[start:end].decode()) if end > start else None
            now = self.entry(was, change, f"{where}{name}")
            pieces += [old[kept:start], line_for(now) if now else b""]
            kept = end
            size += (now.size if now else 0) - (was.size if was else 0)
            files += (now.files if now else 0) - (was.files if was else 0)
            came |= {name} if now and not was else set()
        content = b"".join([*pieces, old[kept:]])
        if came:
            _check(content, came, where)
        return self.write(where, content, size, files) if content else None

    def entry(self, there: Entry | None, change: _Change, path: str) -> Entry | None:
        """Return what becomes of one entry."""
        if change.remove:
            if there is None:
                raise BadPath("no_such_path", path, f"{path!r} is not in the parent, so it cannot be removed.")
            there = None
        if change.put and change.below:
            raise BadPath("path_conflict", path, f"{path!r} is a file and a directory at once.")
        if change.put:
            if there is not None and there.is_directory:
                raise BadPath("path_conflict", path, f"{path!r} is a directory in the parent. Remove it first.")
            return change.put
        if not change.below:
            return there
        if there is not None and not there.is_directory:
            raise BadPath("path_conflict", path, f"{path!r} is a file in the parent. Remove it first.")
        return self.directory(there, change, f"{path}/")

    def write(self, where: str, content: bytes, size: int, files: int) -> Entry:
        name = where.rstrip("/").rpartition("/")[2]
        entry = Entry(name, DIRECTORY, digest_bytes(content), size, files)
        self.written[entry.digest] = entry, content
        return entry


def _check(content: bytes, came: set[str], where: str) -> None:
    """Refuse a directory that became too large, or in which a name that came differs from another one only by case."""
    if count(content) > MAX_ENTRIES:
        raise BadPath(
            "too_many_entries", where, f"{where or '/'} has more than {MAX_ENTRIES:,} entries. Use subdirectories."
        )
    names = re.findall(r"\t(.*)\n", content.decode())
    if len({name.casefold() for name in names}) == len(names):
        return
    seen: dict[str, str] = {}
    for name in sorted(names, key=lambda name: name in came):
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:
            raise BadPath(
                "case_conflict",
                where + name,
                f"{where + twin!r} and {where + name!r} differ only by case, which some disks cannot keep. Rename one.",
            )


# --- Reading


def find(load: Load, root: str, path: str) -> Entry | None:
    """Return the entry at a path below the root, or None; the root itself has the empty path."""
    entry: Entry | None = Entry("", DIRECTORY, root, 0)
    for part in path.split("/") if path else ():
        if entry is None or not entry.is_directory:
            return None
        entry = entry_named(load(entry.digest), part)
    return entry


def files_at(load: LoadAll, root: str, paths: Collection[str]) -> dict[str, Entry]:
    """Return the files at many paths below a directory; a path at which there is none is left out."""
    found, walking = dict[str, Entry](), [(path, root, path.split("/")) for path in paths]
    while walking:
        contents, below = load({digest for _, digest, _ in walking}), list[tuple[str, str, list[str]]]()
        for path, digest, (name, *parts) in walking:
            entry = entry_named(contents[digest], name)
            if entry and entry.is_directory and parts:
                below.append((path, entry.digest, parts))
            elif entry and not entry.is_directory and not parts:
                found[path] = entry
        walking = below
    return found


def files_between(load: LoadAll, root: str, start: int = 0, stop: float = math.inf, *, prefix: str = "") -> list[Place]:
    """Return the start-th file below a directory to the one before the stop-th, by path.

    Opens only the directories that hold one of them: every entry says how many files it holds.
    """
    window = [(0, Place(prefix.rstrip("/"), Entry("", DIRECTORY, root, 0)))]
    while closed := {place.entry.digest for _, place in window if place.entry.is_directory}:
        contents = load(closed)
        window = [
            one
            for at, place in window
            for one in (
                _opened(at, place.path, contents[place.entry.digest], start, stop)
                if place.entry.is_directory
                else [(at, place)]
            )
        ]
    return [place for _, place in window]


def _opened(at: int, path: str, content: bytes, start: int, stop: float) -> Iterator[tuple[int, Place]]:
    """Yield those entries of a directory that hold a wanted file, each with the number of files before it."""
    for line in content.split(b"\n")[:-1]:
        if at >= stop:
            return
        files = entry_of(line.decode()).files if line.startswith(DIRECTORY.encode()) else 1
        if at + files > start:
            entry = entry_of(line.decode())
            yield at, Place(f"{path}/{entry.name}" if path else entry.name, entry)
        at += files


def brought(load: LoadAll, root: str, before: str | None) -> Iterator[Place]:
    """Yield every file and directory that stands below `root` and not, at the same path with the same digest, below
    `before`. Descends only where digests differ."""
    level = [("", before, root)] if root != before else []
    while level:
        contents, below = (
            load({digest for _, *both in level for digest in both if digest}),
            list[tuple[str, str | None, str]](),
        )
        for where, old, new in level:
            went, came = differing(_content(contents, old), contents[new])
            for entry in came.values():
                yield Place(f"{where}{entry.name}", entry)
                if entry.is_directory:
                    below.append((f"{where}{entry.name}/", _directory(went.get(entry.name)), entry.digest))
        level = below


def _content(contents: Mapping[str, bytes], digest: str | None) -> bytes:
    return contents[digest] if digest else b""


# --- Comparing


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one file: added (no `before`), removed (no `after`), changed, or renamed (another path)."""

    path: str
    before: Entry | None = None
    after: Entry | None = None
    former_path: str = ""

    @property
    def kind(self) -> str:
        if self.former_path:
            return "renamed"
        return "added" if self.before is None else "removed" if self.after is None else "changed"


def compare(load: LoadAll, base: str | None, head: str | None) -> list[Difference]:
    """Return what differs between two trees, by path. Descends only where digests differ.

    A file that went and one of the same bytes that came are one rename.
    """
    found = list(_differences(load, base, head))
    went: dict[str, list[Difference]] = {}
    for one in reversed(found):
        if one.before and not one.after:
            went.setdefault(one.before.digest, []).append(one)
    renamed, gone = [], set[str]()
    for one in found:
        origins = went.get(one.after.digest) if one.after and not one.before else None
        if origins:
            origin = origins.pop()
            gone |= {origin.path, one.path}
            renamed.append(Difference(one.path, origin.before, one.after, origin.path))
    return sorted([one for one in found if one.path not in gone] + renamed, key=lambda one: one.path)


def _differences(load: LoadAll, base: str | None, head: str | None) -> Iterator[Difference]:
    level = [("", base, head)] if base != head else []
    while level:
        contents, below = (
            load({digest for _, *both in level for digest in both if digest}),
            list[tuple[str, str | None, str | None]](),
        )
        for where, old, new in level:
            went, came = differing(_content(contents, old), _content(contents, new))
            for name in sorted(went.keys() | came.keys()):
                was, now, path = went.get(name), came.get(name), f"{where}{name}"
                files = _file(was), _file(now)
                if files[0] or files[1]:
                    yield Difference(path, *files)
                if files != (was, now):  # one of them is a directory
                    below.append((f"{path}/", _directory(was), _directory(now)))
        level = below


def _file(entry: Entry | None) -> Entry | None:
    return entry if entry and not entry.is_directory else None


def _directory(entry: Entry | None) -> str | None:
    return entry.digest if entry and entry.is_directory else None
