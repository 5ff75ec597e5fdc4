"""The calls about metrics: logged to a version, read as a series, over all versions, and the version that is best by one."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from rest_framework.request import Request
from rest_framework.response import Response

from lmvp.numerals import whole_number
from registry.api import documentation as doc
from registry.api.choosing import CHOOSING
from registry.api.documentation import documented
from registry.api.lineage import WholeVersionSerializer
from registry.api.pagination import MetricOverVersionsPages, MetricPages
from registry.api.parsers import LongJSON
from registry.api.rooms import Room
from registry.api.serializers import TIME, MetricInput, MetricSerializer, measured
from registry.choosing import choice_of, head_of, metric_name
from registry.errors import Invalid, Missing
from registry.models import Metric, Version
from registry.models.walks import ByMetric
from registry.permissions import Action, require
from registry.series import Series
from registry.services import metrics

FEWEST_POINTS, MOST_POINTS = 2, 10_000
POINTS = doc.query(
    "points", "With `name`: at most so many points (2 to 10,000), without losing a spike.", doc.openapi.TYPE_INTEGER
)


class MetricViewSet(Room):
    parser_classes = [LongJSON]

    @documented(
        "List the metrics of a version",
        name="metrics_list",
        tag="metrics",
        answer=(200, "Metrics, in the order of logging. With `points`: a series.", doc.cursor_page_of(doc.METRIC)),
        errors=(400, 401, 404),
        query=[doc.query("name", "Only this one."), POINTS, *doc.CURSOR],
    )
    def list(self, request: Request, project: str, model: str, revision: str) -> Response:
        version, name, points = self.version(), request.query_params.get("name"), _points(request)
        if points:
            return self._series(version, request.query_params["name"], points)
        rows = Metric.objects.of_version(version, name) if name else version.metrics.all()
        return self.pages(MetricSerializer, rows.select_related("author"), MetricPages())

    def _series(self, version: Version, name: str, points: int) -> Response:
        rows = Metric.objects.filter(version=version, name=name)
        series = rows.filter(step__isnull=False).series("step", most=points)
        aside = rows.filter(step=None).values_list("value", flat=True).first()
        return Response(_shown(name, series, "step") | {"value": aside})

    @documented(
        "Log metrics to a version",
        name="metrics_create",
        tag="metrics",
        body=MetricInput(many=True),
        answer=(201, "What was new.", {"added": 2, "unchanged": 0}),
        errors=(400, 401, 403, 404, 409),
    )
    def create(self, request: Request, project: str, model: str, revision: str) -> Response:
        version = self.version()
        require(request.user, Action.LOG_METRICS, version.model.project)
        measured = self.read(MetricInput, many=True).validated_data
        added = metrics.log_metrics(actor=request.user, version=version, measured=measured)
        return Response({"added": added, "unchanged": len(measured) - added}, status=201)


class ModelMetricViewSet(Room):
    @documented(
        "Show the metrics of a model, or one of them over all its versions",
        name="model_metrics_list",
        tag="metrics",
        answer=(
            200,
            "Without `name`: every name, with the newest version that has it. With it: the value of each version,"
            " newest first; with `points` a series.",
            doc.cursor_page_of(doc.METRIC_OF_VERSION),
        ),
        errors=(400, 401, 404),
        query=[doc.query("name", "Only this one, over all versions."), POINTS, *doc.CURSOR, doc.PAGES[0]],
    )
    def list(self, request: Request, project: str, model: str) -> Response:
        there, name, points = self.model(), request.query_params.get("name"), _points(request)
        if not name:
            return self.pages(
                _Newest, Metric.objects.newest_in(there).values("name", *COLUMNS, number=F("version__number"))
            )
        if not points:
            rows = Metric.objects.over(there, name).values("version_id", "number", *COLUMNS)
            return self.pages(_OfVersion, rows, MetricOverVersionsPages())
        return Response(_shown(name, Metric.objects.over_versions(there, name, most=points), "version"))


class BestViewSet(Room):
    @documented(
        "Show the version that is best by a metric",
        name="best_read",
        tag="metrics",
        answer=(200, "The version; of several with the same value the newest.", doc.VERSION),
        errors=(400, 401, 404),
        query=[
            doc.query("metric", "By which metric."),
            doc.query("goal", "max (default) or min.", enum=["max", "min"]),
            *CHOOSING,
        ],
    )
    def retrieve(self, request: Request, project: str, model: str) -> Response:
        there, said = self.model(), request.query_params
        name, goal = metric_name(said.get("metric", ""), "invalid_order"), said.get("goal", "max")
        if goal not in ("max", "min"):
            raise Invalid("invalid_order", "`goal` is “max” (the largest value is best) or “min”.")
        choice = choice_of(said, there, also=("metric",))
        best = ByMetric(choice, name, goal == "max", head_of(said, there)).best()
        if best is None:
            raise Missing(
                "no_such_metric", f"No version among these has a number “{name}”. …/metrics/ lists the names."
            )
        return self.show(WholeVersionSerializer, best)


COLUMNS = ("value", "text", "step", "created_at")


class _OfVersion(MetricSerializer):
    """One metric's value in one version, from a row of `number` and COLUMNS."""

    def to_representation(self, row: Any) -> dict[str, Any]:
        about = {"version": row["number"], **measured(row["value"], row["text"]), "step": row["step"]}
        return about | {"created_at": TIME.to_representation(row["created_at"])}


class _Newest(_OfVersion):
    def to_representation(self, row: Any) -> dict[str, Any]:
        return {"name": row["name"], **super().to_representation(row)}


def _points(request: Request) -> int | None:
    """Return how many points of a series are asked for; None: no series is."""
    said = request.query_params.get("points")
    if said is None:
        return None
    if not request.query_params.get("name"):
        raise Invalid("invalid_points", "A series is of one metric: give its `name` with `points`.")
    points = whole_number(said)
    if points is None or not FEWEST_POINTS <= points <= MOST_POINTS:
        raise Invalid("invalid_points", f"`points` is a whole number from {FEWEST_POINTS} to {MOST_POINTS:,}.")
    return points


def _shown(name: str, series: Series, x: str) -> dict[str, Any]:
    points = [{x: at, "value": value} for at, value in series.points]
    return {"name": name, "total": series.total, "points": points}
