"""Pages of lists that grow without bound: by the key of the first and last row, the same speed on every page.

Short lists, which are in an order of their own, have numbered pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import QuerySet
from django.http import HttpRequest

from lmvp.numerals import whole_number
from registry.errors import Invalid

ROWS = 50  # on one page
MOST_PAGES = 1_000_000  # beyond, the place in the list is no number that a database takes


def number_of(said: str) -> int:
    """Read a key that is a number; ValueError for what is none that a database takes."""
    number = whole_number(said)
    if number is None:
        raise ValueError(said)
    return number


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, newest first, and the queries that lead to its neighbours (empty: there is none)."""

    rows: list[Any]
    newer: str = ""
    older: str = ""
    number: int = 0  # of a numbered page, from 1


class Walk(Protocol):
    """A list whose order no index gives (registry.models.walks): it only leads on, from position to position."""

    def page(self, after: str | None, size: int) -> tuple[list[Any], str | None]: ...


def newest_first(
    rows: QuerySet[Any],
    request: HttpRequest,
    *,
    key: str = "pk",
    size: int = ROWS,
    read: Callable[[str], Any] = number_of,
) -> Page:
    """Return the page that `?before=` or `?after=` a key asks for, or the newest. `read` raises ValueError for no key."""
    return in_order(rows, request, by=f"-{key}", size=size, read=read)


def in_order(
    rows: QuerySet[Any], request: HttpRequest, *, by: str, size: int = ROWS, read: Callable[[str], Any] = number_of
) -> Page:
    """Return the same of rows by a column, ascending or (-column) descending; “newer” is then what comes before."""
    key, ascending = by.removeprefix("-"), not by.startswith("-")
    onward, back = ("after", "before") if ascending else ("before", "after")
    at, back_at = _key(request, onward, read), _key(request, back, read)
    if back_at is not None:
        found = list(_beyond(rows, key, back, back_at)[: size + 1])
        kept, more_back, more_onward = found[:size][::-1], len(found) > size, True
    else:
        found = list(_beyond(rows, key, onward, at)[: size + 1])
        kept, more_back, more_onward = found[:size], at is not None, len(found) > size
    if not kept:
        return Page([], newer=query(request) if at is not None or back_at is not None else "")
    first, last = getattr(kept[0], key), getattr(kept[-1], key)
    return Page(
        kept,
        newer=query(request, **{back: first}) if more_back else "",
        older=query(request, **{onward: last}) if more_onward else "",
    )


def walked(walk: Walk, request: HttpRequest, *, size: int = ROWS) -> Page:
    """Return the page of a walk that begins at `?from=` a position; “newer” is its first page."""
    position = request.GET.get("from") or None
    try:
        rows, following = walk.page(position, size)
    except ValueError:
        raise Invalid("invalid", "There is no such page. Go back to the first page.") from None
    return Page(
        rows,
        newer=query(request) if position else "",
        older=query(request, **{"from": following}) if following is not None else "",
    )


def _beyond(rows: QuerySet[Any], key: str, side: str, at: Any) -> QuerySet[Any]:
    """Return the rows on one side of a key, from it away; of all, where there is none."""
    lookup, sign = ("gt", "") if side == "after" else ("lt", "-")
    return (rows if at is None else rows.filter(**{f"{key}__{lookup}": at})).order_by(f"{sign}{key}")


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


def _key(request: HttpRequest, name: str, read: Callable[[str], Any] = number_of) -> Any:
    said = request.GET.get(name, "")
    try:
        return read(said) if said else None
    except ValueError:
        raise Invalid("invalid", f"There is no page {name} “{said[:40]}”. Go back to the first page.") from None
