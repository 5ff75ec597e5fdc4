"""Every error code that the server can answer stands in docs/api.md, and the manual knows no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rest_framework import exceptions

from registry.models import Role
from registry.permissions import NEEDS, Action

ROOT = Path(__file__).parent.parent
MANUAL = ROOT / "docs" / "api.md"
CONCEPTS = ROOT / "docs" / "concepts.md"
# Calls whose first argument (second for _answer, refusal and the like, third for refused) is a code.
FIRST = {
    "Invalid",
    "Conflict",
    "Forbidden",
    "Gone",
    "TooLarge",
    "Busy",
    "Unavailable",
    "StorageFull",
    "Refusal",
    "BadPath",
}
FIRST |= {"BadCredentials", "Locked", "Missing", "NotVerified", "RoleTooLow", "Throttled", "_unauthorized", "_body"}
SECOND = {"_answer", "refusal"}
THIRD = {"refused"}
# DRF's own words that reach callers through its exceptions.
FRAMEWORK = {"permission_denied", "method_not_allowed", "not_acceptable", "unsupported_media_type"}
ROW = re.compile(r"^\| `([a-z_]+)` \| (\d{3}(?:, \d{3})*) \| (.+) \|$", re.MULTILINE)


def sources() -> Iterator[Path]:
    for app in ("accounts", "registry"):
        yield from (path for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts)


def codes_in(path: Path) -> Iterator[str]:
    """The constants that stand where a code does; a conditional one counts for both its sides."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        place = 0 if name in FIRST else 1 if name in SECOND else 2 if name in THIRD else None
        if place is not None and len(node.args) > place:
            yield from _texts(node.args[place])
        if name in ("ValidationError", "AuthenticationFailed"):
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from _texts(keyword.value)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _texts(value)


def answered() -> set[str]:
    return {code for path in sources() for code in codes_in(path)} | FRAMEWORK


def documented() -> dict[str, str]:
    return {code: status for code, status, _ in ROW.findall(MANUAL.read_text())}


def test_every_code_is_in_the_manual() -> None:
    assert answered() - documented().keys() == set()


def test_manual_knows_no_other_code() -> None:
    assert documented().keys() - answered() == set()


def test_no_code_is_explained_twice() -> None:
    codes = [code for code, _, _ in ROW.findall(MANUAL.read_text())]
    assert sorted(set(codes)) == sorted(codes)


def test_codes_are_found_in_the_source() -> None:
    assert {"unknown_blob", "invalid_path", "role_too_low", "not_authenticated", "email_taken"} <= answered()
    assert len(answered()) > 40


@pytest.mark.parametrize("code", sorted(FRAMEWORK))
def test_words_of_the_framework_are_its_own(code: str) -> None:
    own = [value for value in vars(exceptions).values() if isinstance(value, type)]
    assert code in {getattr(value, "default_code", "") for value in own}


STATUS = {
    "Invalid": "400",
    "BadPath": "400",
    "Conflict": "409",
    "Forbidden": "403",
    "RoleTooLow": "403",
    "NotVerified": "403",
    "Gone": "410",
    "Missing": "404",
    "TooLarge": "413",
    "Busy": "503",
    "Unavailable": "503",
    "StorageFull": "507",
    "BadCredentials": "401",
    "Throttled": "429",
    "ValidationError": "400",
}


def test_statuses_in_the_manual_are_those_of_the_source() -> None:
    known = documented()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if name in STATUS and isinstance(node, ast.Call) and node.args and name != "ValidationError":
                for code in _texts(node.args[0]):
                    assert STATUS[name] in known.get(code, ""), (path, code)


def test_roles_table_of_the_concepts_is_the_one_that_decides() -> None:
    rows = re.findall(r"^\| ([a-z][^|]+?) \|((?: (?:yes|–) \|){4})$", CONCEPTS.read_text(), re.MULTILINE)
    told = {
        words: [role for role, mark in zip(Role, re.findall("yes|–", marks), strict=True) if mark == "yes"]
        for words, marks in rows
    }
    assert told == {action.value: [role for role in Role if role >= NEEDS[action]] for action in Action}
