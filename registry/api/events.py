"""The calls about the audit log of a project: read it, all or what is asked for."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.pagination import NewestFirst
from registry.api.rooms import Room
from registry.models import Event
from registry.permissions import Action, require


class EventSerializer(serializers.ModelSerializer[Event]):
    actor = serializers.CharField(source="actor.username", allow_null=True)

    class Meta:
        model = Event
        fields = ["id", "at", "actor", "action", "subject", "before", "after", "token", "address", "request_id"]


class EventQuery(serializers.Serializer[Any]):
    """What the query may ask for; anything else in it is for the pages."""

    actor = serializers.CharField(required=False, max_length=39)
    action = serializers.CharField(required=False, max_length=40)
    subject = serializers.CharField(required=False, max_length=300)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)


class EventViewSet(Room):
    @documented(
        "Read the audit log",
        name="events_list",
        tag="projects",
        answer=(200, "Events, newest first.", doc.cursor_page_of(doc.EVENT)),
        errors=(400, 401, 403, 404),
        query=[
            doc.query("actor", "Only what this user did."),
            doc.query("action", "Only this, as `alias.moved`; with a point at the end, `alias.`, all that begins so."),
            doc.query("subject", "Only what was done to this; the beginning is enough: `digits/classifier`."),
            doc.query("since", "Only from this time on, as `2026-03-03` or `2026-03-03T09:00:00Z`."),
            doc.query("until", "Only before this time."),
            *doc.CURSOR,
        ],
    )
    def list(self, request: Request, project: str) -> Response:
        place = self.project()
        require(request.user, Action.VIEW_EVENTS, place)
        asked = EventQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        rows = Event.objects.filter(project=place).told(**asked.validated_data)
        return self.pages(EventSerializer, rows.select_related("actor"), NewestFirst())
