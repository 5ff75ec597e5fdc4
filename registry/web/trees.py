"""The pages of a version's directories: entries with the versions that brought them, and the README.md below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from lmvp.numerals import whole_number
from registry import trees
from registry.cards import CARD
from registry.directories import entry_named
from registry.errors import Invalid
from registry.listing import DirectoriesFirst, Row
from registry.models import Tree, Version
from registry.web.pages import show
from registry.web.paging import query
from registry.web.places import VersionPlace, version_at
from registry.web.readmes import readme_of

ROWS = 100  # of a directory on one page
HELD = 5  # versions named where a path is not in this one


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it is shown: where its name leads, and the version that brought it, where that is known."""

    row: Row
    address: str
    version: Version | None

    @property
    def entry(self) -> trees.Entry:
        return self.row.entry


@dataclass(frozen=True, slots=True)
class Contents:
    """A page of a directory's entries: the `first` to the `last` of `count`, and the queries that lead to its neighbours."""

    lines: list[Line]
    first: int
    last: int
    count: int
    readme: trees.Entry | None
    newer: str = ""  # in the words of parts/pager.html: the page before, and the one behind
    older: str = ""


@require_safe
def tree(request: HttpRequest, project: str, model: str, revision: str, path: str = "") -> HttpResponse:
    """One directory of a version; a file is shown on a page of its own."""
    place = version_at(request, project, model, revision)
    version, path = place.version, path.strip("/")
    entry = trees.find(Tree.objects.content_of, version.tree_id, path)
    if entry is None:
        return missing(request, place, path)
    if not entry.is_directory:
        return redirect(f"{_page(version, revision)}files/{quote(path)}")
    contents = contents_of(request, version, revision, entry.digest, path)
    facts: dict[str, Any] = {
        "path": path,
        "crumbs": crumbs(path),
        "contents": contents,
        "total": entry if path else None,
    }
    readme = readme_of(request, version, revision, path, contents.readme) if contents.readme else None
    return show(request, "tree", place, tab="files", twin=_twin(place, path), readme=readme, **facts)


def contents_of(request: HttpRequest, version: Version, revision: str, directory: str, path: str = "") -> Contents:
    """Return the page of a directory that `?from=` asks for: a fixed number of queries, whatever its size."""
    listing = DirectoriesFirst(version.model, directory, path)
    count, start = len(listing), start_of(request)
    rows = listing[start : start + ROWS]
    brought = {row.version for row in rows if row.version is not None}
    versions = version.model.versions.filter(number__in=brought).only("model", "number", "message", "created_at")
    by_number = {one.number: one for one in versions}
    page = _page(version, revision)
    lines = [
        Line(
            row,
            f"{page}{'tree' if row.entry.is_directory else 'files'}/{quote(row.path)}",
            by_number.get(row.version or 0),
        )
        for row in rows
    ]
    readme = entry_named(listing.content, CARD)
    return Contents(
        lines,
        first=start + 1,
        last=start + len(rows),
        count=count,
        readme=readme if readme and not readme.is_directory else None,
        newer=query(request, **{"from": max(start - ROWS, 0)}) if start else "",
        older=query(request, **{"from": start + ROWS}) if start + ROWS < count else "",
    )


def crumbs(path: str) -> list[tuple[str, str]]:
    """Return the directories that a path leads through, each as its name and its path: a/b → (a, a), (b, a/b)."""
    parts = path.split("/") if path else []
    return [(name, "/".join(parts[: place + 1])) for place, name in enumerate(parts)]


def missing(request: HttpRequest, place: VersionPlace, path: str) -> HttpResponse:
    """Say that nothing stands there, which versions brought something there, and how far the path leads."""
    model, version = place.model, place.version
    rows = model.occurrences.filter(path=path, first_version__trashed_at=None).select_related("first_version")
    held = [one.first_version for one in rows.order_by("-pk")[:HELD]]
    facts = {"path": path, "near": _nearest(version, path), "held": held}
    return show(request, "tree_missing", place, status=404, tab="files", twin=_twin(place, path), **facts)


def _nearest(version: Version, path: str) -> str:
    """Return the last directory on the way to a path that is there; "" for the root."""
    near, directory = "", version.tree_id
    for name, at in crumbs(path):
        entry = entry_named(Tree.objects.content_of(directory), name)
        if entry is None or not entry.is_directory:
            break
        near, directory = at, entry.digest
    return near


def _page(version: Version, revision: str) -> str:
    return reverse("web:version", args=[version.model.project.name, version.model.name, revision])


def _twin(place: VersionPlace, path: str) -> str:
    return f"{place.twin}tree/{quote(path)}"


def start_of(request: HttpRequest) -> int:
    """Return the place in a list that `?from=` names."""
    said = request.GET.get("from", "0")
    start = whole_number(said, digits=9)
    if start is None:
        raise Invalid("invalid", f"There is no page from “{said[:40]}”. Go back to the first page.")
    return start
