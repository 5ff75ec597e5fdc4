"""Housekeeping from the admin, by superusers: the trash taken back or purged, garbage collected, files verified.

Whatever takes long stops after some seconds and says so; the commands in docs/deploy.md, run by cron, do all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path

from registry.errors import Refusal
from registry.models import Blob
from registry.services import background, garbage, purging, trash, verification

PATIENCE = timedelta(seconds=20)
WHOLE_NIGHT = 8.0  # hours
ROWS_AT_ONCE = 100
WORK: dict[str, Callable[[Any], Iterable[str]]] = {
    "rehearse": lambda actor: garbage.collect(rehearsal=True, limit=PATIENCE).lines(),
    "collect": lambda actor: garbage.collect(limit=PATIENCE).lines(),
    "verify": lambda actor: verification.verify(actor=actor, limit=PATIENCE).lines(),
}


# The same without a limit, where a worker does it.
TASKS: dict[str, Callable[[Any], Any]] = {
    "collect": lambda actor: background.collect_garbage.enqueue(),
    "verify": lambda actor: background.verify_blobs.enqueue(actor=actor.pk, hours=WHOLE_NIGHT),
}


class WithTrash(admin.ModelAdmin):
    """A list whose rows may be in the trash: superusers take them back, or purge them before their time."""

    actions = ["take_back", "purge_now"]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found = super().get_actions(request)
        return found if request.user.is_superuser else {}

    @admin.action(description="Take back from the trash")
    def take_back(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        done = self._each(request, rows, lambda row: trash.undelete(actor=request.user, row=row, by_administrator=True))
        self.message_user(request, f"{done} taken back.")

    @admin.action(description="Purge now (cannot be undone)")
    def purge_now(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            facts = {**self.admin_site.each_context(request), "title": "Purge now", "rows": rows, "opts": self.opts}
            return render(request, "admin/registry/purge.html", facts)
        done = self._each(request, rows, lambda row: purging.purge_now(actor=request.user, row=row))
        self.message_user(request, f"{done} purged. What takes longer, the next run of collect_garbage finishes.")
        return None

    def _each(self, request: HttpRequest, rows: QuerySet[Any], do: Callable[[Any], object]) -> int:
        """Do something to each row; return to how many. What is refused is said, and the others are done."""
        done = 0
        for row in rows[:ROWS_AT_ONCE]:
            try:
                do(row)
                done += 1
            except Refusal as refusal:
                self.message_user(request, refusal.message, messages.ERROR)
            except ObjectDoesNotExist:
                self.message_user(request, f"{row} is not there any more.", messages.ERROR)
        return done


class WithHousekeeping(admin.ModelAdmin):
    """The list of blobs: verifying some, and the page that runs the collector and the verification."""

    actions = ["verify_selected"]
    change_list_template = "admin/registry/blob/change_list.html"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found = super().get_actions(request)
        return found if request.user.is_superuser else {}

    @admin.action(description="Verify the selected files")
    def verify_selected(self, request: HttpRequest, rows: QuerySet[Blob]) -> None:
        digests = list(rows.values_list("pk", flat=True)[:ROWS_AT_ONCE])
        _tell(self, request, lambda: verification.verify(actor=request.user, digests=digests, limit=PATIENCE).lines())

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.housekeeping)
        return [path("housekeeping/", page, name="registry_housekeeping"), *super().get_urls()]

    def housekeeping(self, request: HttpRequest) -> HttpResponse:
        """Show the buttons; do the work of the one that was pressed, for as long as somebody waits."""
        if not request.user.is_superuser:
            raise PermissionDenied
        if request.method == "POST":
            wanted = request.POST.get("work", "")
            if settings.TASKS_BY_WORKER and wanted in TASKS:
                TASKS[wanted](request.user)
                self.message_user(request, "A worker does it now. Its report will stand among the task results.")
            elif wanted in WORK:
                _tell(self, request, lambda: WORK[wanted](request.user))
            return HttpResponseRedirect(request.path)
        facts = {"title": "Housekeeping", "opts": self.opts, "by_worker": settings.TASKS_BY_WORKER}
        return render(request, "admin/registry/housekeeping.html", {**self.admin_site.each_context(request), **facts})


def _tell(place: admin.ModelAdmin, request: HttpRequest, work: Callable[[], Iterable[str]]) -> None:
    try:
        for line in work():
            place.message_user(request, line)
    except Refusal as refusal:
        place.message_user(request, refusal.message, messages.ERROR)
