"""The first page of a model: what it is, its newest files and card, where its names point, how to get it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from registry import lineage
from registry.models import RegisteredModel, Version
from registry.models.names import aliases_of, names_of
from registry.web.pages import show
from registry.web.places import Place, model_at, version_at
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
    place = version_at(request, project, model, asked) if asked else _newest(model_at(request, project, model))
    assert place.model
    twin = "" if asked else reverse("model", args=[place.project.name, place.model.name])
    if place.version is None:
        return show(request, "model_empty", place, twin=twin, tab="overview", sample=SAMPLES[place.model.kind])
    return show(request, "model", place, twin=twin, tab="overview", asked=asked, **_facts(request, place, asked))


# What the set-up of an empty model publishes, by its kind: a path, a file, and metrics where that kind has some.
SAMPLES = {
    RegisteredModel.Kind.MODEL: {"path": "weights/", "file": "weights.npz", "metrics": True},
    RegisteredModel.Kind.DATASET: {"path": "data/", "file": "train.parquet", "metrics": False},
    RegisteredModel.Kind.CONFIG: {"path": "config.yaml", "file": "config.yaml", "metrics": False},
}


def _newest(place: Place) -> Place:
    """Put the head of the default branch into a place; where that branch has none, the newest version at all."""
    model = place.model
    assert model
    live = model.versions.filter(trashed_at=None).with_figures()
    place.revision = model.default_branch
    try:
        place.version = live.at(model, "latest")
    except Version.DoesNotExist:
        place.version = live.order_by("-number").first()
        place.revision = str(place.version.number) if place.version else ""
    if place.version:
        place.version.model = model
    return place


def _facts(request: HttpRequest, place: Place, asked: str) -> dict[str, Any]:
    model, version = place.model, place.version
    assert model is not None
    assert version is not None
    around = Version.objects.surroundings_of([version])[version.pk]
    names = names_of(model)
    served = asked or (SERVED if SERVED in names.aliases else place.revision)
    facts = {
        "refs": around.refs,
        "metrics": list(around.metrics.items())[:MOST_METRICS],
        "more_metrics": max(len(around.metrics) - MOST_METRICS, 0),
        "names": names,
        "aliases": list(aliases_of(model, most=MOST_ALIASES)),
        "recent": list(model.versions.filter(trashed_at=None).only(*SHOWN).order_by("-number")[:RECENT]),
        "sources": lineage.sources_of(version, actor=request.user),
        "contents": contents_of(request, version, place.revision, version.tree_id),
        "served": served,
        "path": "",
    }
    contents = facts["contents"]
    readme = contents.readme and readme_of(request, version, place.revision, "", contents.readme)
    return facts | {"readme": readme}


SHOWN = ("number", "message", "author_name", "branch", "created_at", "deprecated")
