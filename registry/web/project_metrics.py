"""The metrics of a project's models side by side: the newest values, how far others got, and the way there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from registry.models import Metric, RegisteredModel, Version
from registry.sparklines import Sparkline, draw
from registry.web.lines import Line, measured_lines
from registry.web.pages import show
from registry.web.paging import numbered
from registry.web.places import project_at

MODELS = 50  # rows of a page
COLUMNS = 12  # at most
AT_FIRST = 4  # where none were chosen
NAMES = 40  # to choose from, and looked at in each model
TREND = 30  # versions in a line
LOWER_IS_BETTER = (
    "loss",
    "error",
    "mae",
    "mse",
    "rmse",
    "mape",
    "wer",
    "cer",
    "perplexity",
    "latency",
    "seconds",
    "_ms",
    "bytes",
)


@dataclass(slots=True)
class Cell:
    """One model and one metric: the value of the newest version that has metrics, the best there is, and the last versions as a line."""

    name: str
    newest: float | str
    best: Metric | None = None
    low: bool = False  # whether the lowest is the best
    trend: Sparkline | None = None


@dataclass(slots=True)
class Row:
    """One model and its cells, a column each; None where the version that they are of has nothing of this name."""

    line: Line
    cells: list[Cell | None] = field(default_factory=list)


@require_safe
def overview(request: HttpRequest, project: str) -> HttpResponse:
    """A table: models as rows, metrics as columns."""
    place = project_at(request, project)
    live = RegisteredModel.objects.filter(project=place.project, trashed_at=None, last_number__gt=0)
    page = numbered(live.newest_first().with_heads(), request, size=MODELS)
    lines = measured_lines(page.rows, metrics=NAMES)
    known = Counter(metric.name for line in lines for metric in line.metrics)
    names = [name for name, _ in known.most_common(NAMES)]
    wanted = [name for name in dict.fromkeys(request.GET.getlist("metric")) if name in known][:COLUMNS]
    columns = wanted or names[:AT_FIRST]
    return show(
        request,
        "project_metrics",
        place,
        tab="metrics",
        page=page,
        rows=_rows(lines, columns),
        columns=columns,
        names=sorted(dict.fromkeys([*names, *columns])),
        most=COLUMNS,
        trend=TREND,
    )


def _rows(lines: list[Line], columns: list[str]) -> list[Row]:
    """Fill the table in four queries: newest values with their ranges, the best rows, the last versions, their values."""
    heads = [line.measured.pk for line in lines if line.measured]
    newest = list(Metric.objects.filter(version__in=heads, name__in=columns, latest=True).with_range())
    cells = {(row.model_id, row.name): Cell(row.name, row.shown, low=is_better_low(row.name)) for row in newest}
    keys = {row.lowest if is_better_low(row.name) else row.highest for row in newest}
    for best in Metric.objects.filter(pk__in=keys - {None}).select_related("version"):
        cells[best.model_id, best.name].best = best
    _draw_trends(cells, [line.model for line in lines], columns)
    return [Row(line, [cells.get((line.model.pk, name)) for name in columns]) for line in lines]


def _draw_trends(
    cells: dict[tuple[int, str], Cell], models: Collection[RegisteredModel], columns: Collection[str]
) -> None:
    versions = Version.objects.newest_keys_of(models, TREND)
    values = Metric.objects.filter(version__in=versions, name__in=columns, latest=True, value__isnull=False)
    series: dict[tuple[int, str], list[float]] = {}
    for model, name, value in values.order_by("version_id").values_list("model_id", "name", "value"):
        series.setdefault((model, name), []).append(value)
    for place, line in series.items():
        if place in cells:
            cells[place].trend = draw(line)


def is_better_low(name: str) -> bool:
    """Whether a metric of this name is, by what names commonly mean, the better the lower it is."""
    return any(word in name.lower() for word in LOWER_IS_BETTER)
