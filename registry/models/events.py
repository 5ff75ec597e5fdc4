"""The audit log: one line per write, in the same transaction."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Name
from registry.models.projects import Project

if TYPE_CHECKING:
    from registry.models.versions import Version

FEW = 1000  # lines that are named one by one


class EventQuerySet(models.QuerySet["Event"]):
    def about(self, version: Version) -> EventQuerySet:
        """Those of one version, also under names that its model and project had."""
        model, project = version.model, version.model.project
        models = [model.name, *model.former_names.values_list("name", flat=True)]
        projects = [project.name, *Name.objects.filter(successor=project.name).values_list("name", flat=True)]
        subjects = [f"{place}/{name} v{version.number}" for place in projects for name in models]
        return self.filter(project=project, subject__in=subjects)

    def told(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> EventQuerySet:
        """Those of a username, of an action (`alias.` means all of aliases), of subjects that begin so, of a span of time."""
        wanted = {
            "actor__username": actor,
            "action__startswith" if action and action.endswith(".") else "action": action,
            "at__gte": since,
            "at__lt": until,
        }
        rows = self.filter(**{lookup: value for lookup, value in wanted.items() if value is not None})
        return rows if subject is None else rows._beginning_with(subject)

    def _beginning_with(self, subject: str) -> EventQuerySet:
        """Those of subjects that begin so. Few are not searched for among the newest events of others."""
        rows = self.filter(subject__startswith=subject)
        few = list(rows.order_by().values_list("pk", flat=True)[: FEW + 1])
        return self.filter(pk__in=few) if len(few) <= FEW else rows


class Event(models.Model):
    """Who did what to which thing, when, from where, with which key. A trigger in the database lets lines in, and none out."""

    project = models.ForeignKey(
        Project, models.PROTECT, null=True, related_name="events", help_text="None: it is about an account."
    )
    project_name = models.CharField(max_length=39, blank=True, help_text="As it was then; stays when the project goes.")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=40)
    subject = models.CharField(max_length=300, help_text="What it was done to, by name.")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    token = models.CharField(max_length=120, blank=True, help_text="The access token that was used, by name.")
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(auto_now_add=True, db_index=True)
    once = models.CharField(max_length=100, null=True, editable=False, help_text="What there is one line of.")  # noqa: DJ001 - most lines have none

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["project", "-id"], name="events_of_a_project"),
            models.Index(fields=["action", "-id"], name="events_of_an_action"),
            models.Index(  # for the beginning of a subject too, which PostgreSQL's usual order does not serve
                fields=["project", "subject"], opclasses=["int8_ops", "varchar_pattern_ops"], name="events_by_subject"
            ),
        ]
        constraints = [models.UniqueConstraint(fields=["once"], condition=Q(once__isnull=False), name="one_line_of_it")]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
