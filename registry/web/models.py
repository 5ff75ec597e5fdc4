"""The pages of a registered model."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from registry.web.pages import show
from registry.web.places import model_at


@require_safe
def overview(request: HttpRequest, project: str, model: str) -> HttpResponse:
    place = model_at(request, project, model)
    return show(request, "model", place, tab="overview")
