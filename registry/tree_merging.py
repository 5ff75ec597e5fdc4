"""Three-way merges of trees: what one side did to the files since the base, done to the other side. Pure.

Descends only where both sides changed a directory. A renamed file is one that went and one that came, as everywhere here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from registry.directories import Directory, Entry, differing
from registry.trees import LoadAll

SOURCE, TARGET = "source", "target"


@dataclass(frozen=True, slots=True)
class Sides:
    """What a path is in the base, the source and the target; None where nothing is."""

    path: str
    base: Entry | None
    source: Entry | None
    target: Entry | None


@dataclass(slots=True)
class Merge:
    """What turns the target's tree into the merged one, as `trees.apply_changes` takes it, and where nobody can tell.

    A conflict is a path that both sides changed since the base, each in its own way. Where a file meets a directory of the
    same name, it is one conflict about the whole of them.
    """

    put: dict[str, Entry] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    conflicts: dict[str, Sides] = field(default_factory=dict)

    def take_source(self, sides: Sides) -> None:
        """Let the path become what it is on the source's side: a file, a whole directory, or nothing."""
        if sides.target and (sides.target.is_directory or sides.source is None):
            self.remove.append(sides.path)
        if sides.source:
            self.put[sides.path] = sides.source

    def resolve(self, picks: Mapping[str, str]) -> None:
        """Settle conflicts by path, each for the SOURCE or the TARGET; KeyError for a path that is none."""
        for path, side in picks.items():
            sides = self.conflicts.pop(path)
            if side == SOURCE:
                self.take_source(sides)


@dataclass(frozen=True, slots=True)
class _Level:
    """A directory that both sides changed: where it is, and its digests (None: not there, or not a directory)."""

    where: str
    base: str | None
    source: str | None
    target: str | None

    @property
    def digests(self) -> set[str]:
        return {digest for digest in (self.base, self.source, self.target) if digest}


def merge(load: LoadAll, *, base: str, source: str, target: str) -> Merge:
    """Return what the source changed since the base, as changes to the target.

    A path that one side left alone becomes what the other side made of it; one that both made the same stays so; any
    other is a conflict.
    """
    found = Merge()
    level = [_Level("", base, source, target)]
    while level:
        contents = load(set[str]().union(*(one.digests for one in level)))
        level = [below for one in level for below in _merge_directory(one, contents, found)]
    return found


def _merge_directory(level: _Level, contents: Mapping[str, bytes], found: Merge) -> Iterator[_Level]:
    """Note what becomes of each entry that the source changed; yield the directories that have to be looked into."""
    base, source, target = (contents[digest] if digest else b"" for digest in (level.base, level.source, level.target))
    was, ours = differing(base, source)
    theirs_was, theirs = differing(base, target)
    changed_there = theirs_was.keys() | theirs.keys()
    for name in _names(was, ours):
        in_target = theirs.get(name) if name in changed_there else was.get(name)
        yield from _merge_entry(Sides(f"{level.where}{name}", was.get(name), ours.get(name), in_target), found)


def _names(*directories: Directory) -> Collection[str]:
    return sorted(set[str]().union(*directories))


def _merge_entry(sides: Sides, found: Merge) -> Iterator[_Level]:
    base, source, target = sides.base, sides.source, sides.target
    if target == base:
        found.take_source(sides)
    elif source == target:
        return
    elif _directory(source) or _directory(target):
        if _file(source) or _file(target):
            found.conflicts[sides.path] = sides
        else:  # the files are asked one by one, also where a side has deleted them all
            yield _Level(f"{sides.path}/", _directory(base), _directory(source), _directory(target))
    elif target == _file(base):
        found.take_source(sides)
    elif source != _file(base):
        found.conflicts[sides.path] = sides


def _file(entry: Entry | None) -> Entry | None:
    return entry if entry and not entry.is_directory else None


def _directory(entry: Entry | None) -> str | None:
    return entry.digest if entry and entry.is_directory else None
