"""Directories as lists that are read a page at a time, each entry with the version that brought it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from registry import trees
from registry.models import RegisteredModel, Tree
from registry.models.holders import bringers


@dataclass(frozen=True, slots=True)
class Row:
    """An entry, its path in the version, and the number of the version that brought it (None: not found soon)."""

    path: str
    entry: trees.Entry
    version: int | None


class Entries:
    """The entries of a directory by name: counted without being read, and looked up by the page."""

    def __init__(self, model: RegisteredModel, directory: str, path: str = "") -> None:
        self.model = model
        self.directory = directory
        self.prefix = f"{path}/" if path else ""

    @cached_property
    def content(self) -> bytes:
        return Tree.objects.content_of(self.directory)

    def __len__(self) -> int:
        return trees.count(self.content)

    def __getitem__(self, part: slice) -> list[Row]:
        places = self.places(part.start, part.stop)
        brought = bringers(self.model, [(place.path, place.entry.digest) for place in places])
        return [Row(place.path, place.entry, brought.get((place.path, place.entry.digest))) for place in places]

    def places(self, start: int, stop: int) -> list[trees.Place]:
        return [trees.Place(f"{self.prefix}{entry.name}", entry) for entry in self.entries(start, stop)]

    def entries(self, start: int, stop: int) -> list[trees.Entry]:
        return trees.entries(self.content, start, stop)


class DirectoriesFirst(Entries):
    """The same, directories before files."""

    def entries(self, start: int, stop: int) -> list[trees.Entry]:
        return trees.directories_first(self.content, start, stop)


class Files(Entries):
    """The files of a directory and of all below it, likewise."""

    def __len__(self) -> int:
        return Tree.objects.files_below(self.directory)

    def places(self, start: int, stop: int) -> list[trees.Place]:
        return trees.files_between(Tree.objects.contents_of, self.directory, start, stop, prefix=self.prefix)
