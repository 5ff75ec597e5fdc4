"""The calls that list directories of a version: in pages, each entry with the version that brought it."""

from __future__ import annotations

from typing import Any

from drf_yasg import openapi
from rest_framework.request import Request
from rest_framework.response import Response

from registry import trees
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.api.serializers import EntrySerializer
from registry.listing import Entries, Files, Row
from registry.models import Tree


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
        kind = Files if self.request.query_params.get("recursive") == "true" else Entries
        return self.pages(EntrySerializer, _Shown(kind(version.model, entry.digest, path)))


class _Shown:
    """A list of entries as a paginator sees it, in the shape of our JSON."""

    def __init__(self, entries: Entries) -> None:
        self.entries = entries

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, part: slice) -> list[dict[str, Any]]:
        return [_shown(row) for row in self.entries[part]]


def _shown(row: Row) -> dict[str, Any]:
    entry = row.entry
    return {
        "path": row.path,
        "name": row.path.rpartition("/")[2],
        "type": "directory" if entry.is_directory else "file",
        "mode": entry.mode,
        "size": entry.size,
        "digest": entry.digest,
        "version": row.version,
    }
