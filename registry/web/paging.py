"""Pages of lists that grow without bound: by the key of the first and last row, the same speed on every page.

Short lists, which are in an order of their own, have numbered pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from registry.errors import Invalid

ROWS = 50  # on one page
MOST_PAGES = 1_000_000  # beyond, the place in the list is no number that a database takes


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, newest first, and the queries that lead to its neighbours (empty: there is none)."""

    rows: list[Any]
    newer: str = ""
    older: str = ""
    number: int = 0  # of a numbered page, from 1


def newest_first(rows: QuerySet[Any], request: HttpRequest, *, key: str = "pk", size: int = ROWS) -> Page:
    """Return the page that `?before=` or `?after=` a key asks for, or the newest."""
    before, after = _key(request, "before"), _key(request, "after")
    if after is not None:
        found = list(rows.filter(**{f"{key}__gt": after}).order_by(key)[: size + 1])
        kept, more_newer, more_older = found[:size][::-1], len(found) > size, True
    else:
        older = rows if before is None else rows.filter(**{f"{key}__lt": before})
        found = list(older.order_by(f"-{key}")[: size + 1])
        kept, more_newer, more_older = found[:size], before is not None, len(found) > size
    if not kept:
        return Page([], newer=query(request) if before is not None or after is not None else "")
    first, last = getattr(kept[0], key), getattr(kept[-1], key)
    return Page(
        kept,
        newer=query(request, after=first) if more_newer else "",
        older=query(request, before=last) if more_older else "",
    )


def numbered(rows: Sequence[Any] | QuerySet[Any], request: HttpRequest, *, size: int = ROWS) -> Page:
    """Return the page that `?page=` asks for, without counting the rows."""
    number = max(_key(request, "page") or 1, 1)
    start = (min(number, MOST_PAGES) - 1) * size
    found = list(rows[start : start + size + 1])
    newer = query(request, page=number - 1) if number > 2 else query(request)
    older = query(request, page=number + 1) if len(found) > size else ""
    return Page(found[:size], newer=newer if number > 1 else "", older=older, number=number)


def query(request: HttpRequest, **changes: object) -> str:
    """Return the page's query with the place in the list exchanged, beginning with a question mark."""
    said = request.GET.copy()
    for name in ("before", "after", "from", "page"):
        said.pop(name, None)
    for name, value in changes.items():
        said[name] = str(value)
    return f"?{said.urlencode()}"


def _key(request: HttpRequest, name: str) -> int | None:
    said = request.GET.get(name, "")
    if said and not (said.isascii() and said.isdigit() and len(said) <= 18):
        raise Invalid("invalid", f"There is no page {name} “{said[:40]}”. Go back to the first page.")
    return int(said) if said else None
