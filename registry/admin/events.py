"""The audit log: looked at, never changed. Nothing here counts or sorts all of it, however long it has become."""

from __future__ import annotations

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property
from django.utils.safestring import SafeString

from registry.admin.pages import ProjectFilter, ReadOnlyAdmin, TypedFilter, pretty
from registry.models import Event
from registry.models.events import EventQuerySet

MOST_LINES = 10_000


class NewestLines(Paginator):
    """Pages of the newest lines alone: for those before, the filters narrow what there is."""

    @cached_property
    def count(self) -> int:
        newest: QuerySet[Event] = self.object_list.order_by("-id")  # type: ignore[union-attr]
        return newest.values("pk")[:MOST_LINES].count()


class ActorFilter(TypedFilter):
    title = parameter_name = "actor"

    def those(self, queryset: EventQuerySet, text: str) -> EventQuerySet:
        return queryset.told(actor=text)


class ActionFilter(TypedFilter):
    title = "action"
    parameter_name = "action_told"

    def those(self, queryset: EventQuerySet, text: str) -> EventQuerySet:
        return queryset.told(action=text)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "action", "subject", "project", "address", "token"]
    list_filter = ["at", ActionFilter, ActorFilter, ProjectFilter]
    list_select_related = ["actor", "project"]
    search_fields = ["subject", "=address", "=request_id"]
    search_help_text = (
        f"A part of the subject, an address or a request id. An action may end with a point: “alias.”"
        f" The newest {MOST_LINES:,} lines are shown: the filters find those before."
    )
    sortable_by: list[str] = []
    paginator = NewestLines
    ordering = ["-id"]
    fields = [
        *("at", "actor", "action", "subject", "project", "before_shown", "after_shown"),
        *("address", "token", "request_id"),
    ]

    @admin.display(description="before")
    def before_shown(self, event: Event) -> SafeString:
        return pretty(event.before)

    @admin.display(description="after")
    def after_shown(self, event: Event) -> SafeString:
        return pretty(event.after)
