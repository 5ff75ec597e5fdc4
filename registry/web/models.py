"""The pages of a registered model."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from registry.web.pages import show
from registry.web.paging import newest_first
from registry.web.places import model_at, version_at


@require_safe
def history(request: HttpRequest, project: str, model: str) -> HttpResponse:
    place = model_at(request, project, model)
    assert place.model
    rows = place.model.versions.filter(trashed_at=None).with_figures()
    return show(request, "versions", place, tab="versions", page=newest_first(rows, request, key="number"))


@require_safe
def version(request: HttpRequest, project: str, model: str, revision: str) -> HttpResponse:
    place = version_at(request, project, model, revision)
    return show(request, "version", place, tab="versions")
