"""Commands of two words, `lmvp token create`: one command for the noun, a verb for each thing that is done with it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmvp.client.commands.command import COMMANDS, Answer, Argument, Command, Run

if TYPE_CHECKING:
    from lmvp.client.api import Client

    _SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    _SubParsers = argparse._SubParsersAction

GROUPS: dict[str, Group] = {}


@dataclass(frozen=True)
class Noun(Command):
    """The command of a group; its help lists the verbs."""

    title: str
    example: str
    verbs: dict[str, Command]

    @property
    def help(self) -> str:
        width = max(map(len, self.verbs))
        lines = [f"  {name:<{width}}  {verb.help.splitlines()[0]}" for name, verb in self.verbs.items()]
        return "\n".join([self.title, "", *lines, "", f"example: {self.example}"])


class Group:
    """A noun and its verbs."""

    def __init__(self, name: str, title: str, *, example: str) -> None:
        self.name = name
        self.verbs: dict[str, Command] = {}
        GROUPS[name] = self
        argument = Argument("verb", action=_Verbs, verbs=self.verbs)

        def run_verb(client: Client, args: argparse.Namespace) -> Answer:
            return self.verbs[args.verb].run(client, args)

        self._run = run_verb
        COMMANDS[name] = Noun(name, run_verb, (argument,), title, example, self.verbs)

    def verb(self, name: str, *arguments: Argument) -> Callable[[Run], Run]:
        """Register what follows as a verb of the noun; its docstring is its help."""

        def register(run: Run) -> Run:
            self.verbs[name] = Command(f"{self.name} {name}", run, arguments)
            self._run.__module__ = run.__module__  # where the help looks for what belongs together
            return run

        return register


class _Parsers(Mapping[str, argparse.ArgumentParser]):
    """The parsers of verbs, each made when it is asked for: a start pays for one, not for all."""

    def __init__(self, verbs: Mapping[str, Command]) -> None:
        self._verbs = verbs

    def __getitem__(self, name: str) -> argparse.ArgumentParser:
        return parser_of(self._verbs[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._verbs)

    def __len__(self) -> int:
        return len(self._verbs)

    def __contains__(self, name: object) -> bool:
        return name in self._verbs


class _Verbs(_SubParsers):
    """Reads what follows the noun with a parser of the verb's own."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, verbs: Mapping[str, Command], **_: Any) -> None:
        super().__init__(option_strings, "lmvp", argparse.ArgumentParser, dest, required=True, metavar="VERB")
        parsers: Any = _Parsers(verbs)
        self.choices = self._name_parser_map = parsers


def parser_of(command: Command) -> argparse.ArgumentParser:
    """Return the parser of one verb."""
    parser = argparse.ArgumentParser(
        prog=f"lmvp {command.name}",
        description=command.help,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for argument in command.arguments:
        parser.add_argument(*argument.names, **argument.options)
    return parser
