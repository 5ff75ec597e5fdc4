"""The first page: what happened in one's projects and what others show; for nobody yet, what this place is."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.models import User
from registry.models import Membership, Project, RegisteredModel
from registry.services.projects import ensure_personal_project
from registry.web.lines import model_lines
from registry.web.news import news_of
from registry.web.pages import show

OTHERS = 8  # models that the visitor has no part in
NEWEST = 12
TILES = 6
MOST_PROJECTS = 200
TWIN = "/v1/projects/"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if not isinstance(request.user, User):
        return _welcome(request)
    ensure_personal_project(actor=request.user)
    mine = list(Project.objects.of_member(request.user)[:MOST_PROJECTS])
    visible = RegisteredModel.objects.visible_to(request.user)
    foreign = visible.exclude(project__in=Membership.objects.filter(user=request.user).values("project"))
    others = foreign.filter(last_number__gt=0).newest_first().with_heads()[:OTHERS]
    return show(
        request,
        "home",
        twin=TWIN,
        tiles=mine[:TILES],
        more_projects=sorted(mine[TILES:], key=lambda project: project.name),
        news=news_of(mine),
        others=model_lines(others, metrics=0),
        writable=next((project for project in mine if project.personal_of_id == request.user.pk), None),
    )


def _welcome(request: HttpRequest) -> HttpResponse:
    public = RegisteredModel.objects.visible_to(request.user).newest_first().with_heads()[:NEWEST]
    return show(request, "welcome", twin=TWIN, lines=model_lines(public))
