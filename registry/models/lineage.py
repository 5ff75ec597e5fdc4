"""What came from what: artifact trees under a project, and the versions that a version was made from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Length

from registry import ulids
from registry.models.content import Blob
from registry.models.projects import Project
from registry.models.versions import Version

if TYPE_CHECKING:
    from registry.models.projects import Actor

MOST_LEVELS = 100  # a tree is answered nested, and this is what every reader of JSON takes


class HierarchyQuerySet(models.QuerySet["Hierarchy"]):
    def visible_to(self, actor: Actor) -> HierarchyQuerySet:
        return self.filter(project__in=Project.objects.visible_to(actor))


class Hierarchy(models.Model):
    """The levels of a project's artifact trees by name: {"0": "experiment", "1": "model", …}; without labels, any depth."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="hierarchies")
    name = models.CharField(max_length=100)
    level_labels = models.JSONField(default=dict, help_text="Level (from 0, as text) → its label.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = HierarchyQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "hierarchies"
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_hierarchy_per_name")]

    def __str__(self) -> str:
        return f"{self.project}: {self.name}"

    def has_level(self, level: int) -> bool:
        """Whether an artifact may stand there."""
        return str(level) in self.level_labels if self.level_labels else level < MOST_LEVELS

    def label_of(self, level: int) -> str | None:
        label: str | None = self.level_labels.get(str(level))
        return label


class JSONAsCame(models.TextField):
    """A JSON value kept as text: jsonb would sort its keys, and respell its numbers."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return value if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))


SUBTREE = """
    WITH RECURSIVE below(id, depth) AS (
        SELECT CAST(%s AS varchar(26)), 0
        UNION ALL
        SELECT child.id, below.depth + 1 FROM registry_artifact child JOIN below ON child.parent_id = below.id
        WHERE below.depth < %s
    ) SELECT id FROM below LIMIT %s
"""


ABOVE = """
    WITH RECURSIVE above(id, parent_id) AS (
        SELECT id, parent_id FROM registry_artifact WHERE id = %s
        UNION ALL
        SELECT one.id, one.parent_id FROM registry_artifact one JOIN above ON one.id = above.parent_id
    ) SELECT parent_id FROM above WHERE parent_id IS NOT NULL
"""
SHORT_DATA = 8_000  # characters


class ArtifactQuerySet(models.QuerySet["Artifact"]):
    def visible_to(self, actor: Actor) -> ArtifactQuerySet:
        return self.filter(project__in=Project.objects.visible_to(actor))

    def named(self, text: str) -> Artifact:
        """Return the artifact of this ULID, in capitals or not; Artifact.DoesNotExist also for what is no ULID."""
        try:
            return self.get(pk=ulids.normal(text))
        except ValueError:
            raise Artifact.DoesNotExist from None

    def for_listing(self, actor: Actor) -> ArtifactQuerySet:
        """With all that is shown of an artifact, and whether the actor may see its version: in one query."""
        seen = Version.objects.visible_to(actor).filter(pk=OuterRef("version_id"))
        rows = self.select_related("project", "hierarchy", "content", "created_by", "version__model__project")
        return rows.annotate(version_seen=Exists(seen))

    def in_tree_of(self, root: Artifact, *, depth: int = MOST_LEVELS, most: int = 2**31) -> ArtifactQuerySet:
        """The artifact and those below it, so many levels down; the first `most` of them, level by level."""
        return self.filter(pk__in=RawSQL(SUBTREE, [root.pk, min(depth, MOST_LEVELS), most]))

    def above(self, artifact: Artifact) -> ArtifactQuerySet:
        """Its parent, the parent of that, and so on; the root first."""
        return self.filter(pk__in=RawSQL(ABOVE, [artifact.pk])).order_by("level")

    def for_naming(self) -> ArtifactQuerySet:
        """With `short_data`, None where they are long, instead of `data`; and whether there are children. In one query."""
        short = Case(When(data_size__lte=SHORT_DATA, then=F("data")), default=None, output_field=JSONAsCame(null=True))
        children = Exists(Artifact.objects.filter(parent=OuterRef("pk")))
        return self.with_size_of_data().annotate(short_data=short, has_children=children).defer("data")

    def with_size_of_data(self) -> ArtifactQuerySet:
        """Annotate each with `data_size`, in characters."""
        return self.annotate(data_size=Length("data"))


class Artifact(models.Model):
    """A node of a lineage tree: data as JSON, bytes where it has some, and the version it stands for, if any."""

    id = models.CharField(primary_key=True, max_length=26, editable=False, help_text="ULID.")
    project = models.ForeignKey(Project, models.CASCADE, related_name="artifacts")
    hierarchy = models.ForeignKey(Hierarchy, models.PROTECT, related_name="artifacts")
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    level = models.PositiveIntegerField(default=0, help_text="0 for a root.")
    data = JSONAsCame(default=dict)
    content = models.ForeignKey(Blob, models.PROTECT, null=True, blank=True, related_name="artifacts")
    content_type = models.CharField(max_length=200, blank=True)
    version = models.ForeignKey(Version, models.PROTECT, null=True, blank=True, related_name="artifacts")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ArtifactQuerySet.as_manager()
    version_seen: bool  # whether the reader may see its version, where `for_listing` found the row

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["project", "id"], name="artifacts_of_a_project"),
            models.Index(fields=["parent", "id"], name="artifacts_of_a_parent"),
        ]
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
