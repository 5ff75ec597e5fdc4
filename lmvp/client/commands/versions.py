"""Commands that show versions: history, lineage."""

from __future__ import annotations

import argparse

from lmvp.client.api import Client
from lmvp.client.commands.command import AT_REVISION, JSON, Answer, Argument, at, command, table_or


@command(
    "history",
    Argument("name", metavar="NAME", help="project/model, or a project for all its models"),
    Argument("--limit", type=int, default=20, help="how many at most (default: 20)"),
    Argument("--branch", help="only the line of this branch"),
    JSON,
)
def history(client: Client, args: argparse.Namespace) -> Answer:
    """Show the newest versions of a model, or of a whole project.

    example: lmvp history vision/digits --limit 5
    """
    versions = client.history(args.name, branch=args.branch, limit=args.limit)
    return Answer(str(versions), list(versions))


@command("lineage", AT_REVISION, Argument("--depth", type=int, default=3, help="steps each way (default: 3)"), JSON)
def lineage(client: Client, args: argparse.Namespace) -> Answer:
    """Show what a version came from and what came of it: its parents and children, datasets, base models, artifacts.

    example: lmvp lineage vision/digits@production
    """
    name, revision = at(args.name)
    found = client.lineage(name, revision, depth=args.depth)
    rows = [[edge["from"], edge["kind"], edge["to"]] for edge in found["edges"]]
    more = [f"{found['hidden']} more that you may not see."] if found["hidden"] else []
    more += ["There is more than is shown here."] if found["truncated"] else []
    text = table_or(
        ["from", "kind", "to"],
        rows,
        f"{found['root']} came from nothing that you may see, nor did anything come of it.",
    )
    return Answer("\n".join([text, *more]), found)
