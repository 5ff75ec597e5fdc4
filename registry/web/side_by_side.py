"""The page that puts several versions side by side: a table, a chart of one series, and parameters against a metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from registry.diffs.values import MISSING, Row
from registry.digests import is_finite_number
from registry.models import Metric, Version
from registry.series import Series
from registry.services import tables
from registry.services.tables import Table
from registry.web.pages import show
from registry.web.places import ModelPlace

MOST_ROWS = 300  # of metrics, and of metadata
MOST_POINTS = 300  # of one line
MOST_AXES = 8  # parameters beside each other
LONGEST_TEXT = 24  # characters of a value on an axis
KEPT = ("differing", "metric", "against")


def revisions(said: str) -> list[str]:
    return [one.strip() for one in said.split(",") if one.strip()]


def query(chosen: Iterable[str], said: Mapping[str, Any], **changes: str) -> str:
    """Return the query of the page about these revisions, with what else was said; an empty change takes a word out."""
    kept = {name: said.get(name, "") for name in KEPT} | changes
    made = QueryDict(mutable=True)
    made["versions"] = ",".join(dict.fromkeys(chosen))
    for name, value in kept.items():
        if value:
            made[name] = value
    return f"?{made.urlencode(safe=',')}"


def page(request: HttpRequest, place: ModelPlace, chosen: dict[str, Version]) -> HttpResponse:
    """Answer the page about versions, by revision as they were asked for."""
    for version in chosen.values():
        version.model = place.model
    differing = request.GET.get("differing") == "true"
    table = tables.side_by_side(list(chosen.values()), differing=False)
    facts: dict[str, Any] = {
        "columns": _columns(request, chosen, table),
        "groups": [_group("Metrics", table.metrics, differing), _group("Metadata", table.metadata, differing)],
        "differing": differing,
        "toggle": query(chosen, request.GET, differing="" if differing else "true"),
        "room": tables.MOST - len(chosen),
        "versions_said": ",".join(chosen),
        "kept": {name: request.GET[name] for name in KEPT if request.GET.get(name)},
        "lines": _lines(request, table.versions),
        "parallel": _parallel(request, table),
    }
    twin = reverse("comparison-table", args=[place.project.name, place.model.name]) + query(chosen, {})
    return show(request, "side_by_side", place, tab="compare", twin=twin, **facts)


@dataclass(frozen=True, slots=True)
class Column:
    """A version at the head of the table, and the links that change the set."""

    version: Version
    refs: Sequence[tuple[str, str]]
    without: str  # the page without it; empty where too few would be left
    against_first: str  # the comparison of the first with it; empty for the first


def _columns(request: HttpRequest, chosen: dict[str, Version], table: Table) -> list[Column]:
    first = next(iter(chosen))
    found = []
    for revision, version in chosen.items():
        others = [one for one in chosen if one != revision]
        without = query(others, request.GET) if len(others) >= tables.FEWEST else ""
        place = [version.model.project.name, version.model.name, first, revision]
        against = reverse("web:compare", args=place) if revision != first else ""
        found.append(Column(version, table.around[version.pk].refs, without, against))
    return found


# --- The table


@dataclass(frozen=True, slots=True)
class Cell:
    """A value; `share` from 0 to 1 where it lies between the smallest and the largest of its row, `mark` where it is one."""

    value: Any
    share: float | None = None
    mark: str = ""


def _group(heading: str, rows: list[Row], differing: bool) -> tuple[str, list[Any], int]:
    """Return a heading, the rows below it with their cells, and how many more there are."""
    kept = [row for row in rows if row.differs or not differing]
    return heading, [_cells(row) for row in kept[:MOST_ROWS]], len(kept) - MOST_ROWS


def _cells(row: Row) -> tuple[str, bool, list[Cell]]:
    """Return a row's name, whether it differs, and its cells."""
    numbers = [value for value in row.values if is_finite_number(value)]
    low, high = (min(numbers), max(numbers)) if numbers else (0, 0)
    return row.name, row.differs, [_cell(value, low, high) for value in row.values]


def _cell(value: Any, low: float, high: float) -> Cell:
    if low == high or not is_finite_number(value):
        return Cell(value)
    mark = "min" if value == low else "max" if value == high else ""
    return Cell(value, share=_share(value, low, high), mark=mark)


def _share(value: float, low: float, high: float) -> float:
    return float(value / 2 - low / 2) / float(high / 2 - low / 2)  # halves: a difference may be larger than numbers go


# --- One series of each


@dataclass(frozen=True, slots=True)
class Line:
    """One version's series, as a row of the table that says the same as the chart."""

    version: Version
    series: Series

    @property
    def lowest(self) -> tuple[int, float]:
        return min(self.series.points, key=lambda point: point[1])

    @property
    def highest(self) -> tuple[int, float]:
        return max(self.series.points, key=lambda point: point[1])


def _lines(request: HttpRequest, versions: Sequence[Version]) -> dict[str, Any]:
    names = Metric.objects.series_in(versions)
    wanted = request.GET.get("metric", "")
    name = wanted if wanted in names else max(names, key=lambda one: names[one], default="")
    found = []
    for version in versions if name else []:
        rows = Metric.objects.filter(version=version, name=name, step__isnull=False)
        series = rows.series("step", most=MOST_POINTS)
        if series.total:
            found.append(Line(version, series))
    drawn = [{"name": f"v{one.version.number}", "points": one.series.points} for one in found]
    menu = [
        (one, f"{one} ({count} of {len(versions)} versions)" if count < len(versions) else one)
        for one, count in names.items()
    ]
    return {
        "name": name,
        "unknown": wanted if wanted != name else "",
        "menu": menu,
        "rows": found,
        "chart": {"kind": "lines", "x": "step", "y": name, "series": drawn},
    }


# --- Parameters against a metric


def _parallel(request: HttpRequest, table: Table) -> dict[str, Any]:
    """Return the parameters that differ as axes, the metric as the last one, over the versions that have it."""
    menu = [row.name for row in table.metrics if sum(map(is_finite_number, row.values)) >= tables.FEWEST]
    differing = [row.name for row in table.metrics if row.name in set(menu) and row.differs]
    wanted = request.GET.get("against", "")
    name = wanted if wanted in menu else next(iter([*differing, *menu]), "")
    metric = next((row for row in table.metrics if row.name == name), Row("", []))
    parameters = [row for row in table.metadata if row.differs and _is_axis(row)]
    kept = [n for n, value in enumerate(metric.values) if is_finite_number(value)]
    axes = [_axis(row, kept) for row in [*parameters[:MOST_AXES], metric]]
    addresses = [table.versions[n].get_absolute_url() for n in kept]
    names = [f"v{table.versions[n].number}" for n in kept]
    return {
        "name": name,
        "unknown": wanted if wanted != name else "",
        "menu": menu,
        "parameters": parameters[:MOST_AXES],
        "more": max(0, len(parameters) - MOST_AXES),
        "without": len(table.versions) - len(kept),
        "chart": {"kind": "parallel", "axes": axes, "names": names, "addresses": addresses},
    }


def _is_axis(row: Row) -> bool:
    return all(value is MISSING or value is None or _drawn(value) is not None for value in row.values)


def _axis(row: Row, kept: list[int]) -> dict[str, Any]:
    values = [_drawn(row.values[n]) for n in kept]
    if any(isinstance(value, str) for value in values):  # then an axis of words, on which nothing is missing
        values = ["–" if value is None else str(value) for value in values]
    return {"name": row.name, "values": values}


def _drawn(value: Any) -> float | str | None:
    """Return a value as it stands on an axis; None for what cannot."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else None
    return float(value) if is_finite_number(value) else None
