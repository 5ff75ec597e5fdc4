"""Lists in pages: numbered where they are short, by cursor where they can grow without bound."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination, PageNumberPagination


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
    ordering = "-number"


class MetricPages(NewestFirst):
    ordering = "id"
