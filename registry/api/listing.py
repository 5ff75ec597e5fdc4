"""The calls that list directories of a version: in pages, each entry with the version that brought it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from drf_yasg import openapi
from rest_framework.request import Request
from rest_framework.response import Response

from registry import trees
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.api.serializers import EntrySerializer
from registry.models import RegisteredModel, Tree
from registry.models.holders import bringers


class TreeViewSet(Room):
    @documented(
        "List the root directory of a version",
        name="tree_list",
        tag="files",
        answer=(200, "A page of entries, each with the version that brought it.", doc.page_of(doc.ENTRY)),
        query=[doc.query("recursive", "true: the files of all directories below.", openapi.TYPE_BOOLEAN), *doc.PAGES],
    )
    def list(self, request: Request, project: str, model: str, revision: str) -> Response:
        return self._listing("")

    @documented(
        "List a directory below the root",
        name="tree_list_below",
        tag="files",
        answer=(200, "A page of entries, each with the version that brought it.", doc.page_of(doc.ENTRY)),
        query=[doc.query("recursive", "true: the files of all directories below.", openapi.TYPE_BOOLEAN), *doc.PAGES],
    )
    def below(self, request: Request, project: str, model: str, revision: str, path: str) -> Response:
        return self._listing(path.strip("/"))

    def _listing(self, path: str) -> Response:
        version = self.version()
        entry = trees.find(Tree.objects.content_of, version.tree_id, path)
        if entry is None or not entry.is_directory:
            raise Tree.DoesNotExist
        kind = _Files if self.request.query_params.get("recursive") == "true" else _Entries
        return self.pages(EntrySerializer, kind(version.model, entry.digest, f"{path}/" if path else ""))


class _Entries:
    """The entries of a directory as a paginator sees them: counted without being read, and looked up by the page."""

    def __init__(self, model: RegisteredModel, directory: str, prefix: str) -> None:
        self.model = model
        self.directory = directory
        self.prefix = prefix

    @cached_property
    def content(self) -> bytes:
        return Tree.objects.content_of(self.directory)

    def __len__(self) -> int:
        return trees.count(self.content)

    def __getitem__(self, part: slice) -> list[dict[str, Any]]:
        places = self.places(part.start, part.stop)
        brought = bringers(self.model, [(place.path, place.entry.digest) for place in places])
        return [_shown(place, brought.get((place.path, place.entry.digest))) for place in places]

    def places(self, start: int, stop: int) -> list[trees.Place]:
        return [trees.Place(f"{self.prefix}{entry.name}", entry) for entry in trees.entries(self.content, start, stop)]


class _Files(_Entries):
    """The files of a directory and of all below it, likewise."""

    def __len__(self) -> int:
        return Tree.objects.files_below(self.directory)

    def places(self, start: int, stop: int) -> list[trees.Place]:
        return trees.files_between(Tree.objects.contents_of, self.directory, start, stop, prefix=self.prefix)


def _shown(place: trees.Place, version: int | None) -> dict[str, Any]:
    entry = place.entry
    return {
        "path": place.path,
        "name": place.path.rpartition("/")[2],
        "type": "directory" if entry.is_directory else "file",
        "mode": entry.mode,
        "size": entry.size,
        "digest": entry.digest,
        "version": version,
    }
