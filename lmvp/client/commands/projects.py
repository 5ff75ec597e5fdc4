"""Commands for projects: list, show, make, change, delete and take back."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lmvp.client.commands.command import JSON, YES, Answer, Argument, command, confirm, limit, page_of, table_or
from lmvp.client.commands.groups import Group
from lmvp.client.tables import value_text, visible, visible_lines, when

if TYPE_CHECKING:
    from lmvp.client.api import Client
    from lmvp.client.results.people import Project

PROJECT = Argument("project", metavar="PROJECT", help="the project's name")
OWN_PROJECT = Argument("project", nargs="?", metavar="PROJECT", help="default: LMVP_PROJECT, else yours")
DESCRIPTION = Argument("--description", metavar="TEXT", help="what it is about")
VISIBILITIES = ["private", "internal", "public"]

project = Group("project", "Show, change, delete a project.", example="lmvp project show vision")


@command("projects", JSON)
def projects(client: Client, args: argparse.Namespace) -> Answer:
    """List the projects that you may see.

    example: lmvp projects
    """
    found = client.projects()
    rows = [[one.name, one.visibility, one.role or "", one.description] for one in found]
    return Answer(
        table_or(["project", "visibility", "your role", "description"], rows, "There are no projects yet."), found
    )


@command(
    "create-project",
    Argument("project", metavar="NAME", help="lower-case letters, digits and hyphens"),
    Argument("--description", default="", metavar="TEXT", help="what it is about"),
    Argument(
        "--visibility",
        choices=VISIBILITIES,
        default="private",
        help="who may read (default: private)",
    ),
    JSON,
)
def create_project(client: Client, args: argparse.Namespace) -> Answer:
    """Make a project that you own.

    example: lmvp create-project vision --description "Digits and letters"
    """
    made = client.create_project(args.project, description=args.description, visibility=args.visibility)
    return Answer(visible(f"Made the {made.visibility} project {made}."), made)


@project.verb("show", PROJECT, JSON)
def show(client: Client, args: argparse.Namespace) -> Answer:
    """Show a project.

    example: lmvp project show vision
    """
    found = client.project(args.project)
    return Answer(_shown(found), found)


@project.verb(
    "update",
    PROJECT,
    DESCRIPTION,
    Argument("--visibility", choices=VISIBILITIES, help="who may read"),
    JSON,
)
def update(client: Client, args: argparse.Namespace) -> Answer:
    """Change what is said of a project, and who may read it.

    example: lmvp project update vision --visibility internal
    """
    found = client.update_project(args.project, description=args.description, visibility=args.visibility)
    return Answer(_shown(found), found)


@project.verb("rename", PROJECT, Argument("new_name", metavar="NEW_NAME", help="its other name"), JSON)
def rename(client: Client, args: argparse.Namespace) -> Answer:
    """Give a project another name; the former one keeps leading to it.

    example: lmvp project rename sound audio
    """
    found = client.rename_project(args.project, args.new_name)
    return Answer(f"It is {found} now.", found)


@project.verb("delete", PROJECT, YES, JSON)
def delete(client: Client, args: argparse.Namespace) -> Answer:
    """Put a project into the trash, with all that is in it.

    example: lmvp project delete audio --yes
    """
    confirm(args, f"The project {args.project} goes to the trash, with all its models.")
    entry = client.delete_project(args.project)
    return Answer(visible(f"In the trash: {entry}. Back: `lmvp project undelete {entry.name}`."), entry)


@project.verb("undelete", PROJECT, JSON)
def undelete(client: Client, args: argparse.Namespace) -> Answer:
    """Take a project back from the trash.

    example: lmvp project undelete audio
    """
    found = client.undelete_project(args.project)
    return Answer(f"{found} is back.", found)


@command(
    "trash",
    Argument("name", nargs="?", metavar="NAME", help="a project: its models; project/model: its versions"),
    JSON,
)
def trash(client: Client, args: argparse.Namespace) -> Answer:
    """List what was deleted and can be taken back: projects of yours, models of a project, versions of a model.

    example: lmvp trash vision
    """
    found = client.trash(args.name)
    rows = [[one.name, one.kind, one.trashed_by or "a rule", when(one.trashed_at), when(one.until)] for one in found]
    return Answer(table_or(["name", "kind", "deleted by", "when", "until"], rows, "The trash is empty."), found)


@command(
    "events",
    OWN_PROJECT,
    Argument("--actor", metavar="USERNAME", help="only what this user did"),
    Argument("--action", help="only this, like alias.moved; alias. for all that begin so"),
    Argument("--subject", help="only what begins so: project/model@production, or project/model for all about it"),
    Argument("--since", metavar="TIME", help="from this time on: 2026-03-03, or 2026-03-03T09:00:00Z"),
    Argument("--until", metavar="TIME", help="before this time"),
    limit(50),
    JSON,
)
def events(client: Client, args: argparse.Namespace) -> Answer:
    """Show the audit log of a project, newest first. For maintainers.

    example: lmvp events vision --action alias. --limit 10
    """
    chosen = {name: getattr(args, name) for name in ("actor", "action", "subject", "since", "until", "limit")}
    found = client.events(args.project, **chosen)
    rows = [[when(one.at), one.actor or "–", one.action, one.subject, value_text(one.after)] for one in found]
    return Answer(table_or(["when", "who", "did", "to", "after"], rows, "Nothing of this kind happened."), found)


def _shown(one: Project) -> str:
    about = f": {one.description}" if one.description else ""
    return visible_lines(f"{one} ({one.visibility}; you: {one.role or 'no member'}){about}\n{page_of(one.url)}")
