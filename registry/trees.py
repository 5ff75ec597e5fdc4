"""Directories as values: paths, entries, canonical bytes, and changes that touch only the directories on their way.

Pure: rows are reached through the `load` function that callers pass, from a digest to a directory's bytes.

Canonical bytes: a line per entry, sorted by the UTF-8 bytes of its name: `<mode> <digest> <size>[ <files>]\\t<name>\\n`.
Modes are 100644, 100755 (files) and 040000 (directories, which also say how many files they hold).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from registry.digests import digest_bytes

FILE, EXECUTABLE, DIRECTORY = "100644", "100755", "040000"
MAX_PATH_BYTES = 1024
MAX_LEVELS = 100  # directories in directories: they are walked by recursion
MAX_ENTRIES = 100_000

Load = Callable[[str], bytes]


class BadPath(ValueError):
    """A path, or a set of paths, that a version cannot hold. `code` is a stable word."""

    def __init__(self, code: str, path: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.path = path


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a directory: a file (mode, digest of its bytes, bytes) or a directory (digest, all bytes, files)."""

    name: str
    mode: str
    digest: str
    size: int
    files: int = 1

    @property
    def is_directory(self) -> bool:
        return self.mode == DIRECTORY


Directory = dict[str, Entry]


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


def encode(directory: Directory) -> bytes:
    """Return the canonical bytes of a directory."""
    lines = sorted((entry.name.encode(), entry) for entry in directory.values())
    return b"".join(_line(name, entry) for name, entry in lines)


def _line(name: bytes, entry: Entry) -> bytes:
    files = f" {entry.files}" if entry.is_directory else ""
    return f"{entry.mode} {entry.digest} {entry.size}{files}\t".encode() + name + b"\n"


def decode(content: bytes) -> Directory:
    """Return the directory that `encode` wrote."""
    return {entry.name: entry for entry in map(_entry, content.decode().split("\n")[:-1])}


def _entry(line: str) -> Entry:
    facts, _, name = line.partition("\t")
    mode, digest, size, *files = facts.split(" ")
    return Entry(name, mode, digest, int(size), int(files[0]) if files else 1)


def summary(directory: Directory, *, name: str = "") -> tuple[Entry, bytes]:
    """Return a directory as an entry of its parent, and its bytes."""
    content = encode(directory)
    size = sum(entry.size for entry in directory.values())
    files = sum(entry.files for entry in directory.values())
    return Entry(name, DIRECTORY, digest_bytes(content), size, files), content


@dataclass(slots=True)
class _Change:
    """What happens to one name: removed, then put as a file or changed below as a directory."""

    remove: bool = False
    put: Entry | None = None
    below: dict[str, _Change] = field(default_factory=dict)


def apply_changes(load: Load, base: str | None, *, put: Mapping[str, Entry], remove: Iterable[str] = ()) -> Built:
    """Build the tree that `base` (a digest, or None for nothing) becomes with paths removed and then files put.

    Reads and writes only the directories on the way to a change. BadPath for paths that collide (a file where a
    directory is, names that differ only by case), for one that is not there to be removed, and for a directory
    of more than MAX_ENTRIES.
    """
    changes = _Change()
    for path in remove:
        _at(changes, path).remove = True
    for path, entry in put.items():
        _at(changes, path).put = replace(entry, name=path.rpartition("/")[2])
    written: Written = {}
    root = _rebuild(load, base, changes, "", written) or _write({}, "", written)
    return Built(root, written)


def _at(changes: _Change, path: str) -> _Change:
    for part in path.split("/"):
        changes = changes.below.setdefault(part, _Change())
    return changes


def _rebuild(load: Load, digest: str | None, changes: _Change, where: str, written: Written) -> Entry | None:
    """Return the changed directory as an entry, or None when nothing is left of it."""
    directory = decode(load(digest)) if digest else {}
    for name, change in changes.below.items():
        after = _change_one(load, directory.pop(name, None), change, f"{where}{name}", written)
        if after:
            directory[name] = after
    _check(directory, where)
    return _write(directory, where, written) if directory else None


def _change_one(load: Load, there: Entry | None, change: _Change, path: str, written: Written) -> Entry | None:
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
    return _rebuild(load, there.digest if there else None, change, f"{path}/", written)


def _check(directory: Directory, where: str) -> None:
    if len(directory) > MAX_ENTRIES:
        raise BadPath(
            "too_many_entries", where, f"{where or '/'} has more than {MAX_ENTRIES:,} entries. Use subdirectories."
        )
    seen: dict[str, str] = {}
    for name in directory:
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:
            raise BadPath(
                "case_conflict",
                where + name,
                f"{where + twin!r} and {where + name!r} differ only by case, which some disks cannot keep. Rename one.",
            )


def _write(directory: Directory, where: str, written: Written) -> Entry:
    entry, content = summary(directory, name=where.rstrip("/").rpartition("/")[2])
    written[entry.digest] = entry, content
    return entry


def find(load: Load, root: str, path: str) -> Entry | None:
    """Return the entry at a path below the root, or None; the root itself has the empty path."""
    entry: Entry | None = Entry("", DIRECTORY, root, 0)
    for part in path.split("/") if path else ():
        if entry is None or not entry.is_directory:
            return None
        entry = decode(load(entry.digest)).get(part)
    return entry


def walk(load: Load, root: str, *, prefix: str = "") -> Iterator[Place]:
    """Yield every file below a directory, by path."""
    for entry in decode(load(root)).values():
        path = f"{prefix}{entry.name}"
        if entry.is_directory:
            yield from walk(load, entry.digest, prefix=f"{path}/")
        else:
            yield Place(path, entry)


def brought(load: Load, root: str, before: str | None, *, prefix: str = "") -> Iterator[Place]:
    """Yield every file and directory that stands below `root` and not, at the same path with the same digest, below
    `before`. Descends only where digests differ."""
    if root == before:
        return
    old = decode(load(before)) if before else {}
    for entry in decode(load(root)).values():
        path, was = f"{prefix}{entry.name}", old.get(entry.name)
        if was and was.digest == entry.digest and was.mode == entry.mode:
            continue
        yield Place(path, entry)
        if entry.is_directory:
            yield from brought(load, entry.digest, was.digest if was and was.is_directory else None, prefix=f"{path}/")


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


def compare(load: Load, base: str | None, head: str | None) -> list[Difference]:
    """Return what differs between two trees, by path. Descends only where digests differ.

    A file that went and one of the same bytes that came are one rename.
    """
    found = list(_differences(load, base, head, ""))
    went: dict[str, list[Difference]] = {}
    for one in found:
        if one.before and not one.after:
            went.setdefault(one.before.digest, []).append(one)
    renamed, gone = [], set[str]()
    for one in found:
        origins = went.get(one.after.digest) if one.after and not one.before else None
        if origins:
            origin = origins.pop(0)
            gone |= {origin.path, one.path}
            renamed.append(Difference(one.path, origin.before, one.after, origin.path))
    return sorted([one for one in found if one.path not in gone] + renamed, key=lambda one: one.path)


def _differences(load: Load, base: str | None, head: str | None, prefix: str) -> Iterator[Difference]:
    if base == head:
        return
    old, new = (decode(load(digest)) if digest else {} for digest in (base, head))
    for name in old.keys() | new.keys():
        was, now, path = old.get(name), new.get(name), f"{prefix}{name}"
        if was and now and (was.digest, was.mode) == (now.digest, now.mode):
            continue
        was_file, now_file = _file(was), _file(now)
        if was_file or now_file:
            yield Difference(path, was_file, now_file)
        was_below, now_below = _directory(was), _directory(now)
        if was_below or now_below:
            yield from _differences(load, was_below, now_below, f"{path}/")


def _file(entry: Entry | None) -> Entry | None:
    return entry if entry and not entry.is_directory else None


def _directory(entry: Entry | None) -> str | None:
    return entry.digest if entry and entry.is_directory else None
