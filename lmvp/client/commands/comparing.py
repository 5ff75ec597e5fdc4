"""Commands that put versions against each other, bring lines together, and bring old versions back."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from lmvp.client.commands.command import JSON, NAME, Answer, Argument, UsageError, command
from lmvp.client.commands.measured import pairs
from lmvp.client.commands.versions import THE_VERSION, said
from lmvp.client.errors import MergeConflict
from lmvp.client.tables import visible

if TYPE_CHECKING:
    from lmvp.client.api import Client

SIDES = ("source", "target")


@command(
    "diff",
    NAME,
    Argument("base", metavar="BASE", help="the version from which …"),
    Argument("head", nargs="?", default="latest", metavar="HEAD", help="… to which is looked (default: latest)"),
    Argument("--file", metavar="PATH", help="one file: its lines, or its tensors"),
    JSON,
)
def diff(client: Client, args: argparse.Namespace) -> Answer:
    """Show what became of metrics, metadata and files from one version to another.

    example: lmvp diff vision/digits 1 production
    """
    if args.file:
        one = client.compare_file(args.name, args.file, base=args.base, head=args.head)
        return Answer(str(one), one)
    found = client.compare(args.name, args.base, args.head)
    return Answer(str(found), found)


@command(
    "compare",
    NAME,
    Argument("revisions", nargs="+", metavar="REVISION", help="2 to 20 versions"),
    Argument("--differing", action="store_true", help="leave out what is the same everywhere"),
    JSON,
)
def compare(client: Client, args: argparse.Namespace) -> Answer:
    """Put several versions side by side: their metrics and metadata.

    example: lmvp compare vision/digits 1 2 production
    """
    found = client.side_by_side(args.name, args.revisions, differing=args.differing)
    return Answer(str(found), found)


@command(
    "merge",
    NAME,
    Argument("source", metavar="SOURCE", help="a branch, or any version"),
    Argument("target", nargs="?", default="main", metavar="TARGET", help="the branch that gets it (default: main)"),
    Argument("-m", "--message", help="what is said of the new version"),
    Argument(
        "--resolve",
        action="append",
        default=[],
        metavar="PATH=SIDE",
        help="for a path that both changed: source or target; repeatable",
    ),
    Argument("--expected", metavar="REVISION", help="fail unless it is the target's newest version"),
    JSON,
)
def merge(client: Client, args: argparse.Namespace) -> Answer:
    """Do to a branch what was done on the way to another. Exit code 1, and the paths, where both changed the same.

    example: lmvp merge vision/digits wider main --resolve weights.npz=source
    """
    sides = pairs(args.resolve, str)
    if wrong := [path for path, side in sides.items() if side not in SIDES]:
        raise UsageError(f"“{wrong[0]}”: a side is source or target.")
    try:
        done = client.merge(
            args.name, args.source, args.target, message=args.message, resolve=sides, expected=args.expected
        )
    except MergeConflict as conflict:
        _tell(conflict, as_json=args.json)
        raise
    return Answer(str(done), done)


def _tell(conflict: MergeConflict, *, as_json: bool) -> None:
    """Print what is in conflict: with --json to standard output, else to standard error."""
    if as_json:
        sys.stdout.write(f"{json.dumps(conflict.fields, ensure_ascii=False, indent=2)}\n")
        return
    for path in conflict.paths:
        source, target = ((digest or "deleted")[:12] for digest in conflict.digests(path))
        sys.stderr.write(visible(f"conflict: {path} (source {source}, target {target})") + "\n")
    if left := conflict.count - len(conflict.paths):
        sys.stderr.write(f"conflict: {left} more\n")


@command(
    "restore",
    THE_VERSION,
    Argument("--branch", help="give this branch a new version with the old files (default: main)"),
    Argument("--alias", help="let this alias name the old version instead"),
    Argument("-m", "--message", help="why"),
    JSON,
)
def restore(client: Client, args: argparse.Namespace) -> Answer:
    """Bring an old version back: its files as a new version on a branch, or an alias moved to it.

    example: lmvp restore vision/digits@1 -m "Back to what worked"
    """
    if args.branch and args.alias:
        raise UsageError("name a branch or an alias, not both.")
    name, revision = said(args.name)
    if args.alias:
        alias = client.restore(name, revision, alias=args.alias, message=args.message)
        return Answer(visible(f"{alias.name} is v{alias.version} now."), alias)
    version = client.restore(name, revision, branch=args.branch or "main", message=args.message)
    return Answer(visible(f"{version} has the files of {revision}."), version)
