"""The graph of a model's branches and merges: rows of versions with their lanes, drawn here as the paths of an SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from registry import lanes
from registry.models import RegisteredModel, Version
from registry.models.histories import Beside, beside, commits_between, newest_children
from registry.web.pages import show
from registry.web.paging import newest_first
from registry.web.places import model_at

ROWS = 60  # on one page
CONTEXT = 150  # newer versions whose lines are followed into the page
WIDTH, NODE, BEND = (
    14,
    22,
    44,
)  # pixels: of a lane, as in history.css; where a version stands in its row; where its lines are straight again


@dataclass(frozen=True, slots=True)
class Stroke:
    """A piece of a line: a path within the bent part of the row, or (no path) straight at x from `top` to the bottom."""

    colour: int
    path: str = ""
    x: int = 0
    top: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A version's row: what is drawn beside it, and where the lines go on that are not drawn."""

    version: Version
    beside: Beside
    row: lanes.Row
    strokes: list[Stroke]
    child: int | None  # the newest, where the line to it is cut

    @property
    def x(self) -> int:
        return _x(self.row.lane)


@require_safe
def graph(request: HttpRequest, project: str, model: str) -> HttpResponse:
    place = model_at(request, project, model)
    page = newest_first(place.model.versions.with_figures(), request, key="number", size=ROWS)
    lines = list(_lines(place.model, page.rows))
    width = max((line.row.lanes for line in lines), default=1)
    facts: dict[str, Any] = {"lines": lines, "lanes": width, "node": NODE}
    return show(request, "graph", place, tab="versions", twin=f"{place.twin}versions/", page=page, **facts)


def _lines(model: RegisteredModel, versions: Sequence[Version]) -> Iterator[Line]:
    if not versions:
        return
    around = beside(versions)
    children = newest_children(model, [version.number for version in versions])
    commits = commits_between(model, versions[-1].number - 1, versions[0].number + CONTEXT)
    rows = {row.number: row for row in lanes.lay_out(commits, main=model.default_branch, children=children)}
    for version in versions:
        version.model = model
        row = rows[version.number]
        child = children.get(version.number) if row.cut_above else None
        yield Line(version, around[version.pk], row, list(_strokes(row)), child)


def _strokes(row: lanes.Row) -> Iterator[Stroke]:
    node = _x(row.lane)
    for line in row.past:
        yield Stroke(line.colour, x=_x(line.start))
    for line in row.above:
        yield Stroke(line.colour, path=_curve(_x(line.start), 0, node, NODE))
    for line in row.below:
        yield Stroke(line.colour, path=_curve(node, NODE, _x(line.end), BEND))
        yield Stroke(line.colour, x=_x(line.end), top=BEND)


def _curve(x1: int, y1: int, x2: int, y2: int) -> str:
    middle = (y1 + y2) // 2
    return f"M{x1} {y1}V{y2}" if x1 == x2 else f"M{x1} {y1}C{x1} {middle} {x2} {middle} {x2} {y2}"


def _x(lane: int) -> int:
    return WIDTH + lane * WIDTH
