"""Commands that show versions, and that deprecate, delete and take them back: history, lineage, version …"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lmvp.client.commands.command import (
    AT_REVISION,
    JSON,
    YES,
    Answer,
    Argument,
    UsageError,
    at,
    command,
    confirm,
    page_of,
)
from lmvp.client.commands.groups import Group
from lmvp.client.commands.measured import where
from lmvp.client.tables import bytes_text, number, table, value_text, visible, visible_lines, when

if TYPE_CHECKING:
    from lmvp.client.api import Client
    from lmvp.client.versions import Version

WHERE = Argument(
    "--where",
    action="append",
    default=[],
    metavar="METRIC__OP=VALUE",
    help="only versions whose metric is so: loss__lt=0.2 (lt, lte, gt, gte, eq, ne); repeatable",
)
AUTHOR = Argument("--author", metavar="USERNAME", help="only those of this user")
THE_VERSION = Argument("name", metavar="NAME@REVISION", help="a model and the version's number or digest")

version = Group("version", "Show, delete, take back a version.", example="lmvp version show vision/digits@production")


@command(
    "history",
    Argument("name", metavar="NAME", help="project/model, or a project for all its models"),
    Argument("--limit", type=int, default=20, help="how many at most (default: 20)"),
    Argument("--branch", help="only the line of this branch"),
    AUTHOR,
    Argument(
        "--order-by", metavar="ORDER", help="number or metric:NAME; the largest first with --order-by=-metric:NAME"
    ),
    WHERE,
    JSON,
)
def history(client: Client, args: argparse.Namespace) -> Answer:
    """Show the newest versions of a model, or of a whole project.

    example: lmvp history vision/digits --limit 5
    """
    versions = client.history(
        args.name,
        branch=args.branch,
        author=args.author,
        order_by=args.order_by,
        where=where(args.where),
        limit=args.limit,
    )
    return Answer(str(versions), list(versions))


@command("lineage", AT_REVISION, Argument("--depth", type=int, default=3, help="steps each way (default: 3)"), JSON)
def lineage(client: Client, args: argparse.Namespace) -> Answer:
    """Show what a version came from and what came of it: its parents and children, datasets, base models, artifacts.

    example: lmvp lineage vision/digits@production
    """
    name, revision = at(args.name)
    found = client.lineage(name, revision, depth=args.depth)
    return Answer(str(found), found)


@version.verb("show", AT_REVISION, JSON)
def show(client: Client, args: argparse.Namespace) -> Answer:
    """Show everything about a version but its files.

    example: lmvp version show vision/digits@production
    """
    name, revision = at(args.name)
    found = client.version(name, revision)
    return Answer(_shown(found), found)


@version.verb("delete", THE_VERSION, YES, JSON)
def delete(client: Client, args: argparse.Namespace) -> Answer:
    """Put a version that no branch, tag or alias names into the trash.

    example: lmvp version delete vision/digits@2 --yes
    """
    name, revision = said(args.name)
    confirm(args, f"Version {revision} of {name} goes to the trash.")
    entry = client.delete_version(name, revision)
    return Answer(visible(f"In the trash: {entry}. Back: `lmvp version undelete {name}@{entry.number}`."), entry)


@version.verb("undelete", THE_VERSION, JSON)
def undelete(client: Client, args: argparse.Namespace) -> Answer:
    """Take a version back from the trash, by its number or digest.

    example: lmvp version undelete vision/digits@2
    """
    found = client.undelete_version(*said(args.name))
    return Answer(visible(f"{found} is back."), found)


@command(
    "deprecate",
    THE_VERSION,
    Argument("reason", nargs="?", metavar="REASON", help="why it should not be used any more"),
    Argument("--undo", action="store_true", help="take the deprecation back"),
    JSON,
)
def deprecate(client: Client, args: argparse.Namespace) -> Answer:
    """Tell everybody who uses a version why it should not be used any more. For maintainers.

    example: lmvp deprecate vision/digits@1 "Trained on the wrong labels; use v3."
    """
    if bool(args.reason) == args.undo:
        raise UsageError("say why, or --undo.")
    name, revision = said(args.name)
    if args.undo:
        found = client.undeprecate(name, revision)
        return Answer(visible(f"{found} is deprecated no more."), found)
    found = client.deprecate(name, revision, reason=args.reason)
    return Answer(visible(f"{found} is deprecated: {found.deprecated}"), found)


def said(name: str) -> tuple[str, str]:
    """Return the two halves of NAME@REVISION, for what is not done to the newest by accident."""
    model, _, revision = name.partition("@")
    if not revision:
        raise UsageError(f"say which version: {model}@REVISION.")
    return model, revision


def _shown(one: Version) -> str:
    rows = [
        ["digest", one.digest],
        ["author", f"{one.author}, {when(one.created_at)}, on {one.branch}"],
        ["names", ", ".join(ref.name for ref in one.refs)],
        ["files", f"{one.files_count} ({bytes_text(one.size)})"],
        *([["deprecated", one.deprecated]] if one.deprecated else []),
        *([f"{name} =", number(value)] for name, value in one.metrics.items()),
        *([f"{key}:", value_text(value)] for key, value in one.metadata.items()),
    ]
    return visible_lines(f"{one}\n\n{one.message}\n\n{table(rows[0], rows[1:])}\n\n{page_of(one.url)}")
