"""Commands for projects and their models."""

from __future__ import annotations

import argparse
from typing import Any

from lmvp.client.api import Client
from lmvp.client.commands.command import JSON, Answer, Argument, command, table_or


@command("projects", JSON)
def projects(client: Client, args: argparse.Namespace) -> Answer:
    """List the projects that you may see.

    example: lmvp projects
    """
    found = client.projects()
    rows = [[one["name"], one["visibility"], one["role"] or "", one["description"]] for one in found]
    return Answer(
        table_or(["project", "visibility", "your role", "description"], rows, "There are no projects yet."), found
    )


@command(
    "create-project",
    Argument("project", metavar="NAME", help="lower-case letters, digits and hyphens"),
    Argument("--description", default="", help="what it is about"),
    Argument(
        "--visibility",
        choices=["private", "internal", "public"],
        default="private",
        help="who may read (default: private)",
    ),
    JSON,
)
def create_project(client: Client, args: argparse.Namespace) -> Answer:
    """Make a project that you own.

    example: lmvp create-project vision --description "Digits and letters"
    """
    project = client.create_project(args.project, description=args.description, visibility=args.visibility)
    return Answer(f"Made the {project['visibility']} project {project['name']}.", project)


@command("models", Argument("project", nargs="?", metavar="PROJECT", help="default: LMVP_PROJECT, else yours"), JSON)
def models(client: Client, args: argparse.Namespace) -> Answer:
    """List the models of a project.

    example: lmvp models vision
    """
    found = client.models(args.project)
    rows = [
        [f"{one['project']}/{one['name']}", one["kind"], str(one["versions"]), _aliases(one), one["description"]]
        for one in found
    ]
    return Answer(
        table_or(["model", "kind", "versions", "aliases", "description"], rows, "It has no models yet."), found
    )


def _aliases(model: dict[str, Any]) -> str:
    return ", ".join(f"{name} v{version}" for name, version in model["aliases"].items())
