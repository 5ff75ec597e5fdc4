"""Commands that look at the files of a version without downloading it: files, cat, inspect, card, archive."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lmvp.client.commands.command import AT_REVISION, JSON, Answer, Argument, at, command, table_or
from lmvp.client.tables import bytes_text, visible_lines

if TYPE_CHECKING:
    from lmvp.client.api import Client

PATH = Argument("path", metavar="PATH", help="the file's path in the version")


@command(
    "files",
    AT_REVISION,
    Argument("path", nargs="?", default="", metavar="PATH", help="only below this directory"),
    Argument("--flat", action="store_true", help="one directory's entries, without what is below"),
    JSON,
)
def files(client: Client, args: argparse.Namespace) -> Answer:
    """List the files of a version, with their sizes and the versions that brought them.

    example: lmvp files vision/digits@production
    """
    name, revision = at(args.name)
    found = client.files(name, revision, path=args.path, recursive=not args.flat)
    rows = [
        [
            f"{one.path}/" if one.type == "directory" else one.path,
            bytes_text(one.size),
            one.digest[:12],
            "" if one.version is None else f"v{one.version}",
        ]
        for one in found
    ]
    return Answer(table_or(["path", "size", "digest", "from"], rows, "There are no files."), found)


@command("cat", AT_REVISION, PATH, JSON)
def cat(client: Client, args: argparse.Namespace) -> Answer:
    """Print a small text of a version; what would steer the terminal is made visible. With --json its text as it is.

    example: lmvp cat vision/digits config.json
    """
    name, revision = at(args.name)
    text = client.read_file(name, args.path, revision=revision).decode("utf-8", "replace")
    shown = text if not sys.stdout.isatty() else visible_lines(text)
    return Answer(shown.removesuffix("\n"), {"path": args.path, "text": text})


@command("inspect", AT_REVISION, PATH, JSON)
def inspect(client: Client, args: argparse.Namespace) -> Answer:
    """Show what the header of a safetensors, GGUF, ONNX or NumPy file says: tensors, shapes, data types.

    example: lmvp inspect vision/digits weights.npz
    """
    name, revision = at(args.name)
    header = client.inspect(name, args.path, revision=revision)
    rows = [[one.name, one.dtype, str(list(one.shape)), str(one.parameters)] for one in header.tensors.results]
    return Answer(
        f"{header}\n{table_or(['tensor', 'dtype', 'shape', 'parameters'], rows, 'It has no tensors.')}", header
    )


@command("card", AT_REVISION, JSON)
def card(client: Client, args: argparse.Namespace) -> Answer:
    """Print the card of a version, its README.md.

    example: lmvp card vision/digits
    """
    found = client.card(*at(args.name))
    return Answer(visible_lines(found.text.rstrip("\n")), found)


@command(
    "archive",
    AT_REVISION,
    Argument("path", type=Path, metavar="FILE", help="where to write it"),
    Argument("--format", choices=["zip", "tar"], default="zip", help="default: zip"),
    JSON,
)
def archive(client: Client, args: argparse.Namespace) -> Answer:
    """Write all files of a version into one archive.

    example: lmvp archive vision/digits@production digits.zip
    """
    name, revision = at(args.name)
    path = client.download_archive(name, args.path, revision=revision, format=args.format)
    return Answer(str(path), {"path": path})
