"""The command line `lmvp`: words, tables and exit codes over `Client`. The commands stand in `commands/`, their docstrings are their help.

Exit codes: 0 done · 1 refused or failed · 2 used wrongly · 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from types import ModuleType
from typing import Any, NoReturn

import lmvp  # what is asked of it by name is loaded then: the help does without the client
from lmvp.client.commands import (
    accounts,
    artifacts,
    caching,
    comparing,
    completion,
    contents,
    files,
    members,
    metrics,
    models,
    projects,
    refs,
    searching,
    syncing,
    tokens,
    versions,
)
from lmvp.client.commands.command import COMMANDS, UsageError
from lmvp.client.errors import LMVPError
from lmvp.client.guessing import close_to
from lmvp.client.tables import visible


def _plain(value: Any) -> Any:
    if isinstance(value, lmvp.LocalModel):
        return {"path": value.path, "version": value.version, "files": value.files}
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


# In the order of the help. Each module registers its own commands when it is imported.
GROUPS: tuple[tuple[str, ModuleType], ...] = (
    ("Sign in", accounts),
    ("Publish and fetch files", files),
    ("Kept on this machine", caching),
    ("Serve", syncing),
    ("Look at versions", versions),
    ("Look into files", contents),
    ("Compare, merge, restore", comparing),
    ("Name versions", refs),
    ("Measure", metrics),
    ("Find", searching),
    ("Models", models),
    ("Projects", projects),
    ("People", members),
    ("Tokens and users", tokens),
    ("Lineage trees", artifacts),
    ("This shell", completion),
)
BEGINNING = """\
Keep, show and hand out trained models.

  lmvp login --server https://models.example.org
  lmvp publish vision/digits weights/ -m "First try" --metric accuracy=0.95
  lmvp history vision/digits
  lmvp download vision/digits@production -o weights/
"""
ENDING = "lmvp COMMAND --help tells more of each. The manual: docs/cli.md, and at your server /docs/ for the REST API."


class Help(argparse.RawDescriptionHelpFormatter):
    """The commands under the heads of their groups, each with its first line."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=24)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all COMMANDS."""
    top = Parser(
        prog="lmvp",
        usage="lmvp [--at URL] COMMAND …",
        formatter_class=Help,
        description=f"{BEGINNING}\n{_overview()}",
        epilog=ENDING,
    )
    top.add_argument("--version", action="version", version=f"lmvp {lmvp.__version__}")
    top.add_argument("--at", metavar="URL", help="speak with this server; stands before the command")
    top.set_defaults(parser=top)  # for `completion`
    verbs = top.add_subparsers(dest="command", metavar="COMMAND", required=True, help=argparse.SUPPRESS)
    for one in COMMANDS.values():
        verb = verbs.add_parser(one.name, description=one.help, formatter_class=Help)
        for argument in one.arguments:
            verb.add_argument(*argument.names, **argument.options)
    return top


def _overview() -> str:
    """Return the groups, with a line for each command."""
    blocks = []
    for title, module in GROUPS:
        of_group = [one for one in COMMANDS.values() if one.run.__module__ == module.__name__]
        lines = [f"  {one.name:<16} {one.help.partition(chr(10))[0]}" for one in of_group]
        blocks.append("\n".join([f"{title}:", *lines]))
    return "\n\n".join(blocks)


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    top = parser()
    args, left = top.parse_known_args(argv)
    if left and args.command == "log" and not any(word.startswith("-") for word in left):
        args.metric += left  # argparse has closed an empty NAME=VALUE list when an option stands before it
    elif left:
        top.error(f"unrecognized arguments: {' '.join(left)}{_hint(args.command, left)}")
    return args


def _hint(verb: str, left: Sequence[str]) -> str:
    """Return where words belong that stand in a wrong place."""
    if "--at" in left:
        return f". --at stands before the command: lmvp --at URL {verb} …"
    if verb == "download" and len(left) == 1 and not left[0].startswith("-"):
        return f". Say where to put it with -o: lmvp download NAME -o {left[0]}"
    return ""


class Parser(argparse.ArgumentParser):
    """Says of a command with a typing error which may have been meant, instead of listing all."""

    def error(self, message: str) -> NoReturn:
        typed = re.search(r"argument COMMAND: invalid choice: '([^']*)'", message)
        if typed:
            message = f"there is no command “{typed[1]}”.{close_to(typed[1], COMMANDS)} All of them: lmvp --help"
        super().error(message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = _parsed(argv)
    try:
        answer = COMMANDS[args.command].run(lmvp.Client(args.at), args)
        as_json = getattr(args, "json", False)
        _write(json.dumps(answer.data, default=_plain, ensure_ascii=False, indent=2) if as_json else answer.text)
    except LMVPError as error:
        return _fail(error.message, 1)
    except (UsageError, EOFError) as error:
        return _fail(f"{error or 'no input.'} See: lmvp {args.command} --help", 2)
    except KeyboardInterrupt:
        return _fail("interrupted.", 130)
    except BrokenPipeError:  # `lmvp history … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return answer.code


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {visible(message)}\n")
    return code
