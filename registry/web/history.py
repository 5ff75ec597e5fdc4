"""The history of a model as pages: a table with chosen metrics, filtered and sorted, and the graph of its branches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from registry.choosing import METRIC, OPERATORS, Chosen, chosen_versions, conditions_of
from registry.errors import Invalid
from registry.models import Metric, Ref, RegisteredModel, Version
from registry.models.histories import Beside, beside
from registry.models.metrics import Condition
from registry.web.pages import show
from registry.web.paging import ROWS, Page, in_order, query, walked
from registry.web.places import ModelPlace, model_at

MOST_COLUMNS, USUAL_COLUMNS = 8, 3  # of metrics
MOST_NAMES = 200  # of metrics and of branches, to choose from
MOST_COMPARED = 20
SIGNS = {"lt": "<", "lte": "≤", "gt": ">", "gte": "≥", "eq": "=", "ne": "≠"}
NUMBER = re.compile("[0-9]{1,9}")
OF_THE_PAGE = ("before", "after", "from")
ADDING = ("condition-name", "condition-operator", "condition-value")


@dataclass(frozen=True, slots=True)
class Cell:
    """One metric's value in one version, and by how much it is more than in the first parent; None: not comparable."""

    name: str
    value: float | str | None
    change: float | None

    @property
    def amount(self) -> float:
        return abs(self.change or 0.0)


@dataclass(frozen=True, slots=True)
class Line:
    """A version's line in the table."""

    version: Version
    beside: Beside
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's heading: a link that sorts by it. `sorted`: as aria-sort says it, empty when it does not order the list."""

    label: str
    sorted: str
    address: str


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force, and the address without it."""

    label: str
    without: str


@require_safe
def versions(request: HttpRequest, project: str, model: str) -> HttpResponse:
    place = model_at(request, project, model)
    if "selected" in request.GET:
        return _to_compare(request, place.model)
    added, refused = _with_condition(request)
    if added:
        return redirect(added)
    chosen = chosen_versions(request.GET, place.model, also=("metric",))
    page = _page(chosen, request)
    names = newest_names(place.model)
    columns = chosen_names(request, names)
    facts = _told(request, place, columns, page) | _words_of(chosen.ordering)
    facts |= {"page": page, "names": names, "columns": columns, "refused": refused}
    twin = f"{place.twin}versions/?{urlencode(kept(request, 'metric'))}"
    return show(request, "versions", place, tab="versions", twin=twin, **facts)


def _page(chosen: Chosen, request: HttpRequest) -> Page:
    if isinstance(chosen.rows, QuerySet):
        return in_order(chosen.rows, request, by=chosen.ordering, size=ROWS)
    return walked(chosen.rows, request, size=ROWS)


def _told(request: HttpRequest, place: ModelPlace, columns: list[str], page: Page) -> dict[str, Any]:
    return {
        "lines": list(_lines(place.model, page.rows, columns)),
        "number_heading": _number_heading(request),
        "headings": [_heading(request, name) for name in columns],
        "chips": list(_chips(request)),
        "branches": branch_names(place.model, request.GET.get("branch", "")),
        "authors": sorted({version.author_name for version in page.rows}),
        "signs": SIGNS,
        "kept": {
            "columns": kept(request, "metric"),
            "filter": kept(request, "branch", "author"),
            "condition": kept(request),
        },
        "most_compared": MOST_COMPARED,
        "whole": query_without(request, "branch", "author", *(name for name in request.GET if name.startswith(METRIC))),
    }


def _words_of(ordering: str) -> dict[str, str]:
    """Return what the ways to the page before and behind are called, where it is not by time."""
    if ordering == "-number":
        return {}
    return {"back": "Previous", "onward": "Next"} if ordering else {"back": "First page", "onward": "Next"}


def _lines(model: RegisteredModel, found: Sequence[Version], names: list[str]) -> Iterator[Line]:
    around = beside(found, names)
    for version in found:
        version.model = model
        one = around[version.pk]
        yield Line(version, one, [_cell(name, one) for name in names])


def _cell(name: str, one: Beside) -> Cell:
    value, before = one.values.get(name), one.before.get(name)
    comparable = isinstance(value, float) and isinstance(before, float)
    return Cell(name, value, value - before if comparable else None)  # type: ignore[operator]


# --- What may be chosen


def newest_names(model: RegisteredModel) -> list[str]:
    """Return the names of metrics to choose from, those of the newest versions first."""
    rows = Metric.objects.newest_in(model).values_list("version_id", "name")
    return [name for _, name in sorted(rows, key=lambda row: (-row[0], row[1]))]


def chosen_names(
    request: HttpRequest, names: list[str], *, usual: int = USUAL_COLUMNS, most: int = MOST_COLUMNS
) -> list[str]:
    """Return the metrics that `?metric=` asks for, or the first few."""
    said = [name for name in dict.fromkeys(request.GET.getlist("metric")) if name and len(name) <= 200]
    return said[:most] or names[:usual]


def branch_names(model: RegisteredModel, chosen: str) -> list[str]:
    """Return the branches to choose from, the one last moved first, and the chosen one in any case."""
    rows = Ref.objects.filter(model=model, kind=Ref.Kind.BRANCH).order_by("-updated_at")
    names = list(rows.values_list("name", flat=True)[:MOST_NAMES])
    return names if not chosen or chosen in names else [chosen, *names]


def _chips(request: HttpRequest) -> Iterator[Chip]:
    for name in ("branch", "author"):
        if request.GET.get(name):
            yield Chip(f"{name}: {request.GET[name]}", query_without(request, name))
    for name, value, condition in conditions_of(request.GET, also=("metric",)):
        yield Chip(_said(condition), query_without(request, **{name: value}))


def _said(condition: Condition) -> str:
    operand = f"“{condition.operand}”" if isinstance(condition.operand, str) else f"{condition.operand:.6g}"
    return f"{condition.name} {SIGNS[condition.operator]} {operand}"


def _with_condition(request: HttpRequest) -> tuple[str, str]:
    """Return the address that a filled condition form leads to, or what is wrong with it; neither when none was sent."""
    name, operator, value = (request.GET.get(part, "").strip() for part in ADDING)
    if not any(part in request.GET for part in ADDING):
        return "", ""
    if not name or not value:
        return "", "Give the name of a metric and a value."
    parameter = f"{METRIC}{name}__{operator}"
    try:
        conditions_of(QueryDict(urlencode({parameter: value})))
    except Invalid as error:
        return "", error.message
    said = QueryDict(mutable=True)
    said.setlist(parameter, [value])
    return f"{request.path}?{urlencode([*kept(request), (parameter, value)])}", ""


def kept(request: HttpRequest, *without: str) -> list[tuple[str, str]]:
    """Return the parameters that a form carries on: all but these, and the place in the list."""
    left_out = {*without, *OF_THE_PAGE, *ADDING, "selected"}
    return [(name, value) for name in request.GET if name not in left_out for value in request.GET.getlist(name)]


def query_without(request: HttpRequest, *names: str, **values: str) -> str:
    """Return the page's query without these parameters, and without these values of others."""
    pairs = [(name, value) for name, value in kept(request, *names) if values.get(name) != value]
    return f"?{urlencode(pairs)}"


# --- Order


def _number_heading(request: HttpRequest) -> Heading:
    order = request.GET.get("order_by") or "-number"
    sorted_now = {
        "-number": "descending",
        "-created_at": "descending",
        "number": "ascending",
        "created_at": "ascending",
    }
    now = sorted_now.get(order, "")
    return Heading("Version", now, query(request, order_by="number" if now == "descending" else "-number"))


def _heading(request: HttpRequest, name: str) -> Heading:
    order = request.GET.get("order_by", "")
    now = {f"-{METRIC}{name}": "descending", f"{METRIC}{name}": "ascending"}.get(order, "")
    return Heading(name, now, query(request, order_by=f"{'' if now == 'descending' else '-'}{METRIC}{name}"))


# --- Compare


def _to_compare(request: HttpRequest, model: RegisteredModel) -> HttpResponse:
    """Go to the comparison of the versions that were ticked: a form alone cannot write them with commas."""
    numbers = [said for said in dict.fromkeys(request.GET.getlist("selected")) if NUMBER.fullmatch(said)]
    if not 2 <= len(numbers) <= MOST_COMPARED:
        messages.error(request, f"Tick 2 to {MOST_COMPARED} versions to compare.")
        return redirect(f"{request.path}{query_without(request)}")
    ordered = sorted(map(int, numbers))
    return redirect(f"{model.get_absolute_url()}compare/?versions={','.join(map(str, ordered))}")


assert set(SIGNS) == set(OPERATORS)
