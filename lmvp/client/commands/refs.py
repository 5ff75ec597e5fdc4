"""Commands for the names of versions: aliases, branches, tags, and their moves."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import lmvp
from lmvp.client.commands.command import (
    COMMENT,
    JSON,
    NAME,
    YES,
    Answer,
    Argument,
    UsageError,
    command,
    confirm,
    limit,
    table_or,
)
from lmvp.client.tables import visible, when

if TYPE_CHECKING:
    from lmvp.client.api import Client
    from lmvp.client.calls.refs import RefKind
    from lmvp.client.results.refs import StandingRef

DELETE = Argument("--delete", action="store_true", help="take the name away; its versions stay")
PROTECT = Argument(
    "--protect", action=argparse.BooleanOptionalAction, help="only maintainers move and delete it; or lift that"
)
ACTIVE = Argument(
    "--active", action=argparse.BooleanOptionalAction, help="keep its version as files on the server; or stop that"
)
REVISION = Argument("revision", nargs="?", metavar="REVISION", help="the version that it shall name")
EXPECTED = Argument("--expected", metavar="REVISION", help="fail unless it stands there now")


@command(
    "alias",
    NAME,
    Argument("alias", nargs="?", metavar="ALIAS", help="for example production; left out: list them all"),
    REVISION,
    COMMENT,
    EXPECTED,
    DELETE,
    PROTECT,
    ACTIVE,
    YES,
    JSON,
)
def alias(client: Client, args: argparse.Namespace) -> Answer:
    """Let an alias name a version; without one, list the aliases.

    example: lmvp alias vision/digits production 3 --comment "best on the June data"
    """
    if not args.alias:
        found = client.aliases(args.name)
        return Answer(_table(found, "alias", "There are no aliases yet."), found)
    if args.delete:
        return _deleted(client, args, "alias", args.alias)
    if args.revision:
        more = {"expected": args.expected} if args.expected else {}
        said = {"comment": args.comment, "protected": args.protect, "active": args.active, **more}
        return _stands(client.set_alias(args.name, args.alias, args.revision, **said))
    if args.protect is None and args.active is None:
        raise UsageError("say which version: lmvp alias NAME ALIAS REVISION.")
    return _changed(client, args, "alias", args.alias)


@command(
    "branch",
    NAME,
    Argument("branch", nargs="?", metavar="BRANCH", help="left out: list them all"),
    REVISION,
    Argument("--move", action="store_true", help="let a branch that is there stand at REVISION"),
    COMMENT,
    EXPECTED,
    DELETE,
    PROTECT,
    YES,
    JSON,
)
def branch(client: Client, args: argparse.Namespace) -> Answer:
    """Begin a branch at a version (default: latest), or move one; without a name, list the branches.

    example: lmvp branch vision/digits wider 1
    """
    if not args.branch:
        found = client.branches(args.name)
        return Answer(_table(found, "branch", "There are no branches yet."), found)
    if args.delete:
        return _deleted(client, args, "branch", args.branch)
    if args.move:
        return _moved(client, args)
    if args.protect is not None and not args.revision:
        return _changed(client, args, "branch", args.branch)
    said = {"comment": args.comment, "protected": args.protect}
    return _stands(client.create_branch(args.name, args.branch, revision=args.revision or "latest", **said))


def _moved(client: Client, args: argparse.Namespace) -> Answer:
    if not args.revision:
        raise UsageError("say where to: lmvp branch NAME BRANCH REVISION --move.")
    confirm(args, f"The branch {args.branch} will stand at {args.revision}, whatever it stands at now.")
    more = {"expected": args.expected} if args.expected else {}
    return _stands(client.move_branch(args.name, args.branch, args.revision, comment=args.comment, **more))


@command(
    "tag",
    NAME,
    Argument("tag", nargs="?", metavar="TAG", help="left out: list them all"),
    REVISION,
    COMMENT,
    DELETE,
    PROTECT,
    YES,
    JSON,
)
def tag(client: Client, args: argparse.Namespace) -> Answer:
    """Give a version a name that does not move; without one, list the tags.

    example: lmvp tag vision/digits paper 3
    """
    if not args.tag:
        found = client.tags(args.name)
        return Answer(_table(found, "tag", "There are no tags yet."), found)
    if args.delete:
        return _deleted(client, args, "tag", args.tag)
    if args.revision:
        made: StandingRef = client.set_tag(args.name, args.tag, args.revision, comment=args.comment)
        if args.protect is not None:
            made = client.protect(args.name, args.tag, kind="tag", protected=args.protect)
        return _stands(made)
    if args.protect is None:
        raise UsageError("say which version: lmvp tag NAME TAG REVISION.")
    return _changed(client, args, "tag", args.tag)


@command("rollback", NAME, Argument("alias", metavar="ALIAS", help="for example production"), COMMENT, JSON)
def rollback(client: Client, args: argparse.Namespace) -> Answer:
    """Take an alias back to where it stood before its latest move.

    example: lmvp rollback vision/digits production --comment "too slow"
    """
    return _stands(client.rollback(args.name, args.alias, comment=args.comment))


@command(
    "moves",
    NAME,
    Argument("ref", metavar="ALIAS", help="for example production"),
    Argument(
        "--kind", choices=["alias", "branch", "tag"], default="alias", help="what kind of name it is (default: alias)"
    ),
    Argument("--time", metavar="TIME", help="what it stood for then: 2026-03-03, or 2026-03-03T12:00:00Z"),
    limit(50),
    JSON,
)
def moves(client: Client, args: argparse.Namespace) -> Answer:
    """Show who moved an alias (branch, tag), when and why, newest first; or what it stood for at a time.

    example: lmvp moves vision/digits production
    """
    if args.time:
        past = client.ref_at(args.name, args.ref, time=args.time, kind=args.kind)
        why = f", by {past.move.actor} on {when(past.move.at)}: {past.move.comment}" if past.move else ""
        return Answer(visible(f"{past}{why}"), past)
    found = client.moves(args.name, args.ref, kind=args.kind, limit=args.limit)
    rows = [
        [when(m.at), m.actor, _standing(m.from_number), _standing(m.to_number), _why(m.rollback, m.comment)]
        for m in found
    ]
    return Answer(table_or(["when", "who", "from", "to", "why"], rows, "It has never been moved."), found)


def _changed(client: Client, args: argparse.Namespace, kind: RefKind, ref: str) -> Answer:
    """Change what is protected and active, and leave it where it stands."""
    active = getattr(args, "active", None)
    if active is not None:
        shown: StandingRef = client.activate(args.name, ref, active=active)
    if args.protect is not None:
        shown = client.protect(args.name, ref, kind=kind, protected=args.protect)
    return _stands(shown)


def _deleted(client: Client, args: argparse.Namespace, kind: RefKind, ref: str) -> Answer:
    confirm(args, f"The {kind} {ref} of {args.name} will be deleted.")
    if kind == "alias":
        client.delete_alias(args.name, ref, comment=args.comment)
    elif kind == "branch":
        client.delete_branch(args.name, ref, comment=args.comment)
    else:
        client.delete_tag(args.name, ref, comment=args.comment)
    return Answer(visible(f"Deleted the {kind} {ref}."), None)


def _stands(ref: StandingRef) -> Answer:
    marks = f" ({', '.join(_marks(ref))})" if _marks(ref) else ""
    return Answer(visible(f"{ref.name} is v{ref.version} now{marks}."), ref)


def _marks(ref: StandingRef) -> list[str]:
    active = ["active"] if isinstance(ref, lmvp.Alias) and ref.active else []
    return [*(["protected"] if ref.protected else []), *active]


def _table(refs: Sequence[StandingRef], kind: str, empty: str) -> str:
    rows = [
        [ref.name, f"v{ref.version}", ref.digest[:12], when(ref.updated_at), ", ".join(_marks(ref))] for ref in refs
    ]
    return table_or([kind, "version", "digest", "since", ""], rows, empty)


def _standing(number: int | None) -> str:
    return "–" if number is None else f"v{number}"


def _why(rollback: bool, comment: str) -> str:
    return f"rolled back: {comment}".rstrip(": ") if rollback else comment
