"""The metrics of a model over its versions: a chart for each chosen one, its table, and parameters against it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from registry.choosing import head_of
from registry.models import Metric, RegisteredModel, Version
from registry.parameters import Axis, axes
from registry.series import Point, Series
from registry.web.history import branch_names, chosen_names, kept, newest_names, query_without
from registry.web.pages import show
from registry.web.paging import Page, newest_first
from registry.web.places import model_at

MOST_CHARTS = 3
POINTS = 400  # of one chart: more than there are pixels to tell them apart
ON_BRANCH = 1000  # newest versions of a branch that are looked at
COMPARED = 200  # newest versions whose parameters stand beside the metric
LONGEST_METADATA = 16_384  # characters of each of them that are read
USUAL_AXES, MOST_AXES = 5, 8  # beside the metric


@dataclass(frozen=True, slots=True)
class Ends:
    """The versions with the highest and the lowest number of a metric; of several with it, the newest."""

    highest: tuple[int, float]
    lowest: tuple[int, float]


@dataclass(frozen=True, slots=True)
class Chart:
    """One metric over versions: as charts.js draws it, of how many versions, and its ends. No ends: it holds texts.

    No total: the page's script asks for the points.
    """

    name: str
    total: int | None
    drawn: int
    data: dict[str, Any]
    ends: Ends | None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table under the charts."""

    metric: Any
    values: list[float | str | None]


@require_safe
def of_model(request: HttpRequest, project: str, model: str) -> HttpResponse:
    place = model_at(request, project, model)
    names = newest_names(place.model)
    chosen = chosen_names(request, names, usual=1, most=MOST_CHARTS)
    facts: dict[str, Any] = {"names": names, "chosen": chosen, "branches": [], "kept": {}}
    if chosen:
        facts |= _of_names(request, place.model, chosen)
    name = f"?{urlencode({'name': chosen[0]})}" if chosen else ""
    return show(request, "metrics", place, tab="metrics", twin=f"{place.twin}metrics/{name}", **facts)


def _of_names(request: HttpRequest, model: RegisteredModel, chosen: list[str]) -> dict[str, Any]:
    line = _line(request, model)
    rows = Metric.objects.latest_of(model, chosen[0])
    rows = rows if line is None else rows.filter(version__in=list(line))
    page = newest_first(rows.select_related("version"), request, key="version_id")
    return {
        "page": page,
        "rows": _rows(page, chosen),
        "charts": _charts(model, chosen, line),
        "parallel": _parallel(request, model, chosen[0], line),
        "branches": branch_names(model, request.GET.get("branch", "")),
        "kept": {"choice": kept(request, "metric", "branch"), "axes": kept(request, "axis")},
        "whole": query_without(request, "branch"),
        "on_branch": ON_BRANCH if line and len(line) == ON_BRANCH else None,
    }


def _line(request: HttpRequest, model: RegisteredModel) -> dict[int, int] | None:
    """Return the newest versions on the chosen branch, numbers by ids; None: the page is about all versions."""
    head = head_of(request.GET, model)
    return None if head is None else dict(Version.objects.line_from(head.pk, ON_BRANCH - 1))


def _rows(page: Page, chosen: list[str]) -> list[Row]:
    others = Metric.objects.values_of([metric.version_id for metric in page.rows], chosen[1:])
    return [
        Row(metric, [metric.shown, *(others.get(metric.version_id, {}).get(name) for name in chosen[1:])])
        for metric in page.rows
    ]


# --- Charts


def _charts(model: RegisteredModel, chosen: list[str], line: dict[int, int] | None) -> list[Chart]:
    if line is None:
        first, *others = chosen
        whole = _chart(model, first, Metric.objects.over_versions(model, first, most=POINTS))
        return [whole, *(_beside(model, name) for name in others)]
    found = Metric.objects.values_of(line, chosen)
    return [_chart(model, name, _of_line(line, found, name)) for name in chosen]


def _of_line(line: dict[int, int], found: dict[int, dict[str, float | str]], name: str) -> Series:
    values = [(line[pk], values.get(name)) for pk, values in found.items()]
    points = sorted((number, value) for number, value in values if isinstance(value, float))
    return Series(len(points), points)


def _chart(model: RegisteredModel, name: str, series: Series) -> Chart:
    ends = _ends_of(series) if len(series.points) == series.total else _ends(model, name, _ends_of(series))
    return Chart(name, series.total, len(series.points), _lines(model, name, series.points), ends)


def _beside(model: RegisteredModel, name: str) -> Chart:
    """Return a further chart: thinning a long series takes so long that the page does not wait for a second one."""
    few = Metric.objects.few_over_versions(model, name, most=POINTS)
    if few is not None:
        return _chart(model, name, few)
    numbers = Metric.objects.latest_of(model, name)
    ends = [numbers.ranked(descending=down).values_list("version__number", "value")[0] for down in (True, False)]
    asked = {"name": name, "points": POINTS}
    source = f"{reverse('model', args=[model.project.name, model.name])}metrics/?{urlencode(asked)}"
    return Chart(name, None, POINTS, _lines(model, name, []) | {"source": source}, _ends(model, name, Ends(*ends)))


def _lines(model: RegisteredModel, name: str, points: Sequence[Point]) -> dict[str, Any]:
    series = [{"name": name, "points": [list(point) for point in points]}]
    return {"kind": "lines", "x": "version", "prefix": "v", "y": name, "series": series, "address": _address(model)}


def _address(model: RegisteredModel) -> str:
    """Return where a version's page is, for charts: {x} stands for its number."""
    return reverse("web:version", args=[model.project.name, model.name, "0"]).removesuffix("0/") + "{x}/"


def _ends(model: RegisteredModel, name: str, found: Ends | None) -> Ends | None:
    """Return the ends of a long series: the numbers are known, but the newest versions with them may be others."""
    if found is None:
        return None
    rows = Metric.objects.latest_of(model, name).order_by("-version_id").values_list("version__number", "value")
    newest = {value: rows.filter(value=value).first() for _, value in (found.highest, found.lowest)}
    return Ends(newest[found.highest[1]] or found.highest, newest[found.lowest[1]] or found.lowest)


def _ends_of(series: Series) -> Ends | None:
    if not series.points:
        return None
    highest = max(series.points, key=lambda point: (point[1], point[0]))
    lowest = min(series.points, key=lambda point: (point[1], -point[0]))
    return Ends(highest, lowest)


# --- Parameters against a metric


def _parallel(
    request: HttpRequest, model: RegisteredModel, name: str, line: dict[int, int] | None
) -> dict[str, Any] | None:
    """Return the newest versions' parameters and the metric as axes, as a chart and as a table; None: there are none."""
    found = _with_metadata(model, name, line)
    offered = axes([json.loads(metadata) for _, _, metadata in found])
    if len(found) < 2 or not offered:
        return None
    said = request.GET.getlist("axis")
    chosen = [axis for axis in offered if axis.name in said][:MOST_AXES]
    chosen = chosen or [axis for axis in offered if axis.worth_showing][:USUAL_AXES]
    shown = [*chosen, Axis(name, [value for _, value, _ in found])]
    numbers = [number for number, _, _ in found]
    return {
        "offered": [(axis.name, axis in chosen) for axis in offered],
        "names": [axis.name for axis in shown],
        "lines": list(zip(numbers, zip(*(axis.values for axis in shown), strict=True), strict=True)),
        "data": _parallel_data(model, numbers, shown) if chosen else None,
    }


def _parallel_data(model: RegisteredModel, numbers: Sequence[int], shown: Sequence[Axis]) -> dict[str, Any]:
    return {
        "kind": "parallel",
        "axes": [{"name": axis.name, "values": axis.values} for axis in shown],
        "names": [f"v{number}" for number in numbers],
        "addresses": [_address(model).replace("{x}", str(number)) for number in numbers],
    }


def _with_metadata(model: RegisteredModel, name: str, line: dict[int, int] | None) -> list[tuple[int, float, str]]:
    """Return number, value and metadata of the newest versions that have a number under this name, the newest first."""
    rows = Metric.objects.latest_of(model, name).filter(value__isnull=False)
    rows = rows if line is None else rows.filter(version__in=list(line))
    values = dict(rows.order_by("-version_id").values_list("version_id", "value")[:COMPARED])
    kept = Version.objects.filter(pk__in=values).alias(long=Length("metadata_json"))
    found = kept.filter(long__lte=LONGEST_METADATA).order_by("-number").values_list("pk", "number", "metadata_json")
    return [(number, values[pk], metadata) for pk, number, metadata in found]
