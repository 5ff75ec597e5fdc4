"""Commands of two words, `lmvp token create`: one command for the noun, a verb for each thing that is done with it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lmvp.client.api import Client
from lmvp.client.commands.command import COMMANDS, Answer, Argument, Command, Run

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
        argument = Argument("verb", action=_Verbs, nargs=argparse.PARSER, metavar="VERB", verbs=self.verbs)
        COMMANDS[name] = Noun(name, self._run, (argument,), title, example, self.verbs)

    def verb(self, name: str, *arguments: Argument) -> Callable[[Run], Run]:
        """Register what follows as a verb of the noun; its docstring is its help."""

        def register(run: Run) -> Run:
            self.verbs[name] = Command(f"{self.name} {name}", run, arguments)
            return run

        return register

    def _run(self, client: Client, args: argparse.Namespace) -> Answer:
        return self.verbs[args.verb].run(client, args)


class _Verbs(argparse.Action):
    """Reads what follows the noun with a parser of the verb's own."""

    def __init__(self, *, verbs: dict[str, Command], **options: Any) -> None:
        super().__init__(**options)
        self.verbs = verbs

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        verb, *rest = [str(value) for value in values or []]
        if verb not in self.verbs:
            parser.error(f"there is no “{verb}” here; choose one of {', '.join(self.verbs)}.")
        setattr(namespace, self.dest, verb)
        parser_of(self.verbs[verb]).parse_args(rest, namespace)


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
