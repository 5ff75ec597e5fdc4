"""What came from what: artifact trees under a project, and the versions that a version was made from."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from registry.models.content import Blob
from registry.models.projects import Project
from registry.models.versions import Version


class Hierarchy(models.Model):
    """The levels of a project's artifact trees by name: {"0": "experiment", "1": "model", …}; without labels, any depth."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="hierarchies")
    name = models.CharField(max_length=100)
    level_labels = models.JSONField(default=dict, help_text="Level (from 0, as text) → its label.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_hierarchy_per_name")]

    def __str__(self) -> str:
        return f"{self.project}: {self.name}"


class Artifact(models.Model):
    """A node of a lineage tree: data as JSON, bytes where it has some, and the version it stands for, if any."""

    id = models.CharField(primary_key=True, max_length=26, editable=False, help_text="ULID.")
    project = models.ForeignKey(Project, models.CASCADE, related_name="artifacts")
    hierarchy = models.ForeignKey(Hierarchy, models.PROTECT, related_name="artifacts")
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    level = models.PositiveIntegerField(default=0, help_text="0 for a root.")
    data = models.JSONField(default=dict)
    content = models.ForeignKey(Blob, models.PROTECT, null=True, blank=True, related_name="artifacts")
    content_type = models.CharField(max_length=200, blank=True)
    version = models.ForeignKey(Version, models.PROTECT, null=True, blank=True, related_name="artifacts")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(parent=None, level=0) | Q(parent__isnull=False, level__gt=0), name="only_roots_have_level_0"
            ),
            models.CheckConstraint(
                condition=Q(parent=None) | ~Q(parent=F("id")), name="artifact_is_not_its_own_parent"
            ),
        ]

    def __str__(self) -> str:
        return self.id


class Derivation(models.Model):
    """A version and one it was made from, in another model: its dataset, its base model. Written at publish."""

    version = models.ForeignKey(Version, models.CASCADE, related_name="derivations")
    source = models.ForeignKey(Version, models.PROTECT, related_name="derived")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["version", "source"], name="one_derivation_per_source")]

    def __str__(self) -> str:
        return f"{self.version_id} ⇐ {self.source_id}"
