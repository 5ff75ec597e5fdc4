"""Commands for artifacts, the nodes of lineage trees, and the hierarchies that name their levels."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmvp.client.commands.command import JSON, YES, Answer, Argument, UsageError, confirm, limit, table_or
from lmvp.client.commands.groups import Group
from lmvp.client.tables import bytes_text, visible_lines, when

if TYPE_CHECKING:
    from lmvp.client.api import Client
    from lmvp.client.results.artifacts import Artifact

ID = Argument("id", metavar="ID", help="the artifact's id")
DATA = Argument("--data", metavar="JSON", help='a JSON object, like {"name": "wider"}; @FILE reads it from a file')
CONTENT = Argument("--content", type=Path, metavar="FILE", help="a file that is kept with it")
CONTENT_TYPE = Argument("--content-type", metavar="TYPE", help="default: by the name of the file")
VERSION = Argument("--version-of", metavar="NAME@REVISION", help="the version that it stands for")
IN_PROJECT = Argument("--project", help="default: LMVP_PROJECT, else yours")

artifact = Group("artifact", "Record and read artifacts: experiment, model, predictions.", example="lmvp artifact list")
hierarchy = Group("hierarchy", "Name the levels of artifact trees.", example="lmvp hierarchy list vision")


@hierarchy.verb(
    "list", Argument("project", nargs="?", metavar="PROJECT", help="default: LMVP_PROJECT, else yours"), JSON
)
def hierarchies(client: Client, args: argparse.Namespace) -> Answer:
    """List the hierarchies of a project.

    example: lmvp hierarchy list vision
    """
    found = client.hierarchies(args.project)
    rows = [[one.name, " → ".join(one.labels) or "any levels"] for one in found]
    return Answer(table_or(["hierarchy", "levels"], rows, "There are no hierarchies yet."), found)


@hierarchy.verb(
    "create",
    Argument("hierarchy", metavar="NAME", help="its name"),
    Argument("labels", nargs="*", metavar="LABEL", help="of the levels, from the root down; none: any depth"),
    IN_PROJECT,
    JSON,
)
def create_hierarchy(client: Client, args: argparse.Namespace) -> Answer:
    """Name the levels of artifact trees; they do not change any more.

    example: lmvp hierarchy create experiments experiment model predictions --project vision
    """
    made = client.create_hierarchy(args.hierarchy, args.labels, project=args.project)
    return Answer(f"Made {made}.", made)


@artifact.verb(
    "list",
    Argument("--project", help="only those of this project"),
    Argument("--hierarchy", metavar="NAME", help="only those of this hierarchy"),
    Argument("--parent", metavar="ID", help="only those below this one"),
    Argument("--roots", action="store_true", help="only those without a parent"),
    limit(50),
    JSON,
)
def listed(client: Client, args: argparse.Namespace) -> Answer:
    """List the artifacts that you may see, oldest first.

    example: lmvp artifact list --project vision --roots
    """
    found = client.artifacts(
        args.project, hierarchy=args.hierarchy, parent=args.parent, roots=args.roots, limit=args.limit
    )
    rows = [[one.id, str(one.level), one.label, _size(one), one.version or "", when(one.created_at)] for one in found]
    head = ["id", "level", "name", "content", "version", "recorded"]
    return Answer(table_or(head, rows, "There are no artifacts."), found)


@artifact.verb(
    "create",
    DATA,
    CONTENT,
    CONTENT_TYPE,
    Argument("--parent", metavar="ID", help="the artifact that it stands below"),
    IN_PROJECT,
    Argument("--hierarchy", metavar="NAME", help="of a root (default: default)"),
    VERSION,
    JSON,
)
def create(client: Client, args: argparse.Namespace) -> Answer:
    """Record an artifact, and print its id.

    example: lmvp artifact create --project vision --hierarchy experiments --data '{"name":"wider"}'
    """
    made = client.create_artifact(
        _data(args.data) or {},
        content=args.content,
        content_type=args.content_type,
        parent=args.parent,
        project=args.project,
        hierarchy=args.hierarchy,
        version=args.version_of,
    )
    return Answer(made.id, made)


@artifact.verb("show", ID, JSON)
def show(client: Client, args: argparse.Namespace) -> Answer:
    """Show an artifact with its data.

    example: lmvp artifact show 01K2ZP5Q7V3C8Y0M4N6R9T1W2X
    """
    found = client.artifact(args.id)
    data = json.dumps(dict(found.data), ensure_ascii=False, indent=2)
    stands = f", stands for {found.version}" if found.version else ""
    about = f"{found}, in {found.project} by {found.created_by}{stands}"
    return Answer(visible_lines(f"{about}\n{data}"), found)


@artifact.verb("tree", ID, Argument("--depth", type=int, help="levels below it"), JSON)
def tree(client: Client, args: argparse.Namespace) -> Answer:
    """Draw an artifact with all below it.

    example: lmvp artifact tree 01K2ZP5Q7V3C8Y0M4N6R9T1W2X
    """
    found = client.artifact_tree(args.id, max_depth=args.depth)
    return Answer(found.tree(), found)


@artifact.verb(
    "update",
    ID,
    DATA,
    CONTENT,
    CONTENT_TYPE,
    Argument("--parent", metavar="ID", help="stand below this one instead"),
    VERSION,
    JSON,
)
def update(client: Client, args: argparse.Namespace) -> Answer:
    """Replace the data or content of an artifact, or move it below another one.

    example: lmvp artifact update 01K2ZP5Q7V3C8Y0M4N6R9T1W2X --data '{"name":"wider"}'
    """
    given = {"content": args.content, "parent": args.parent, "version": args.version_of}
    changed = {name: value for name, value in given.items() if value is not None}
    found = client.update_artifact(args.id, _data(args.data), content_type=args.content_type, **changed)
    return Answer(str(found), found)


@artifact.verb("delete", ID, YES, JSON)
def delete(client: Client, args: argparse.Namespace) -> Answer:
    """Delete an artifact that has none below it, for good.

    example: lmvp artifact delete 01K2ZP5Q7V3C8Y0M4N6R9T1W2X --yes
    """
    confirm(args, f"The artifact {args.id} will be deleted for good.")
    client.delete_artifact(args.id)
    return Answer(f"Deleted {args.id}.", None)


@artifact.verb(
    "download",
    ID,
    Argument("-o", "--output", type=Path, metavar="FILE", help="write it there as it was kept"),
    Argument("--csv", action="store_true", help="print a table as CSV"),
    JSON,
)
def download(client: Client, args: argparse.Namespace) -> Answer:
    """Write the content of an artifact to a file, or print a table or JSON.

    example: lmvp artifact download 01K2ZP5Q7V3C8Y0M4N6R9T1W2X --csv
    """
    if args.output:
        path = client.download_artifact(args.id, args.output)
        return Answer(str(path), {"path": path})
    if args.csv:
        text = client.load_artifact(args.id, to="csv")
        return Answer(_for_terminal(text.rstrip("\r\n")), {"csv": text})
    value = client.load_artifact(args.id, to="json")
    return Answer(json.dumps(value, ensure_ascii=False, indent=2), value)


def _for_terminal(text: str) -> str:
    return visible_lines(text.replace("\r\n", "\n")) if sys.stdout.isatty() else text


def _data(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(Path(text[1:]).read_text("utf-8") if text.startswith("@") else text)
    except (OSError, ValueError) as error:
        raise UsageError(f"--data is no JSON ({error}).") from error
    if not isinstance(value, dict):
        raise UsageError('--data is a JSON object, like {"name": "wider"}.')
    return value


def _size(one: Artifact) -> str:
    return bytes_text(one.content.size) if one.content else ""
