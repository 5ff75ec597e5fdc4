"""The first page of a model: what it is, its newest files and card, where its names point, how to get it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from registry import lineage
from registry.models import RegisteredModel, Version
from registry.models.histories import newest_measured
from registry.models.names import Names, aliases_of, names_of
from registry.models.surroundings import surroundings_of
from registry.web.pages import show
from registry.web.places import ModelPlace, VersionPlace, model_at, version_at
from registry.web.readmes import readme_of
from registry.web.trees import contents_of

RECENT = 5  # versions
MOST_METRICS = 12
MOST_ALIASES = 20
SERVED = "production"  # what is downloaded, where an alias of this name is there


@require_safe
def overview(request: HttpRequest, project: str, model: str) -> HttpResponse:
    """The newest version of the default branch, or the one of `?revision=`, with all that surrounds it."""
    asked = request.GET.get("revision", "")
    if asked:
        return _page(version_at(request, project, model, asked), asked)
    there = model_at(request, project, model)
    newest = _newest(there)
    if newest is None:
        return show(
            request, "model_empty", there, tab="overview", sample=SAMPLES[RegisteredModel.Kind(there.model.kind)]
        )
    return _page(newest, twin=there.twin)


def _page(place: VersionPlace, asked: str = "", *, twin: str = "") -> HttpResponse:
    facts = _facts(place.request, place, asked)
    return show(place.request, "model", place, twin=twin, tab="overview", asked=asked, **facts)


# What the set-up of an empty model publishes, by its kind: a path, a file, and metrics where that kind has some.
SAMPLES = {
    RegisteredModel.Kind.MODEL: {"path": "weights/", "file": "weights.npz", "metrics": True},
    RegisteredModel.Kind.DATASET: {"path": "data/", "file": "train.parquet", "metrics": False},
    RegisteredModel.Kind.CONFIG: {"path": "config.yaml", "file": "config.yaml", "metrics": False},
}


def _newest(place: ModelPlace) -> VersionPlace | None:
    """Return the place of the head of the default branch; where that branch has none, of the newest version at all."""
    model = place.model
    live = model.versions.filter(trashed_at=None).with_figures()
    try:
        version, revision = live.at(model, "latest"), model.default_branch
    except Version.DoesNotExist:
        newest = live.order_by("-number").first()
        if newest is None:
            return None
        version, revision = newest, str(newest.number)
    version.model = model
    return VersionPlace(place.request, place.project, model, version, revision)


def _facts(request: HttpRequest, place: VersionPlace, asked: str) -> dict[str, Any]:
    model, version = place.model, place.version
    around = surroundings_of([version])[version.pk]
    names = names_of(model)
    facts: dict[str, Any] = {
        "refs": around.refs,
        **_metrics(version, around.metrics, newest=not asked),
        "names": names,
        "aliases": list(aliases_of(model, most=MOST_ALIASES)),
        "recent": list(model.versions.filter(trashed_at=None).only(*SHOWN).order_by("-number")[:RECENT]),
        "sources": lineage.sources_of(version, actor=request.user),
        "contents": contents_of(request, version, place.revision, version.tree_id),
        "served": _served(place, asked, names),
        "path": "",
    }
    contents = facts["contents"]
    readme = contents.readme and readme_of(request, version, place.revision, "", contents.readme)
    return facts | {"readme": readme}


def _metrics(version: Version, own: dict[str, float | str], *, newest: bool) -> dict[str, Any]:
    """Return the metrics shown and whose they are: for the newest version without any, of the newest that has some."""
    measured, found = version, own
    if newest and not own and (other := newest_measured([version.model]).get(version.model_id)):
        measured, found = other, surroundings_of([other])[other.pk].metrics
    return {
        "measured": measured,
        "metrics": list(found.items())[:MOST_METRICS],
        "more_metrics": max(len(found) - MOST_METRICS, 0),
    }


def _served(place: VersionPlace, asked: str, names: Names) -> tuple[str, Version]:
    """Return what is handed out, as revision and version: what was asked for, else `production`, else the newest."""
    model, version = place.model, place.version
    if asked or SERVED not in names.aliases:
        return place.revision, version
    return SERVED, model.versions.with_figures().at(model, SERVED)


SHOWN = ("model", "number", "message", "author_name", "branch", "created_at", "deprecated")
