"""Hierarchies and the artifacts of their trees. Looked at only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from registry.admin.pages import ProjectFilter, ReadOnlyAdmin, list_link, pretty
from registry.models import Artifact, Hierarchy


@admin.register(Hierarchy)
class HierarchyAdmin(ReadOnlyAdmin):
    list_display = ["name", "project", "levels", "created_at"]
    list_filter = [ProjectFilter]
    list_select_related = ["project"]
    search_fields = ["name", "project__name"]
    ordering = ["project__name", "name"]
    fields = ["project", "name", "labels", "artifacts", "created_at"]

    @admin.display(description="levels")
    def levels(self, hierarchy: Hierarchy) -> str:
        return " → ".join(hierarchy.level_labels.values()) or "any"

    @admin.display(description="level labels")
    def labels(self, hierarchy: Hierarchy) -> SafeString | str:
        return pretty(hierarchy.level_labels)

    @admin.display(description="artifacts")
    def artifacts(self, hierarchy: Hierarchy) -> SafeString:
        return list_link(Artifact, "hierarchy", hierarchy.pk, "its artifacts")


@admin.register(Artifact)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = ["id", "project", "hierarchy_name", "level", "created_by", "created_at", "updated_at"]
    list_filter = [ProjectFilter, ("version", admin.EmptyFieldListFilter)]
    search_fields = ["id__istartswith", "project__name", "content__sha256__startswith"]
    search_help_text = "The beginning of an id or of the SHA-256 of a content, or a project."
    ordering = ["-id"]
    fields = [
        *("id", "project", "hierarchy", "level", "parent", "children_shown", "data_shown"),
        *("content", "content_type", "version", "created_by", "created_at", "updated_at"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Artifact]:
        rows = super().get_queryset(request)
        return rows.select_related("project", "hierarchy__project", "created_by", "version__model__project")

    @admin.display(description="hierarchy", ordering="hierarchy__name")
    def hierarchy_name(self, artifact: Artifact) -> str:
        return artifact.hierarchy.name

    @admin.display(description="children")
    def children_shown(self, artifact: Artifact) -> SafeString:
        return list_link(Artifact, "parent", artifact.pk, artifact.children.count())

    @admin.display(description="data")
    def data_shown(self, artifact: Artifact) -> SafeString | str:
        return pretty(artifact.data)
