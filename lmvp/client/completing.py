"""What may come next on the command line, for the shells' completion: read from the parser, and asked of the server."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmvp.client.api import Client

PLAIN = re.compile(r"[\w./@-]+", re.ASCII)
SHOWN = 50  # versions that are offered by their number


def candidates(parser: argparse.ArgumentParser, words: Sequence[str], client: Client) -> list[str] | None:
    """Return what the last of the words, empty or begun, can become; None where the shell shall offer files."""
    *before, last = words or [""]
    left, wanted = _walked(parser, before)
    if last.startswith("-"):
        return _beginning(last, [option for action in left._actions for option in action.option_strings])
    if wanted is None:
        return []
    if wanted.choices is not None:
        return _beginning(last, map(str, wanted.choices))
    if wanted.type is Path:
        return None
    return _beginning(last, _values(str(wanted.metavar or ""), before, last, client))


def _walked(
    parser: argparse.ArgumentParser, words: Sequence[str]
) -> tuple[argparse.ArgumentParser, argparse.Action | None]:
    """Follow the words; return the parser of the command that they name, and the argument that comes next."""
    positional = _positional(parser)
    option: argparse.Action | None = None
    for word in words:
        if option is not None:
            option = None
        elif word in parser._option_string_actions:
            found = parser._option_string_actions[word]
            option = found if found.nargs != 0 else None
        elif positional and isinstance(positional[0], argparse._SubParsersAction):
            if word not in positional[0].choices:
                return parser, None
            parser = positional[0].choices[word]
            positional = _positional(parser)
        elif positional and positional[0].nargs not in ("*", "+"):
            positional = positional[1:]
    return parser, option or (positional[0] if positional else None)


def _positional(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if not action.option_strings]


def _beginning(start: str, words: Iterable[str]) -> list[str]:
    # What a server says stands on somebody's command line next: nothing that a shell would read otherwise.
    return [word for word in dict.fromkeys(words) if word.startswith(start) and PLAIN.fullmatch(word)]


def _values(metavar: str, before: Sequence[str], last: str, client: Client) -> Iterable[str]:
    """Return what the server knows for an argument, by the word that stands for it in the help."""
    name, at, _ = last.partition("@")
    if metavar == "NAME[@REVISION]" and at:
        return [f"{name}@{revision}" for revision in _revisions(client, name)]
    if metavar in ("NAME", "NAME[@REVISION]"):
        return _names(client, last)
    if metavar == "PROJECT":
        return [project.name for project in client.projects()]
    model = next((word for word in before if "/" in word), None)
    if model and metavar in ("REVISION", "BASE", "HEAD", "SOURCE", "TARGET"):
        return _revisions(client, model.partition("@")[0])
    if model and metavar == "ALIAS":
        return [alias.name for alias in client.aliases(model)]
    return []


def _names(client: Client, last: str) -> list[str]:
    """Return the projects, each with a slash; after one, its models."""
    project, slash, _ = last.partition("/")
    if slash:
        return [f"{project}/{model.name}" for model in client.models(project)]
    return [f"{project.name}/" for project in client.projects()]


def _revisions(client: Client, model: str) -> list[str]:
    versions = client.history(model, limit=SHOWN)
    refs = [ref.name for version in versions for ref in version.refs]
    return [*refs, "latest", *(str(version.number) for version in versions)]
