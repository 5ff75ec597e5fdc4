"""What a command is: its words, its arguments, and its answer as text and as data."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lmvp.client.errors import DeprecatedVersion, LMVPError
from lmvp.client.tables import table, visible

if TYPE_CHECKING:
    from lmvp.client.api import Client


class Answer(NamedTuple):
    """What a command found: as text for people, and as data for `--json`. `code`: what the process ends with."""

    text: str
    data: Any
    code: int = 0


Run = Callable[["Client", argparse.Namespace], Answer]


class Argument:
    """One argument of a command, as argparse takes it."""

    def __init__(self, *names: str, **options: Any) -> None:
        self.names = names
        self.options = options


@dataclass(frozen=True)
class Command:
    name: str
    run: Run
    arguments: tuple[Argument, ...]

    @property
    def help(self) -> str:
        return inspect.cleandoc(self.run.__doc__ or "")


class UsageError(Exception):
    """The command was used wrongly; exit code 2."""


COMMANDS: dict[str, Command] = {}

JSON = Argument("--json", action="store_true", help="print JSON instead of text")
NAME = Argument("name", metavar="NAME", help="project/model; the project may be left out where it is clear")
AT_REVISION = Argument(
    "name", metavar="NAME[@REVISION]", help="a model, and a branch, tag, alias, number or digest (default: latest)"
)


YES = Argument("-y", "--yes", action="store_true", help="do not ask; needed where nobody can answer")
COMMENT = Argument("--comment", metavar="WHY", help="why; kept in the record")


def limit(default: int) -> Argument:
    return Argument("--limit", type=int, default=default, help=f"how many at most (default: {default})")


def page_of(url: str) -> str:
    """Return the address of the page about what the API has at an address."""
    return re.sub(r"/v1/projects/([^/]+)(?:/models(?=/))?", r"/\1", url, count=1)


def confirm(args: argparse.Namespace, what: str) -> None:
    """Ask on a terminal whether to go on, unless --yes said so; without a terminal nothing is done."""
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{what} Nobody can be asked here: say --yes.")
    sys.stderr.write(f"{visible(what)} Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise LMVPError("Nothing was done.")


def command(name: str, *arguments: Argument) -> Callable[[Run], Run]:
    def register(run: Run) -> Run:
        COMMANDS[name] = Command(name, run, arguments)
        return run

    return register


def at(name: str) -> tuple[str, str]:
    """Return the two halves of NAME[@REVISION]."""
    model, _, revision = name.partition("@")
    return model, revision or "latest"


def table_or(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    """Return the table, or a sentence where it would be empty."""
    return table(head, rows) if rows else empty


@contextlib.contextmanager
def deprecations_told() -> Iterator[None]:
    """Tell warnings of deprecated versions in one line each, without the line of code."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", DeprecatedVersion)
        yield
    for one in said:
        sys.stderr.write(f"warning: {one.message}\n")
