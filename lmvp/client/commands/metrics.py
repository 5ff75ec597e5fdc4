"""Commands for metrics: list them, add some."""

from __future__ import annotations

import argparse
from typing import Any

from lmvp.client.api import Client
from lmvp.client.commands.command import AT_REVISION, JSON, Answer, Argument, UsageError, at, command, table_or
from lmvp.client.commands.measured import METRIC_TEXT, metrics_of
from lmvp.client.tables import number


@command("metrics", AT_REVISION, Argument("--metric", metavar="NAME", help="only this one, for example loss"), JSON)
def metrics(client: Client, args: argparse.Namespace) -> Answer:
    """List the metrics of a version.

    example: lmvp metrics vision/digits@production
    """
    name, revision = at(args.name)
    found = client.metrics(name, revision, metric=args.metric)
    rows = [
        [row["name"], _step(row), number(row["text"] if row.get("value") is None else row["value"])] for row in found
    ]
    return Answer(table_or(["metric", "step", "value"], rows, "No metrics were logged."), found)


@command(
    "log",
    AT_REVISION,
    Argument("metric", nargs="*", metavar="NAME=VALUE", help="a number"),
    METRIC_TEXT,
    Argument("--step", type=int, help="the step that they belong to"),
    JSON,
)
def log(client: Client, args: argparse.Namespace) -> Answer:
    """Add metrics to a published version.

    example: lmvp log vision/digits@3 accuracy=0.975 --metric-text reviewer=bob
    """
    name, revision = at(args.name)
    found = metrics_of(args)
    if not found:
        raise UsageError("say which metric: lmvp log NAME[@REVISION] NAME=VALUE.")
    counts = client.log_metrics(name, revision, found, step=args.step)
    return Answer(f"{counts['added']} added, {counts['unchanged']} were there already.", counts)


def _step(row: dict[str, Any]) -> str:
    return "" if row.get("step") is None else str(row["step"])
