"""Blobs and where they occur, and uploads on their way to become some. Looked at only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString

from registry.admin.housekeeping import WithHousekeeping
from registry.admin.pages import ModelsProjectFilter, ReadOnlyAdmin
from registry.models import Blob, Occurrence, Upload

OCCURRENCES_SHOWN = 20
DIGITS_SHOWN = 12


@admin.register(Blob)
class BlobAdmin(WithHousekeeping, ReadOnlyAdmin):
    list_display = ["first_digits", "human_size", "state", "created_at", "used_at", "verified_at"]
    list_filter = ["state"]
    search_fields = ["sha256__startswith"]
    search_help_text = "The first digits of a SHA-256."
    ordering = ["-created_at"]
    fields = ["sha256", "exact_size", "state", "created_at", "used_at", "verified_at"]

    def details(self, request: HttpRequest, obj: Blob) -> dict[str, Any]:
        places = Occurrence.objects.filter(digest=obj.sha256).select_related("model__project", "first_version")
        shown = list(places.order_by("pk")[: OCCURRENCES_SHOWN + 1])
        return {"occurrences": shown[:OCCURRENCES_SHOWN], "more_occurrences": len(shown) > OCCURRENCES_SHOWN}

    @admin.display(description="SHA-256", ordering="sha256")
    def first_digits(self, blob: Blob) -> SafeString:
        return format_html('<span title="{}">{}…</span>', blob.sha256, blob.sha256[:DIGITS_SHOWN])

    @admin.display(description="size", ordering="size")
    def human_size(self, blob: Blob) -> str:
        return filesizeformat(blob.size)

    @admin.display(description="size")
    def exact_size(self, blob: Blob) -> str:
        return f"{blob.size:,} bytes" + (f" ({filesizeformat(blob.size)})" if blob.size >= 1024 else "")


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    list_display = ["id", "model", "actor", "human_size", "arrived", "created_at", "expires_at", "stored_at"]
    list_filter = [("stored_at", admin.EmptyFieldListFilter), ModelsProjectFilter]
    list_select_related = ["model__project", "actor"]
    search_fields = ["sha256__startswith", "model__name", "model__project__name", "actor__username"]
    ordering = ["-created_at"]
    fields = ["model", "actor", "sha256", "size", "offset", "leased_until", "created_at", "expires_at", "stored_at"]

    @admin.display(description="size", ordering="size")
    def human_size(self, upload: Upload) -> str:
        return filesizeformat(upload.size)

    @admin.display(description="safe on disk", ordering="offset")
    def arrived(self, upload: Upload) -> str:
        return filesizeformat(upload.size if upload.stored_at else upload.offset)
