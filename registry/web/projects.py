"""A project's first page, and the ways to a new project and a new model."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from registry.models import Membership, Project, RegisteredModel, Version
from registry.permissions import Action
from registry.services.projects import create_project
from registry.services.registered_models import create_model
from registry.web.forms.projects import NewModelForm, NewProjectForm
from registry.web.lines import model_lines
from registry.web.pages import attempt, show
from registry.web.paging import numbered
from registry.web.places import Place, actor_of, project_at

LINES = 40
RECENT = 6  # versions at the side
FACES = 12
MOST_CHARACTERS = 100  # of a filter by name
KINDS = {kind.value: kind for kind in RegisteredModel.Kind}


@require_safe
def overview(request: HttpRequest, project: str) -> HttpResponse:
    """Its models, datasets and configs; at the side what it is, whose, and what came last."""
    place = project_at(request, project)
    live = RegisteredModel.objects.filter(project=place.project, trashed_at=None)
    counts = dict(live.order_by().values_list("kind").annotate(Count("pk")))
    kind, name = request.GET.get("kind", ""), request.GET.get("q", "").strip()[:MOST_CHARACTERS]
    page = numbered(chosen(live, kind, name).newest_first().with_heads(), request, size=LINES)
    newest = list(live.filter(last_number__gt=0).newest_first()[:RECENT])
    return show(
        request,
        "project",
        place,
        tab="models",
        page=page,
        lines=model_lines(page.rows),
        kinds=[(kind.value, f"{kind.value.title()}s", counts[kind]) for kind in KINDS.values() if kind in counts],
        total=sum(counts.values()),
        kind=kind if kind in KINDS else "",
        name=name,
        recent=Version.objects.newest_of(newest, RECENT)[:RECENT] if newest else [],
        faces=_faces(place) if place.may["view_members"] else [],
        more_faces=FACES,
    )


def chosen(models: QuerySet[RegisteredModel], kind: str, name: str) -> Any:
    """Narrow models to a kind, if it is one, and to those with these letters in their name or description."""
    if kind in KINDS:
        models = models.filter(kind=kind)
    return models.filter(Q(name__icontains=name) | Q(description__icontains=name)) if name else models


def _faces(place: Place) -> list[Membership]:
    return list(place.project.memberships.select_related("user")[: FACES + 1])


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_project(request: HttpRequest) -> HttpResponse:
    form, made = NewProjectForm(request.POST or None), list[Project]()
    if form.is_valid() and attempt(form, lambda said: made.append(create_project(actor=actor_of(request), **said))):
        messages.success(request, f"{made[0]} is there. Next: its first model, and people to share it with.")
        return redirect(made[0])
    return show(request, "new_project", twin="/v1/projects/", form=form, **_asked(form, reverse("home")))


@require_http_methods(["GET", "HEAD", "POST"])
def new_model(request: HttpRequest, project: str) -> HttpResponse:
    place = project_at(request, project, action=Action.CREATE_MODEL)
    form, made = NewModelForm(request.POST or None), list[RegisteredModel]()
    actor = actor_of(request)
    if form.is_valid() and attempt(
        form, lambda said: made.append(create_model(actor=actor, project=place.project, **said))
    ):
        messages.success(request, f"{made[0]} is there. Next: publish its first version.")
        return redirect(made[0])
    return show(request, "new_model", place, tab="models", form=form, **_asked(form, place.project.get_absolute_url()))


def _asked(form: Form, above: str) -> dict[str, Any]:
    """What both pages show beside the form: below which address the new thing will be, and the status of a refusal."""
    return {"above": above, "status": 400 if form.errors else 200}
