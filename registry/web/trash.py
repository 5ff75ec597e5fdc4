"""What was deleted and can still be taken back: one's own projects, the models of a project, the versions of a model."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from registry.errors import Conflict
from registry.models import Project, RegisteredModel, Version
from registry.permissions import Action
from registry.services import trash
from registry.web.pages import show
from registry.web.paging import Page, newest_first, numbered
from registry.web.places import Place, actor_of, model_at, project_at


@require_safe
@login_required
def projects(request: HttpRequest) -> HttpResponse:
    """The deleted projects that the visitor owns."""
    rows = Project.objects.in_trash().owned_by(request.user).select_related("trashed_by")
    return _page(request, "trash", numbered(rows, request), twin="/v1/trash/")


@require_safe
def models(request: HttpRequest, project: str) -> HttpResponse:
    place = project_at(request, project, action=Action.VIEW_TRASH)
    rows = RegisteredModel.objects.in_trash().filter(project=place.project).select_related("project", "trashed_by")
    return _page(request, "project_trash", numbered(rows, request), place)


@require_safe
def versions(request: HttpRequest, project: str, model: str) -> HttpResponse:
    """The deleted versions, by number: a rule may have put in very many."""
    place = model_at(request, project, model, action=Action.VIEW_TRASH)
    rows = Version.objects.in_trash().filter(model=place.model).select_related("trashed_by")
    page = newest_first(rows, request, key="number")
    for version in page.rows:
        version.model, version.shown = place.model, f"v{version.number}"
    return _page(request, "model_trash", page, place)


def _page(request: HttpRequest, template: str, page: Page, place: Place | None = None, twin: str = "") -> HttpResponse:
    for row in page.rows:
        row.until = trash.until(row)
    twin = twin or (f"{place.twin}trash/" if place else "")
    days = settings.TRASH_LIFETIME.days
    return show(request, template, place, tab="settings", twin=twin, page=page, days=days)


# --- Out of it


@login_required
@require_POST
def take_project_back(request: HttpRequest, project: str) -> HttpResponse:
    row = trash.find_deleted(actor=request.user, project=project)
    return _take_back(request, row, reverse("web:trash"), row.get_absolute_url())


@require_POST
def take_model_back(request: HttpRequest, project: str, model: str) -> HttpResponse:
    row = trash.find_deleted(actor=request.user, project=project, model=model)
    return _take_back(request, row, reverse("web:project-trash", args=[project]), row.get_absolute_url())


@require_POST
def take_version_back(request: HttpRequest, project: str, model: str, revision: str) -> HttpResponse:
    row = trash.find_deleted(actor=request.user, project=project, model=model, revision=revision)
    back = reverse("web:model-trash", args=[project, model])
    return _take_back(request, row, back, back)


def _take_back(request: HttpRequest, row: trash.Row, refused: str, then: str) -> HttpResponse:
    """Take a row back and go to the address `then`; where that cannot be, to `refused`."""
    try:
        trash.undelete(actor=actor_of(request), row=row)
    except Conflict as error:
        messages.error(request, error.message)
        return redirect(refused)
    messages.success(request, f"{row} is back, as it was.")
    return redirect(then)
