"""Commands for registered models: list, show, make, change, delete, and which versions are kept."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lmvp.client.commands.command import (
    JSON,
    NAME,
    YES,
    Answer,
    Argument,
    UsageError,
    command,
    confirm,
    page_of,
    table_or,
)
from lmvp.client.commands.groups import Group
from lmvp.client.commands.projects import DESCRIPTION, OWN_PROJECT
from lmvp.client.tables import visible, visible_lines

if TYPE_CHECKING:
    from lmvp.client.api import Client
    from lmvp.client.results.models import RegisteredModel

KINDS = ["model", "dataset", "config"]

model = Group("model", "Show, make, change, delete a registered model.", example="lmvp model show vision/digits")


@command("models", OWN_PROJECT, JSON)
def models(client: Client, args: argparse.Namespace) -> Answer:
    """List the models of a project.

    example: lmvp models vision
    """
    found = client.models(args.project)
    rows = [[str(one), one.kind, str(one.versions), _aliases(one), one.description] for one in found]
    return Answer(
        table_or(["model", "kind", "versions", "aliases", "description"], rows, "It has no models yet."), found
    )


@model.verb("show", NAME, JSON)
def show(client: Client, args: argparse.Namespace) -> Answer:
    """Show a model.

    example: lmvp model show vision/digits
    """
    found = client.model(args.name)
    return Answer(_shown(found), found)


@model.verb(
    "create",
    NAME,
    Argument("--kind", choices=KINDS, default="model", help="what its versions hold (default: model)"),
    Argument("--description", default="", metavar="TEXT", help="what it is about"),
    JSON,
)
def create(client: Client, args: argparse.Namespace) -> Answer:
    """Make a model without versions; publish makes one by itself.

    example: lmvp model create vision/scans --kind dataset
    """
    made = client.create_model(args.name, kind=args.kind, description=args.description)
    return Answer(f"Made {made}.", made)


@model.verb(
    "update",
    NAME,
    DESCRIPTION,
    Argument("--kind", choices=KINDS, help="what its versions hold"),
    Argument("--default-branch", metavar="BRANCH", help="what latest means"),
    JSON,
)
def update(client: Client, args: argparse.Namespace) -> Answer:
    """Change what is said of a model.

    example: lmvp model update vision/digits --description "8x8 digits"
    """
    found = client.update_model(
        args.name, description=args.description, kind=args.kind, default_branch=args.default_branch
    )
    return Answer(_shown(found), found)


@model.verb("rename", NAME, Argument("new_name", metavar="NEW_NAME", help="its other name, without the project"), JSON)
def rename(client: Client, args: argparse.Namespace) -> Answer:
    """Give a model another name; the former one keeps leading to it.

    example: lmvp model rename vision/scans pages
    """
    found = client.rename_model(args.name, args.new_name)
    return Answer(f"It is {found} now.", found)


@model.verb("delete", NAME, YES, JSON)
def delete(client: Client, args: argparse.Namespace) -> Answer:
    """Put a model into the trash, with all its versions.

    example: lmvp model delete vision/pages --yes
    """
    confirm(args, f"The model {args.name} goes to the trash, with all its versions.")
    entry = client.delete_model(args.name)
    return Answer(visible(f"In the trash: {entry}. Back: `lmvp model undelete {entry.name}`."), entry)


@model.verb("undelete", NAME, JSON)
def undelete(client: Client, args: argparse.Namespace) -> Answer:
    """Take a model back from the trash.

    example: lmvp model undelete vision/pages
    """
    found = client.undelete_model(args.name)
    return Answer(f"{found} is back.", found)


@model.verb(
    "retention",
    NAME,
    Argument("--keep-last", type=int, metavar="N", help="keep the newest N versions"),
    Argument("--keep-days", type=int, metavar="DAYS", help="keep what is younger"),
    Argument("--off", action="store_true", help="take the rule away: all versions are kept"),
    YES,
    JSON,
)
def retention(client: Client, args: argparse.Namespace) -> Answer:
    """Show, set or take away the rule that says which versions are kept.

    example: lmvp model retention vision/digits --keep-last 100 --yes
    """
    asked = args.keep_last is not None or args.keep_days is not None
    if asked and args.off:
        raise UsageError("say either what to keep, or --off.")
    if args.off:
        client.delete_retention(args.name)
        return Answer("All versions are kept.", None)
    if asked:
        confirm(args, f"Versions of {args.name} that the rule does not keep go to the trash from now on.")
        rule = client.set_retention(args.name, keep_last=args.keep_last, keep_days=args.keep_days)
        return Answer(str(rule), rule)
    found = client.retention(args.name)
    return Answer(str(found or "There is no rule: all versions are kept."), found)


def _shown(one: RegisteredModel) -> str:
    about = f": {one.description}" if one.description else ""
    aliases = f"; aliases: {_aliases(one)}" if one.aliases else ""
    return visible_lines(
        f"{one} ({one.kind}, v{one.versions} on {one.default_branch}{aliases}){about}\n{page_of(one.url)}"
    )


def _aliases(model: RegisteredModel) -> str:
    return ", ".join(f"{name} v{version}" for name, version in model.aliases.items())
