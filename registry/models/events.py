"""The audit log: one line per write, in the same transaction."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from registry.models.projects import Project


class Event(models.Model):
    """Who did what to which thing, when, from where, with which key. Only added."""

    project = models.ForeignKey(Project, models.SET_NULL, null=True, related_name="events")
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

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["project", "-id"], name="events_of_a_project")]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
