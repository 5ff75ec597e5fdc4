"""Metrics of a version, of a model, over versions, and as a series. Printed they are tables, in notebooks too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from lmvp.client import notebook
from lmvp.client.results.reading import Result
from lmvp.client.tables import number, table, visible, when


class Measured:
    """What a value that is a number or a text looks like."""

    value: float | None
    text: str | None
    step: int | None

    @property
    def shown(self) -> str:
        return number((self.text or "") if self.value is None else self.value)

    @property
    def step_text(self) -> str:
        return "" if self.step is None else str(self.step)


@dataclass(frozen=True)
class Metric(Result, Measured):
    """A value that was logged to a version: `value`, a number, or `text`."""

    name: str
    step: int | None
    author: str
    created_at: datetime
    value: float | None = None
    text: str | None = None

    def __str__(self) -> str:
        step = f" at {self.step}" if self.step is not None else ""
        return visible(f"{self.name} = {self.shown}{step}")


@dataclass(frozen=True)
class MetricOfVersion(Result, Measured):
    """A metric's value in the version of a number; `name` is None where one metric was asked for."""

    version: int
    step: int | None
    created_at: datetime
    value: float | None = None
    text: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Point(Result):
    """A number at a step, or in the version of a number (`at`)."""

    at: int
    value: float


@dataclass(frozen=True)
class SeriesPoint(Point):
    KEYS: ClassVar[Mapping[str, str]] = {"at": "step"}


@dataclass(frozen=True)
class VersionPoint(Point):
    KEYS: ClassVar[Mapping[str, str]] = {"at": "version"}


@dataclass(frozen=True)
class Series(Result):
    """A metric as points, few enough for a chart; `total` counts all. `value` is the number without a step."""

    name: str
    total: int
    points: tuple[SeriesPoint, ...]
    value: float | None = None
    axis = "step"

    def plot(self) -> Any:
        """Draw it with matplotlib or plotly; return the figure."""
        line = ([point.at for point in self.points], [point.value for point in self.points])
        return notebook.plot(self.name, self.axis, {self.name: line})

    def __str__(self) -> str:
        rows = [[str(point.at), number(point.value)] for point in self.points]
        return f"{visible(self.name)}\n{table([self.axis, 'value'], rows)}"

    def _repr_html_(self) -> str:
        rows = [[str(point.at), number(point.value)] for point in self.points]
        return notebook.table_html([self.axis, "value"], rows, caption=self.name)


@dataclass(frozen=True)
class VersionSeries(Series):
    points: tuple[VersionPoint, ...]  # type: ignore[assignment]  # the same, by versions
    axis = "version"


class Metrics(list[Metric]):
    """Metrics of one version, in the order of logging. Printed, they are a table."""

    HEAD = ("metric", "step", "value", "author", "when")

    def __init__(self, name: str, metrics: Iterable[Metric] = ()) -> None:
        super().__init__(metrics)
        self.name = name

    def rows(self) -> list[list[str]]:
        return [[one.name, one.step_text, one.shown, one.author, when(one.created_at)] for one in self]

    def plot(self, *names: str) -> Any:
        """Draw the metrics that have steps, or those of these names, with matplotlib or plotly; return the figure."""
        return notebook.plot(self.name, "step", self._lines(names))

    def _lines(self, names: Sequence[str]) -> dict[str, notebook.Line]:
        lines: dict[str, notebook.Line] = {}
        for one in self:
            if one.value is not None and one.step is not None and (not names or one.name in names):
                steps, values = lines.setdefault(one.name, ([], []))
                steps.append(one.step)
                values.append(one.value)
        return lines

    def __str__(self) -> str:
        if not self:
            return f"{self.name} has no metrics yet."
        return f"{visible(self.name)}\n{table(self.HEAD, self.rows())}"

    def __repr__(self) -> str:
        return f"<Metrics of {self.name}: {len(self)}>"

    def _repr_html_(self) -> str:
        return notebook.table_html(self.HEAD, self.rows(), caption=self.name)
