"""Every management command, with its options, stands in the manual of whoever runs the server; every `make` target has a rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import load_command_class

ROOT = Path(__file__).resolve().parent.parent
MANUAL = (ROOT / "docs" / "deploy.md").read_text("utf-8")
COMMANDS = [
    (app, path.stem)
    for app in ("registry", "accounts")
    for path in (ROOT / app / "management" / "commands").glob("[a-z]*.py")
    if path.stem not in ("createsuperuser", "migrate")  # Django's own
]
DJANGO = {
    "-h",
    "--version",
    "-v",
    "--settings",
    "--pythonpath",
    "--traceback",
    "--no-color",
    "--force-color",
    "--skip-checks",
}


def test_there_are_commands() -> None:
    assert {"serve", "collect_garbage", "verify_blobs", "forget_sign_ins"} <= {command for _, command in COMMANDS}


@pytest.mark.parametrize(("app", "command"), COMMANDS)
def test_every_command_and_option_stands_in_the_manual(app: str, command: str) -> None:
    assert f"manage.py {command}" in MANUAL
    parser = load_command_class(app, command).create_parser("manage.py", command)
    options = {action.option_strings[0] for action in parser._actions if action.option_strings}
    assert {option for option in options - DJANGO if option not in MANUAL} == set()


def test_every_target_that_is_named_has_a_rule() -> None:
    """make says “Nothing to be done” of a phony target without one."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    manuals = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = re.findall(r"(?:`|^ {4}|^\$ )make ([a-z][a-z-]*)", "\n".join(map(Path.read_text, manuals)), re.MULTILINE)
    rules = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    assert "screenshots" in named
    assert {*phony[1].split(), *named} <= rules
