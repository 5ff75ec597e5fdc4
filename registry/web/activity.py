"""The page of what happened in a project: its audit log as sentences, all or what is asked for."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from registry.models import Event
from registry.permissions import Action
from registry.web.forms.events import EventFilter
from registry.web.pages import show
from registry.web.paging import newest_first
from registry.web.places import project_at

MOST_NAMES = 200  # offered while one types


@require_safe
def overview(request: HttpRequest, project: str) -> HttpResponse:
    place = project_at(request, project, action=Action.VIEW_EVENTS)
    form = EventFilter(request.GET)
    wanted = form.wanted() if form.is_valid() else {}
    rows = Event.objects.filter(project=place.project).told(**wanted).select_related("actor", "project")
    names = place.project.memberships.order_by("user__username").values_list("user__username", flat=True)
    asked = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in wanted.items()}
    return show(
        request,
        "activity",
        place,
        tab="activity",
        status=200 if form.is_valid() else 400,
        twin=f"{place.twin}events/" + (f"?{urlencode(asked)}" if asked else ""),
        page=newest_first(rows, request),
        form=form,
        asked=bool(wanted),
        names=names[:MOST_NAMES],
    )
