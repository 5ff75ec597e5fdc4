"""Lists in pages: numbered where they are short, by cursor where they can grow without bound."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination, PageNumberPagination


class NumberedPages(PageNumberPagination):
    """{count, next, previous, results}"""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


class NewestFirst(CursorPagination):
    """{next, previous, results}: by a cursor over ids, newest first, the same speed on every page."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering = "-id"

    def decode_cursor(self, request: Any) -> Any:
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None and not re.fullmatch(r"[0-9]{1,18}", cursor.position):
            raise NotFound(self.invalid_cursor_message)  # it was made up: ours hold ids
        return cursor


class VersionPages(NewestFirst):
    def __init__(self, ordering: str = "-number") -> None:
        self.ordering = ordering


class MetricOverVersionsPages(NewestFirst):
    ordering = "-version_id"


class Onward(CursorPagination):
    """{next, previous, results} of a walk (registry.models.walks): the cursor only leads on, `previous` is null."""

    page_size = NewestFirst.page_size
    page_size_query_param = NewestFirst.page_size_query_param
    max_page_size = NewestFirst.max_page_size

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        self.base_url = request.build_absolute_uri()
        cursor = self.decode_cursor(request)
        try:
            rows, self.following = queryset.page(cursor and cursor.position, self.get_page_size(request))
        except ValueError:
            raise NotFound(self.invalid_cursor_message) from None
        return list(rows)

    def get_next_link(self) -> str | None:
        return None if self.following is None else self.encode_cursor(Cursor(0, False, self.following))

    def get_previous_link(self) -> None:
        return None


class MetricPages(NewestFirst):
    ordering = "id"
