"""Commands for the names of versions: aliases and their moves."""

from __future__ import annotations

import argparse

from lmvp.client.api import Client
from lmvp.client.commands.command import JSON, NAME, Answer, Argument, UsageError, command, table_or
from lmvp.client.tables import moment, visible, when


@command(
    "alias",
    NAME,
    Argument("alias", nargs="?", metavar="ALIAS", help="for example production; left out: list them all"),
    Argument("revision", nargs="?", metavar="REVISION", help="the version that it shall name"),
    Argument("--comment", help="why; kept in the record of its moves"),
    JSON,
)
def alias(client: Client, args: argparse.Namespace) -> Answer:
    """Let an alias name a version; without one, list the aliases.

    example: lmvp alias vision/digits production 3 --comment "best on the June data"
    """
    if args.alias and not args.revision:
        raise UsageError("say which version: lmvp alias NAME ALIAS REVISION.")
    if args.alias:
        ref = client.set_alias(args.name, args.alias, args.revision, comment=args.comment)
        return Answer(f"{visible(args.alias)} is v{ref['version']} now.", ref)
    refs = client.aliases(args.name)
    rows = [[ref["name"], f"v{ref['version']}", ref["digest"][:12], when(moment(ref["updated_at"]))] for ref in refs]
    return Answer(table_or(["alias", "version", "digest", "since"], rows, "There are no aliases yet."), refs)


@command(
    "moves",
    NAME,
    Argument("alias", metavar="ALIAS", help="for example production"),
    Argument("--limit", type=int, default=50, help="how many at most (default: 50)"),
    JSON,
)
def moves(client: Client, args: argparse.Namespace) -> Answer:
    """Show who moved an alias, when and why, newest first.

    example: lmvp moves vision/digits production
    """
    found = client.moves(args.name, args.alias, limit=args.limit)
    rows = [[when(m.at), m.actor, _standing(m.from_number), _standing(m.to_number), m.comment] for m in found]
    return Answer(table_or(["when", "who", "from", "to", "why"], rows, "It has never been moved."), found)


def _standing(number: int | None) -> str:
    return "–" if number is None else f"v{number}"
