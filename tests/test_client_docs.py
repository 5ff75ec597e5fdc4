"""The manual of the client and the client say the same."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import lmvp
from lmvp.client import cli, errors
from lmvp.client.commands.command import JSON
from lmvp.client.commands.groups import GROUPS

ROOT = Path(__file__).parent.parent
CLI_PAGE = (ROOT / "docs" / "cli.md").read_text("utf-8")
CLIENT_PAGE = (ROOT / "docs" / "client.md").read_text("utf-8")
VERBS = [verb for group in GROUPS.values() for verb in group.verbs.values()]


def public_methods() -> set[str]:
    return {name for name, _ in inspect.getmembers(lmvp.Client, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize("command", cli.COMMANDS.values(), ids=lambda command: command.name)
def test_every_command_stands_in_the_manual(command):
    assert re.search(rf"^\| `lmvp {command.name}\b", CLI_PAGE, re.MULTILINE)


@pytest.mark.parametrize("command", [*cli.COMMANDS.values(), *VERBS], ids=lambda command: command.name)
def test_every_option_stands_in_the_manual(command):
    options = [name for argument in command.arguments for name in argument.names if name.startswith("--")]
    assert [option for option in options if option not in CLI_PAGE] == []


@pytest.mark.parametrize("command", cli.COMMANDS.values(), ids=lambda command: command.name)
def test_every_commands_help_has_one_example_that_parses(command):
    [example] = re.findall(r"^example: lmvp (.*)$", command.help, re.MULTILINE)
    assert cli.parser().parse_args(re.sub(r'"[^"]*"', "text", example).split()).command == command.name


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_of_two_words_stands_in_the_manual(verb):
    noun, name = verb.name.split()
    rows = re.findall(rf"^\| `lmvp {noun}\b.*$", CLI_PAGE, re.MULTILINE)
    assert any(re.search(rf"(`lmvp {noun} {name}\b|· `{name}\b)", row) for row in rows)


def test_json_is_offered_by_the_commands_that_the_manual_lists():
    [listed] = re.findall(r"^- `--json` .*", CLI_PAGE, re.MULTILINE)
    offering = {command.name for command in cli.COMMANDS.values() if JSON in command.arguments}
    offering |= {group.name for group in GROUPS.values() if all(JSON in one.arguments for one in group.verbs.values())}
    assert set(re.findall(r"`(\w[\w-]*)`", listed)) == offering


def test_the_module_offers_every_verb_of_the_client():
    functions = {name for name in lmvp.__all__ if name[0].islower()} - {"errors", "register_format"}
    assert functions == public_methods()
    for name in functions:
        assert getattr(lmvp, name) == getattr(lmvp.client.api.default_client, name)


@pytest.mark.parametrize("name", sorted(public_methods()))
def test_every_verb_stands_in_the_manual(name):
    assert f"lmvp.{name}" in CLIENT_PAGE or f"`{name}`" in CLIENT_PAGE


def test_every_error_stands_in_the_manual():
    kinds = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.LMVPError)}
    assert {kind for kind in kinds if f"{kind}`" not in CLIENT_PAGE} == set()


def test_the_examples_of_the_manual_fit_the_signatures():
    for block in re.findall(r"```python\n(.*?)```", CLIENT_PAGE, re.DOTALL):
        for call in ast.walk(ast.parse(block)):
            if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("lmvp."):
                signature = inspect.signature(getattr(lmvp, ast.unparse(call.func).removeprefix("lmvp.")))
                signature.bind(*call.args, **{keyword.arg: keyword.value for keyword in call.keywords})
