"""Commands for metrics: list them, of a version or over all; add some; find the best version."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lmvp.client.commands.command import AT_REVISION, JSON, NAME, Answer, Argument, UsageError, at, command, table_or
from lmvp.client.commands.measured import METRIC_TEXT, metrics_of, where
from lmvp.client.commands.versions import AUTHOR, WHERE
from lmvp.client.tables import value_text, visible, when

if TYPE_CHECKING:
    from lmvp.client.api import Client


@command(
    "metrics",
    AT_REVISION,
    Argument("--metric", metavar="NAME", help="only this one, for example loss"),
    Argument(
        "--over-versions",
        action="store_true",
        help="of all versions: each name's newest value, or with --metric one's history",
    ),
    JSON,
)
def metrics(client: Client, args: argparse.Namespace) -> Answer:
    """List the metrics of a version, or over all versions.

    example: lmvp metrics vision/digits@production
    """
    name, revision = at(args.name)
    if args.over_versions:
        return _over_versions(client, name, args.metric)
    found = client.metrics(name, revision, metric=args.metric)
    rows = [[one.name, one.step_text, one.shown] for one in found]
    return Answer(table_or(["metric", "step", "value"], rows, "No metrics were logged."), list(found))


def _over_versions(client: Client, name: str, metric: str | None) -> Answer:
    found = client.metric_over_versions(name, metric) if metric else client.metric_names(name)
    rows = [[one.name or metric or "", f"v{one.version}", one.shown, when(one.created_at)] for one in found]
    return Answer(table_or(["metric", "version", "value", "logged"], rows, "No metrics were logged."), found)


@command(
    "series",
    AT_REVISION,
    Argument("metric", metavar="METRIC", help="for example loss"),
    Argument("--points", type=int, default=20, help="how many points at most (default: 20)"),
    Argument("--over-versions", action="store_true", help="over the versions instead of one version's steps"),
    JSON,
)
def series(client: Client, args: argparse.Namespace) -> Answer:
    """Show a metric over its steps, or over the versions, with few enough points to read; spikes are kept.

    example: lmvp series vision/digits loss --points 10
    """
    name, revision = at(args.name)
    found = client.series(name, args.metric, revision=None if args.over_versions else revision, points=args.points)
    return Answer(str(found), found)


@command(
    "best",
    NAME,
    Argument("metric", metavar="METRIC", help="for example accuracy"),
    Argument("--min", action="store_true", help="the smallest is best (default: the largest)"),
    Argument("--branch", help="only the line of this branch"),
    AUTHOR,
    WHERE,
    JSON,
)
def best(client: Client, args: argparse.Namespace) -> Answer:
    """Find the version that is best by a metric.

    example: lmvp best vision/digits accuracy
    """
    found = client.best(
        args.name,
        args.metric,
        goal="min" if args.min else "max",
        branch=args.branch,
        author=args.author,
        where=where(args.where),
    )
    value = value_text(found.metrics.get(args.metric))
    return Answer(visible(f"{found}: {args.metric} = {value}"), found)


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
