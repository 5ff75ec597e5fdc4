"""The metrics of one version as its page shows them: the latest values beside those of a parent, and series as charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from registry.diffs.values import MetricChange
from registry.models import Metric, Version
from registry.series import Series
from registry.web.paging import query

ROWS = 50
CHARTS = 6
POINTS = 400


@dataclass(frozen=True, slots=True)
class Row:
    """The value that stands for a name; what the parent has there, and by how much they differ where both are numbers."""

    name: str
    value: float | str
    step: int | None
    before: float | str | None = None

    @property
    def change(self) -> float | None:
        return MetricChange(self.name, self.before, self.value).delta

    @property
    def percent(self) -> float | None:
        return MetricChange(self.name, self.before, self.value).percent if self.change else None


@dataclass(frozen=True, slots=True)
class Chart:
    """The numbers of one name by step, thinned to what a chart shows."""

    name: str
    series: Series

    @property
    def data(self) -> dict[str, Any]:
        line = {"name": self.name, "points": self.series.points}
        return {"kind": "lines", "x": "step", "y": "", "series": [line]}


@dataclass(frozen=True, slots=True)
class Measurements:
    """A page of rows, a page of charts, and the queries that lead to the next ones (empty: there are none)."""

    rows: Sequence[Row]
    charts: Sequence[Chart]
    more_rows: str = ""
    more_charts: str = ""

    @property
    def stepped(self) -> bool:
        return any(row.step is not None for row in self.rows)

    partial: bool = False  # not from the first name on


def measurements_of(version: Version, parent: int | None, request: HttpRequest) -> Measurements:
    """Return what `?metrics=` and `?charts=` (names to go on behind) ask for."""
    behind, beyond = request.GET.get("metrics", "")[:200], request.GET.get("charts", "")[:200]
    found = list(Metric.objects.standing(version, after=behind)[: ROWS + 1])
    rows, more = found[:ROWS], found[ROWS:]
    of_parent = (
        Metric.objects.filter(version=parent, latest=True, name__in=[row.name for row in rows]) if parent else ()
    )
    before = {row.name: row.shown for row in of_parent}
    stepped = list(
        Metric.objects.standing(version, after=beyond).stepped().values_list("name", flat=True)[: CHARTS + 1]
    )
    charts = [Chart(name, _series(version, name)) for name in stepped[:CHARTS]]
    return Measurements(
        [Row(row.name, row.shown, row.step, before.get(row.name)) for row in rows],
        [chart for chart in charts if len(chart.series.points) > 1],
        query(request, metrics=rows[-1].name) if more else "",
        query(request, charts=stepped[CHARTS - 1]) if len(stepped) > CHARTS else "",
        bool(behind or beyond),
    )


def _series(version: Version, name: str) -> Series:
    return Metric.objects.filter(version=version, name=name, step__isnull=False).series("step", most=POINTS)
