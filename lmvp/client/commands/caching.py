"""The command that looks after the cache of this machine."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from lmvp.client.commands.command import JSON, Answer, Argument, UsageError, command, table_or
from lmvp.client.tables import size_of, when

if TYPE_CHECKING:
    from lmvp.client.api import Client

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@command(
    "cache",
    Argument("action", choices=["list", "prune", "verify"], help="what to do"),
    Argument("--unused", type=float, metavar="DAYS", help="prune: versions that were not downloaded for so many days"),
    Argument("--max-size", metavar="SIZE", help="prune: those used longest ago, down to a size like 20G"),
    Argument("--dry-run", action="store_true", help="prune: only say what would go"),
    JSON,
)
def cache(client: Client, args: argparse.Namespace) -> Answer:
    """List what was downloaded to this machine, take out what is not used, or check that it is whole.

    Without options, prune takes away only bytes that no version in the cache needs.

    example: lmvp cache prune --unused 30 --max-size 20G
    """
    if args.action != "prune" and (args.unused is not None or args.max_size or args.dry_run):
        raise UsageError("--unused, --max-size and --dry-run are for `lmvp cache prune`.")
    return {"list": _list, "prune": _prune, "verify": _verify}[args.action](client, args)


def _list(client: Client, args: argparse.Namespace) -> Answer:
    versions = client.list_cache()
    rows = [
        [f"{one.project}/{one.model}", f"v{one.number}", when(one.used_at), str(one.files_count), size_of(one.size), str(one.path)]
        for one in versions
    ]  # fmt: skip
    head = ["model", "version", "used", "files", "size", "path"]
    return Answer(table_or(head, rows, "The cache is empty. `lmvp download NAME` fills it."), versions)


def _prune(client: Client, args: argparse.Namespace) -> Answer:
    pruned = client.prune_cache(
        unused_days=args.unused, max_size=None if args.max_size is None else _bytes(args.max_size), dry_run=args.dry_run
    )
    would = "Would take" if args.dry_run else "Took"
    lines = [str(version) for version in pruned.versions]
    lines.append(f"{would} out {len(pruned.versions)} versions, {pruned.files} files, {size_of(pruned.size)}.")
    return Answer("\n".join(lines), pruned)


def _verify(client: Client, args: argparse.Namespace) -> Answer:
    verified = client.verify_cache()
    said = f"Read {verified.files} files, {size_of(verified.size)}: "
    if verified.damaged:
        return Answer(
            f"{said}{len(verified.damaged)} damaged, and thrown away. Download what needs them again.", verified
        )
    return Answer(f"{said}all are whole.", verified)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise UsageError(f"{text!r} is no size; write it like 500M or 20G.")
    return int(float(found[1]) * UNITS[found[2].upper()])
