"""The settings of a project: what it is for, who sees it, its name, and the way into the trash."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from registry.models import Project
from registry.permissions import Action
from registry.services import projects, trash
from registry.services.quotas import storage_of
from registry.web.forms.settings import DescriptionForm, RenameForm, SureForm, VisibilityForm
from registry.web.pages import attempt, show
from registry.web.places import Place, actor_of, project_at


@require_http_methods(["GET", "HEAD", "POST"])
def overview(request: HttpRequest, project: str) -> HttpResponse:
    """All settings; the form at the top changes the description."""
    place = project_at(request, project, action=Action.EDIT_PROJECT)
    if request.method != "POST":
        return _page(place)
    form = DescriptionForm(request.POST)
    return _changed(place, "describing", form, "The description is saved.")


@require_POST
def set_visibility(request: HttpRequest, project: str) -> HttpResponse:
    place = project_at(request, project, action=Action.OWN_PROJECT)
    form = VisibilityForm(request.POST)
    return _changed(place, "seen", form, f"{place.project} is {form.data.get('visibility')} now.")


@require_POST
def rename(request: HttpRequest, project: str) -> HttpResponse:
    place = project_at(request, project, action=Action.OWN_PROJECT)
    return _changed(place, "renaming", RenameForm(request.POST), f"Renamed. {place.project} keeps leading here.")


@require_POST
def delete(request: HttpRequest, project: str) -> HttpResponse:
    """Put the project into the trash, when its name was typed."""
    place = project_at(request, project, action=Action.TRASH_PROJECT)
    form = SureForm(request.POST, expected=place.project.name)
    if not form.is_valid() or not attempt(form, lambda said: trash.delete(actor=actor_of(request), row=place.project)):
        return _page(place, deleting=form, status=400)
    days = settings.TRASH_LIFETIME.days
    messages.success(request, f"{place.project} is in the trash. You can take it back for {days} days, here.")
    return redirect("web:trash")


def _changed(place: Place, name: str, form: Form, done: str) -> HttpResponse:
    changed: list[Project] = []

    def work(said: dict[str, Any]) -> None:
        changed.append(projects.update_project(actor=actor_of(place.request), project=place.project, **said))

    if not form.is_valid() or not attempt(form, work):
        place.project.refresh_from_db()
        return _page(place, status=400, **{name: form})
    messages.success(place.request, done)
    return redirect(reverse("web:project-settings", args=[changed[0].name]))


def _page(place: Place, *, status: int = 200, **forms: Form) -> HttpResponse:
    project = place.project
    given: dict[str, Any] = {
        "describing": DescriptionForm(initial={"description": project.description}),
        "seen": VisibilityForm(initial={"visibility": project.visibility}),
        "renaming": RenameForm(initial={"name": project.name}),
        "deleting": SureForm(expected=project.name),
    }
    days = settings.TRASH_LIFETIME.days
    given |= {"days": days, "storage": storage_of(project)}
    return show(place.request, "project_settings", place, tab="settings", status=status, **(given | forms))
