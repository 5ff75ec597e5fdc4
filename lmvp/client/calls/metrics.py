"""Metrics of published versions: added and read."""

from __future__ import annotations

from typing import Any

from lmvp.client import measurements
from lmvp.client.calls.connection import LARGEST_PAGE, Connected, Revision
from lmvp.client.measurements import Metrics

METRICS_BATCH = 1000


class Measuring(Connected):
    def log_metrics(
        self, name: str, revision: Revision, metrics: Metrics, *, step: int | None = None
    ) -> dict[str, int]:
        """Add metrics to a published version; return {added, unchanged}. Conflict where another value stands."""
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

    def metrics(self, name: str, revision: Revision = "latest", *, metric: str | None = None) -> list[dict[str, Any]]:
        """Return [{name, value | text, step, author, created_at}] of a version, of all metrics or of one."""
        model = self._names.resolve(name)
        filters = {"name": metric} if metric else {}
        with self._names.explained(model, revision):
            return list(
                self._session.pages(f"{model.version_path(revision)}metrics/", page_size=LARGEST_PAGE, **filters)
            )
