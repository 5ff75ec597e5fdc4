"""Searching for somebody: what was asked for, where that person may look, and the rows of one page of what was found."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from lmvp.prepared import prepared
from registry.errors import Invalid
from registry.models import Blob, Occurrence, Project, RegisteredModel, Version
from registry.models import search as index
from registry.models.projects import bound_to
from registry.models.search import TYPES, Query, Scope
from registry.services.projects import find_project
from registry.services.registered_models import find_model

if TYPE_CHECKING:
    from registry.models.projects import Actor

MOST_CHARACTERS = 200


def read_query(said: str) -> Query:
    """Return the query; Invalid for one that is too long or has nothing to look for."""
    if len(said) > MOST_CHARACTERS:
        raise Invalid("query_too_long", f"Search for {MOST_CHARACTERS} characters at most: a few words are enough.")
    query = Query.read(said)
    if not query.terms:
        raise Invalid("empty_query", "Say what to look for: ?q= takes words, “quoted phrases” or a digest.")
    return query


def read_types(wanted: str) -> Collection[str]:
    """Return the types to look for: one, or all where none was named; Invalid for one that is none."""
    if wanted and wanted not in TYPES:
        raise Invalid(
            "invalid_type",
            f"There is nothing of the type “{wanted[:40]}”. Say {', '.join(TYPES)}, or leave it out.",
        )
    return [wanted] if wanted else TYPES


def search(*, actor: Actor, said: str, wanted: str = "", project: str = "", model: str = "") -> list[tuple[str, int]]:
    """Return (type, id) of the best matches in what the actor may see, or in what of it was named."""
    query, types = read_query(said), read_types(wanted)
    return index.search(query, scope_of(actor=actor, project=project, model=model), types)


def scope_of(*, actor: Actor, project: str = "", model: str = "") -> Scope:
    """Everything that the actor may see, or what of it was named; ObjectDoesNotExist for what is not there."""
    if model:
        named, _, name = model.rpartition("/")
        there = find_model(actor=actor, project=named or project, name=name)
        return Scope([there.project_id], there.pk)
    if project:
        return Scope([find_project(actor=actor, name=project).pk])
    return Scope([pk for (pk,) in _visible(actor.pk, bound_to(actor))])


@prepared
def _visible(user: int | None, bound: str | None) -> QuerySet[Any, tuple[int]]:
    return Project.objects.seen_by(user, bound).order_by().values_list("pk")


def load(found: Sequence[tuple[str, int]]) -> list[Any]:
    """Return the rows of one page; what is gone is left out, so that a page may be short. Files bear `size` and `number`.

    In a fixed number of queries, but for files whose versions are in the trash: some for each of their models.
    """
    ids = {kind: [pk for of, pk in found if of == kind] for kind in ROWS}
    by_type = {kind: {row.pk: row for row in read(ids[kind])} if ids[kind] else {} for kind, read in ROWS.items()}
    numbers = index.still_there(by_type["file"].values())
    by_type["file"] = {pk: file for pk, file in by_type["file"].items() if pk in numbers}
    files = by_type["file"].values()
    digests = {file.digest for file in files}
    sizes = dict(Blob.objects.filter(pk__in=digests).values_list("pk", "size")) if digests else {}
    for file in files:
        file.size, file.number = sizes.get(file.digest), numbers[file.pk]
    return [by_type[kind][pk] for kind, pk in found if pk in by_type[kind]]


@prepared
def _projects(ids: list[int]) -> QuerySet[Project]:
    return Project.objects.filter(pk__in=ids).order_by()


@prepared
def _models(ids: list[int]) -> QuerySet[RegisteredModel]:
    return RegisteredModel.objects.select_related("project").filter(pk__in=ids).order_by()


@prepared
def _versions(ids: list[int]) -> QuerySet[Version]:
    return Version.objects.select_related("model__project").filter(pk__in=ids).order_by()


@prepared
def _files(ids: list[int]) -> QuerySet[Occurrence]:
    return Occurrence.objects.select_related("model__project", "first_version").filter(pk__in=ids).order_by()


ROWS: dict[str, Callable[[list[int]], list[Any]]] = {
    "project": _projects,
    "model": _models,
    "version": _versions,
    "file": _files,
}
