"""Lists in pages: numbered where they are short, by cursor where they can grow without bound."""

from __future__ import annotations

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


class VersionPages(NewestFirst):
    ordering = "-number"


class MetricPages(NewestFirst):
    ordering = "id"
