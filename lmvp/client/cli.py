"""The command line `lmvp`: words, tables and exit codes over `Client`. The commands stand in `commands/`, their docstrings are their help.

Exit codes: 0 done · 1 refused or failed · 2 used wrongly · 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

import lmvp
from lmvp.client.api import Client
from lmvp.client.commands import accounts, caching, files, metrics, projects, refs, versions  # noqa: F401 each registers its own
from lmvp.client.commands.command import COMMANDS, UsageError
from lmvp.client.errors import LMVPError
from lmvp.client.tables import visible
from lmvp.client.versions import LocalModel


def _plain(value: Any) -> Any:
    if isinstance(value, LocalModel):
        return {"path": value.path, "version": value.version, "files": value.files}
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all COMMANDS."""
    top = argparse.ArgumentParser(prog="lmvp", description="Keep, show and hand out trained models.")
    top.add_argument("--version", action="version", version=f"lmvp {lmvp.__version__}")
    verbs = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for one in COMMANDS.values():
        verb = verbs.add_parser(
            one.name,
            help=one.help.partition("\n")[0],
            description=one.help,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for argument in one.arguments:
            verb.add_argument(*argument.names, **argument.options)
    return top


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    top = parser()
    args, left = top.parse_known_args(argv)
    if left and args.command == "log" and not any(word.startswith("-") for word in left):
        args.metric += left  # argparse has closed an empty NAME=VALUE list when an option stands before it
    elif left:
        top.error(f"unrecognized arguments: {' '.join(left)}")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = _parsed(argv)
    try:
        answer = COMMANDS[args.command].run(Client(), args)
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
    return 0


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {visible(message)}\n")
    return code
