"""The pages of a registered model."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from registry.web.pages import show
from registry.web.places import model_at, version_at


@require_safe
def overview(request: HttpRequest, project: str, model: str) -> HttpResponse:
    place = model_at(request, project, model)
    return show(request, "model", place, tab="overview")


@require_safe
def version(request: HttpRequest, project: str, model: str, revision: str) -> HttpResponse:
    place = version_at(request, project, model, revision)
    return show(request, "version", place, tab="versions")
