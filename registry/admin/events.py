"""The audit log: looked at, never changed."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from registry.admin.pages import ProjectFilter, ReadOnlyAdmin, pretty
from registry.models import Event


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "action", "subject", "project", "address", "token"]
    list_filter = ["action", ProjectFilter]
    list_select_related = ["actor", "project"]
    search_fields = ["subject", "actor__username", "project__name", "address", "request_id"]
    date_hierarchy = "at"
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
