"""What the pages of the registry share: who may not, how refusals are said, the filter by project, links."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.errors import Refusal
from registry.models import Version


class TypedFilter(admin.SimpleListFilter):
    """A box to type into: a list of all that there is would be long."""

    template = "admin/registry/text_filter.html"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return []

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        kept = {key: value for key, value in changelist.params.items() if key != self.parameter_name}
        yield {
            "parameter": self.parameter_name,
            "value": self.value() or "",
            "kept": kept,
            "clear": f"?{urlencode(kept)}",
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        text = (self.value() or "").replace("\0", "").strip()
        return self.those(queryset, text) if text else queryset

    def those(self, queryset: QuerySet[Any], text: str) -> QuerySet[Any]:
        """Return the rows that the typed text is for."""
        raise NotImplementedError


class ProjectFilter(TypedFilter):
    title = "project"
    parameter_name = "project_name"
    path = "project"

    def those(self, queryset: QuerySet[Any], text: str) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.path}__name__icontains": text})


class ModelsProjectFilter(ProjectFilter):
    path = "model__project"


class RegistryAdmin(admin.ModelAdmin):
    """What the pages below share: nothing is deleted, refusals are messages, `project/model` finds the model."""

    list_per_page = 50
    show_full_result_count = False
    view_on_site = False  # an administrator may not be one of those who see the project there

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        return super().get_search_results(request, queryset, search_term.replace("/", " "))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Refusal as refusal:  # outside of the form's transaction: all of it is rolled back
            said = [refusal.message]
        except ValidationError as error:
            said = error.messages
        for line in said:
            self.message_user(request, f"Nothing was saved. {line}", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    def details(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What the page of one row shows below its fields, for its template."""
        return {}

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if kwargs.get("obj"):
            context |= self.details(request, kwargs["obj"])
        return super().render_change_form(request, context, **kwargs)


class ReadOnlyAdmin(RegistryAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def list_link(model: type[Model], field: str, pk: int | str, words: object) -> SafeString:
    address = reverse(f"admin:registry_{model._meta.model_name}_changelist")
    return format_html('<a href="{}?{}__id__exact={}">{}</a>', address, field, pk, words)


def version_link(version: Version) -> SafeString:
    return format_html(
        '<a href="{}">v{}</a>', reverse("admin:registry_version_change", args=[version.pk]), version.number
    )


def joined(links: Iterator[SafeString]) -> SafeString:
    return format_html_join(", ", "{}", ((link,) for link in links)) or SafeString("–")


def pretty(value: object) -> SafeString | str:
    if value is None:
        return "–"
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
