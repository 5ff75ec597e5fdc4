"""Metrics: added to published versions, read of one or over all, and the version that is best by one."""

from __future__ import annotations

from typing import Literal

from lmvp.client import measurements
from lmvp.client.calls.connection import Connected, Revision, given
from lmvp.client.calls.versions import Where, conditions
from lmvp.client.measurements import Metrics as Given
from lmvp.client.results.metrics import Metric, MetricOfVersion, Metrics, Series, VersionSeries
from lmvp.client.versions import Version

METRICS_BATCH = 1000


class Measuring(Connected):
    def log_metrics(self, name: str, revision: Revision, metrics: Given, *, step: int | None = None) -> dict[str, int]:
        """Add metrics to a published version; return {added, unchanged}. MetricExists where another value stands."""
        model = self._names.resolve(name, writing=True)
        rows = measurements.rows(metrics, step=step)
        total = {"added": 0, "unchanged": 0}
        for start in range(0, len(rows), METRICS_BATCH):
            with self._names.explained(model, revision):
                answer = self._session.call(
                    "POST",
                    f"{model.version_path(revision)}metrics/",
                    rows[start : start + METRICS_BATCH],
                    repeatable=True,
                )
            with self._session.understood():
                total = {key: total[key] + int(answer[key]) for key in total}
        return total

    def metrics(self, name: str, revision: Revision = "latest", *, metric: str | None = None) -> Metrics:
        """Return all metrics of a version with their steps, or those of one name."""
        model = self._names.resolve(name)
        with self._names.explained(model, revision):
            found = self._all(Metric, f"{model.version_path(revision)}metrics/", name=metric)
        return Metrics(f"{model}@{revision}", found)

    def metric_names(self, name: str) -> list[MetricOfVersion]:
        """Return the metrics that a model has, each with the value of the newest version that has it."""
        model = self._names.resolve(name)
        with self._names.explained(model):
            return self._all(MetricOfVersion, f"{model.path}metrics/")

    def metric_over_versions(self, name: str, metric: str, *, limit: int | None = None) -> list[MetricOfVersion]:
        """Return a metric's value in every version that has it, newest first."""
        model = self._names.resolve(name)
        with self._names.explained(model):
            return self._all(MetricOfVersion, f"{model.path}metrics/", limit=limit, name=metric)

    def series(self, name: str, metric: str, *, revision: Revision | None = "latest", points: int = 200) -> Series:
        """Return a metric as at most so many points, spikes kept: over a version's steps; revision None: over versions."""
        model = self._names.resolve(name)
        params = {"name": metric, "points": points}
        with self._names.explained(model, revision):
            if revision is None:
                return self._ask(VersionSeries, "GET", f"{model.path}metrics/", params=params)
            return self._ask(Series, "GET", f"{model.version_path(revision)}metrics/", params=params)

    def best(
        self,
        name: str,
        metric: str,
        *,
        goal: Literal["max", "min"] = "max",
        branch: str | None = None,
        author: str | None = None,
        where: Where | None = None,
    ) -> Version:
        """Return the version with the largest, or smallest, value; of several the newest. `where` as in `history`."""
        model = self._names.resolve(name)
        params = {"metric": metric, "goal": goal, **given(branch=branch, author=author), **conditions(where)}
        with self._names.explained(model, branch):
            return self._ask(Version, "GET", f"{model.path}best/", params=params)
