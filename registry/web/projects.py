"""The pages of a project."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from registry.models import RegisteredModel
from registry.web.pages import show
from registry.web.places import project_at


@require_safe
def overview(request: HttpRequest, project: str) -> HttpResponse:
    """Its models, datasets and configs."""
    place = project_at(request, project)
    models = RegisteredModel.objects.filter(project=place.project, trashed_at=None).for_listing()
    return show(request, "project", place, tab="models", models=models)
