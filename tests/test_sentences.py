"""The audit log in words: every action that the code records has a sentence of its own, whatever stands in the line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from registry.models import Event, Ref, Role
from registry.sentences import Part, Told, actions, has_words, words_of
from registry.services import trash
from registry.services.members import remove_member, set_membership
from registry.services.projects import update_project
from registry.services.refs import Move, delete_ref, set_ref
from registry.services.rollbacks import roll_back
from tests.cast import Cast, publish

ROOT = Path(__file__).parent.parent
KINDS = tuple(Ref.Kind.values)
# Where an action is put together at the place that records it: all that it can become.
PUT_TOGETHER = {
    "registry/services/purging.py": {f"{noun}.purged" for noun in trash.NOUNS.values()},
    "registry/services/trash.py": {f"{n}.{v}" for n, v in product(trash.NOUNS.values(), ("trashed", "undeleted"))},
    "registry/services/refs.py": {
        f"{kind}.{done}" for kind, done in product(KINDS, ("deleted", "set", "changed", "moved", "rolled_back"))
    },
    "registry/services/verification.py": {"blob.damaged", "blob.missing"},
    "registry/services/downloads.py": {"version.downloaded", "artifact.downloaded"},
    "registry/services/members.py": {"member.role_set", "member.removed", "member.invited", "member.joined"},
    "registry/services/artifacts.py": {"artifact.recorded", "artifact.changed", "artifact.deleted"},
}


def constants(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def recorded() -> set[str]:
    """The actions that the services, the accounts and the admin record."""
    found = set().union(*PUT_TOGETHER.values())
    for path in (*(ROOT / "accounts").rglob("*.py"), *(ROOT / "registry" / "services").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            texts = [text for one in (*node.args, *(k.value for k in node.keywords)) for text in constants(one)]
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in ("record", "record_once", "_record", "_set"):
                found |= {text for text in texts if text.count(".") == 1 and " " not in text and text.islower()}
    return found


def put_together_somewhere() -> set[str]:
    """The modules whose actions are no plain text where they are recorded."""
    found = set()
    for path in (*(ROOT / "accounts").rglob("*.py"), *(ROOT / "registry").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "").startswith("record"):
                said = [keyword.value for keyword in node.keywords if keyword.arg == "action"]
                if said and not list(constants(said[0])):
                    found.add(str(path.relative_to(ROOT)))
    return found


def said(told: Told) -> str:
    return "".join(part.text for part in words_of(told))


def test_every_action_that_is_recorded_has_words() -> None:
    assert len(recorded()) > 50
    assert {action for action in recorded() if not has_words(action)} == set()


def test_no_words_are_kept_for_what_nobody_records() -> None:
    assert set(actions()) - recorded() == set()


def test_actions_put_together_are_listed_above() -> None:
    known = {*PUT_TOGETHER, "accounts/services/passwords.py"}  # there, the caller says it in plain text
    assert put_together_somewhere() <= known


@pytest.mark.parametrize(
    "subject", ["vision/classifier v3", "vision/classifier@main", "vision/a", "dave", "", "x" * 300, "<b>{}%s</b>"]
)
@pytest.mark.parametrize("facts", [{}, {"version": None, "role": None, "places": [], "names": None, "rule": None}])
def test_no_line_is_too_strange_to_be_said(subject: str, facts: dict[str, Any]) -> None:
    for action in [*actions(), "moon.landed"]:
        assert said(Told(action, subject, "dave", before=facts, after=facts)).strip()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Told("member.role_set", "dave", "alice", {}, {"role": "viewer"}), "added dave as viewer"),
        (
            Told("member.role_set", "dave", "alice", {"role": "viewer"}, {"role": "owner"}),
            "changed the role of dave from viewer to owner",
        ),
        (Told("member.removed", "dave", "dave", {"role": "viewer"}), "left the project, being viewer"),
        (Told("member.removed", "dave", "alice", {"role": "viewer"}), "removed dave, who was viewer"),
        (Told("member.invited", "e@x.org", "alice", {}, {"role": "viewer"}), "invited e@x.org as viewer"),
        (
            Told("retention.set", "vision/c", "alice", {"keep_last": 1}, {"keep_last": 3, "keep_days": 90}),
            "set a retention rule for c: keep the newest 3 versions and those of the last 90 days"
            " (before: the newest version)",
        ),
        (
            Told("project.changed", "eyes", "alice", {"name": "vision"}, {"name": "eyes"}),
            "changed the project eyes: renamed it from vision to eyes",
        ),
        (
            Told("version.trashed", "vision/c v1", "", {}, {"until": "2026-12-05T1", "rule": {"keep_last": 2}}),
            "put c v1 into the trash until 2026-12-05, by the rule to keep the newest 2 versions",
        ),
        (
            Told("metrics.logged", "vision/c v1", "bob", {}, {"values": 1, "names": ["loss"]}),
            "logged 1 value to c v1: loss",
        ),
    ],
)
def test_a_line_is_said_so(told: Told, words: str) -> None:
    assert said(told) == words


def test_parts_say_what_they_name() -> None:
    told = Told("alias.moved", "vision/classifier@production", "carol", {"version": 1}, {"version": 2, "comment": "ok"})
    assert words_of(told) == [
        Part("moved "),
        Part("the alias "),
        Part("production", "alias", ("classifier", "production")),
        Part(" of classifier"),
        Part(" from "),
        Part("v1", "version", ("classifier", "1")),
        Part(" to "),
        Part("v2", "version", ("classifier", "2")),
        Part(": “ok”"),
    ]


def test_what_is_gone_leads_nowhere() -> None:
    assert all(not part.thing for part in words_of(Told("model.purged", "vision/classifier")))


@pytest.mark.django_db
def test_what_a_team_does_reads_as_sentences(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"}, message="First", alias="production")
    publish(cast.bob, model, {"a": b"2"}, message="Second")
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "2", comment="Better"))
    roll_back(actor=cast.carol, model=model, name="production", comment="Slow")
    delete_ref(actor=cast.carol, model=model, kind="alias", name="production")
    update_project(actor=cast.alice, project=cast.project, visibility="public")
    set_membership(actor=cast.alice, project=cast.project, user=cast.dave, role=Role.CONTRIBUTOR)
    remove_member(actor=cast.dave, project=cast.project, user=cast.dave)
    lines = [
        (
            event.actor.username,
            said(Told(event.action, event.subject, event.actor.username, event.before or {}, event.after or {})),
        )
        for event in Event.objects.filter(project=cast.project)[:9][::-1]
    ]
    assert lines == [
        ("bob", "published classifier v1 on main"),
        ("bob", "set the alias production of classifier to v1: “First”"),
        ("bob", "published classifier v2 on main"),
        ("carol", "moved the alias production of classifier from v1 to v2: “Better”"),
        ("carol", "rolled the alias production of classifier back from v2 to v1: “Slow”"),
        ("carol", "deleted the alias production of classifier, which named v1"),
        ("alice", "changed the project vision: its visibility is now public (it was private)"),
        ("alice", "changed the role of dave from viewer to contributor"),
        ("dave", "left the project, being contributor"),
    ]
