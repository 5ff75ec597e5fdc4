"""The command that searches."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lmvp.client.commands.command import JSON, Answer, Argument, command, limit, table_or

if TYPE_CHECKING:
    from lmvp.client.api import Client


@command(
    "search",
    Argument("words", nargs="+", metavar="WORD", help='all are looked for; "several words" in quotes stand together'),
    Argument("--type", choices=["project", "model", "version", "file"], help="only these"),
    Argument("--project", help="only in this project"),
    Argument("--model", metavar="NAME", help="only in this model: project/model"),
    limit(20),
    JSON,
)
def search(client: Client, args: argparse.Namespace) -> Answer:
    """Search projects, models, versions and files; 7 or more hex digits find what has this digest.

    example: lmvp search digits --type model
    """
    query = " ".join(f'"{word}"' if " " in word else word for word in args.words)
    found = client.search(query, type=args.type, project=args.project, model=args.model, limit=args.limit)
    rows = [[one.type, one.place, one.path or "", one.title or ""] for one in found]
    return Answer(table_or(["type", "where", "path", "title"], rows, "Nothing was found that you may see."), found)
