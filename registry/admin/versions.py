"""Registered models, their versions with files and metrics, and the names of versions with their moves."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from registry import trees
from registry.admin.housekeeping import WithTrash
from registry.admin.pages import (
    ModelsProjectFilter,
    ProjectFilter,
    ReadOnlyAdmin,
    RegistryAdmin,
    joined,
    list_link,
    pretty,
    version_link,
)
from registry.models import Project, Ref, RefMove, RegisteredModel, Tree, Version
from registry.permissions import Action, can
from registry.services import registered_models

FILES_PER_PAGE = 500
METRICS_SHOWN = MOVES_SHOWN = 200


class RefInline(admin.TabularInline):
    model = Ref
    verbose_name_plural = "branches, tags and aliases"
    fields = readonly_fields = ["kind", "name", "of_version", "protected", "active", "updated_at"]
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ref]:
        return super().get_queryset(request).select_related("version")

    def has_add_permission(self, request: HttpRequest, obj: Model | None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description="version")
    def of_version(self, ref: Ref) -> SafeString:
        return version_link(ref.version)


@admin.register(RegisteredModel)
class RegisteredModelAdmin(WithTrash, RegistryAdmin):
    list_display = ["__str__", "kind", "versions", "created_at", "updated_at"]
    list_filter = ["kind", ProjectFilter, ("trashed_at", admin.EmptyFieldListFilter)]
    list_select_related = ["project"]
    search_fields = ["name", "project__name"]
    ordering = ["project__name", "name"]
    readonly_fields = [
        *("project", "name", "kind", "default_branch", "versions"),
        *("created_by", "created_at", "updated_at", "trashed_at", "trashed_by", "purged_at"),
    ]
    fieldsets = [
        (
            None,
            {
                "fields": [*readonly_fields[:3], "description", *readonly_fields[3:]],
                "description": "Maintainers of the project change the description; join the project to do so.",
            },
        )
    ]
    inlines = [RefInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RegisteredModel]:
        return super().get_queryset(request).select_related("project")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: RegisteredModel | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or can(request.user, Action.EDIT_MODEL, obj.project))

    def save_model(self, request: HttpRequest, obj: RegisteredModel, form: forms.ModelForm, change: bool) -> None:
        registered_models.update_model(
            actor=request.user,
            model=RegisteredModel.objects.select_related("project").get(pk=obj.pk),
            description=form.cleaned_data["description"],
        )

    @admin.display(description="last number", ordering="last_number")
    def versions(self, model: RegisteredModel) -> SafeString:
        return list_link(Version, "model", model.pk, model.last_number)


@admin.register(Version)
class VersionAdmin(WithTrash, ReadOnlyAdmin):
    list_display = ["model", "number", "author", "title", "branch", "created_at", "files", "size"]
    list_display_links = ["model", "number"]
    list_filter = [ModelsProjectFilter, "model__kind", ("trashed_at", admin.EmptyFieldListFilter)]
    search_fields = ["model__name", "model__project__name", "digest__startswith", "message"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    fields = [
        *("model", "number", "digest", "tree", "author", "author_name", "branch", "parents", "names"),
        *("message", "metadata", "created_at", "files", "size", "deprecated", "deprecated_at"),
        *("trashed_at", "trashed_by", "undeleted_at", "purged_at"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        found = super().get_queryset(request)
        return found.select_related("model__project", "author", "tree").defer("tree__content")

    def details(self, request: HttpRequest, obj: Version) -> dict[str, Any]:
        page = Paginator(range(obj.tree.files), FILES_PER_PAGE).get_page(request.GET.get("page"))
        metrics = list(obj.metrics.select_related("author")[: METRICS_SHOWN + 1])
        readable = Project.objects.visible_to(request.user).filter(pk=obj.model.project_id).exists()
        place = [obj.model.project.name, obj.model.name, str(obj.number)]
        address = reverse("version", args=place) + "files/" if readable else ""
        start = max(page.start_index() - 1, 0)
        files = trees.files_between(Tree.objects.contents_of, obj.tree_id, start, page.end_index())
        return {
            "files": [(place, address and address + quote(place.path)) for place in files],
            "files_page": page,
            "readable": readable,
            "metrics": metrics[:METRICS_SHOWN],
            "more_metrics": len(metrics) > METRICS_SHOWN,
        }

    @admin.display(description="title")
    def title(self, version: Version) -> str:
        return version.title

    @admin.display(description="files", ordering="tree__files")
    def files(self, version: Version) -> int:
        return version.tree.files

    @admin.display(description="size", ordering="tree__size")
    def size(self, version: Version) -> str:
        return filesizeformat(version.tree.size)

    @admin.display(description="metadata")
    def metadata(self, version: Version) -> SafeString:
        return pretty(version.metadata)

    @admin.display(description="parents")
    def parents(self, version: Version) -> SafeString:
        links = version.parent_links.select_related("parent")
        return joined(version_link(link.parent) for link in links)

    @admin.display(description="refs")
    def names(self, version: Version) -> SafeString:
        return joined(
            format_html('<a href="{}">{}</a>', reverse("admin:registry_ref_change", args=[ref.pk]), ref)
            for ref in version.refs.all()
        )


@admin.register(Ref)
class RefAdmin(ReadOnlyAdmin):
    list_display = ["model", "kind", "name", "of_version", "protected", "active", "updated_at"]
    list_display_links = ["model", "name"]
    list_filter = ["kind", "protected", ModelsProjectFilter]
    search_fields = ["name", "model__name", "model__project__name"]
    ordering = ["-updated_at"]
    fields = ["model", "kind", "name", "of_version", "protected", "active", "created_at", "updated_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ref]:
        return super().get_queryset(request).select_related("model__project", "version")

    def details(self, request: HttpRequest, obj: Ref) -> dict[str, Any]:
        moves = RefMove.objects.filter(model=obj.model_id, kind=obj.kind, name=obj.name)
        shown = list(moves.select_related("actor", "from_version", "to_version")[: MOVES_SHOWN + 1])
        return {"moves": shown[:MOVES_SHOWN], "more_moves": len(shown) > MOVES_SHOWN}

    @admin.display(description="version", ordering="version__number")
    def of_version(self, ref: Ref) -> SafeString:
        return version_link(ref.version)
