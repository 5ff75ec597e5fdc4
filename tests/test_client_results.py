"""What the client makes of answers: read strictly, shown harmlessly, drawn where a library for that is there."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import datetime, timezone
from html.parser import HTMLParser

import pytest

from lmvp.client import errors
from lmvp.client.results.artifacts import Artifact
from lmvp.client.results.comparing import Comparison, SideBySide
from lmvp.client.results.lineage import Edge
from lmvp.client.results.metrics import Metric, Metrics, Series
from lmvp.client.results.people import Event, Member, Project, User
from lmvp.client.results.refs import Alias
from lmvp.client.versions import History, Move, Version

TIME = "2026-11-21T04:05:06Z"
EVIL = '<script>alert("x")</script>\x1b[2J\u202e'
PROJECT = {
    "name": "vision",
    "description": EVIL,
    "visibility": "private",
    "personal": False,
    "role": None,
    "created_at": TIME,
    "url": "",
}


def comparison(text: str) -> Comparison:
    state = {"digest": "ab" * 32, "size": 3, "mode": "100644"}
    return Comparison.from_json(
        {
            "base": {"number": 1, "digest": "a", "deprecated": text},
            "head": {"number": 2, "digest": "b", "deprecated": None},
            "files": {
                "added": [{"path": text, "after": state}],
                "removed": [],
                "changed": [],
                "renamed": [{"path": "b", "former_path": text, "before": state, "after": state}],
                "count": {"added": 1, "removed": 0, "changed": 0, "renamed": 5},
            },
            "metadata": {"added": {text: text}, "removed": {}, "changed": {"x": {"before": text, "after": [text]}}},
            "metrics": [{"name": text, "before": text, "after": 1, "delta": None}],
        }
    )


def metrics(text: str) -> Metrics:
    rows = [
        {"name": "loss", "value": value, "step": step, "author": "alice", "created_at": TIME}
        for step, value in enumerate([3, 1.5])
    ]
    note = {"name": text, "text": text, "step": None, "author": text, "created_at": TIME}
    return Metrics(text, [Metric.from_json(row) for row in [*rows, note]])


def history(text: str) -> History:
    def version(number: int, values: dict[str, float | str]) -> Version:
        return Version.from_json(
            {
                "project": "vision",
                "model": "digits",
                "number": number,
                "digest": "cd" * 32,
                "parents": [],
                "branch": "main",
                "author": text,
                "message": text,
                "metadata": {},
                "metrics": values,
                "refs": [{"kind": "tag", "name": text}],
                "created_at": TIME,
                "files": {"count": 1, "size": 1},
            }
        )

    return History("vision/digits", [version(2, {"accuracy": 0.9, text: text}), version(1, {"accuracy": 0.8})])


# --- Read


def test_what_a_newer_server_says_besides_is_left_alone():
    read = Project.from_json({**PROJECT, "stars": 5, "owner": {"name": "ada"}})
    assert read == Project(
        "vision", EVIL, "private", False, None, datetime(2026, 11, 21, 4, 5, 6, tzinfo=timezone.utc), ""
    )


@pytest.mark.parametrize("missing", PROJECT)
def test_what_is_missing_is_told(missing):
    with pytest.raises(KeyError):
        Project.from_json({key: value for key, value in PROJECT.items() if key != missing})


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (Project, []),
        (Project, "vision"),
        (Project, {**PROJECT, "name": 5}),
        (Project, {**PROJECT, "personal": "no"}),
        (Project, {**PROJECT, "created_at": "yesterday"}),
        (Project, {**PROJECT, "created_at": None}),
        (Member, {"username": "a", "role": ["owner"], "since": TIME}),
        (Move, {"from": "1", "to": 2, "actor": "a", "comment": "", "at": TIME}),
        (Move, {"from": True, "to": 2, "actor": "a", "comment": "", "at": TIME}),
        (Metric, {"name": "x", "value": "high", "step": None, "author": "a", "created_at": TIME}),
        (Series, {"name": "x", "total": 1, "points": {"step": 1, "value": 1}}),
        (Series, {"name": "x", "total": 1, "points": [{"value": 1}]}),
        (Alias, {"kind": "alias"}),
    ],
)
def test_what_is_of_another_kind_is_told(kind, answer):
    with pytest.raises((KeyError, TypeError, ValueError)):
        kind.from_json(answer)


def test_names_that_python_or_we_have_otherwise_are_read():
    move = Move.from_json({"from": None, "to": 2, "actor": "a", "comment": "", "at": TIME, "rollback": True})
    assert (move.from_number, move.to_number, move.rollback) == (None, 2, True)
    assert Edge.from_json({"from": "a@1", "to": "b@1", "kind": "derived"}) == Edge("a@1", "b@1", "derived")
    me = {
        "username": "a",
        "email": "a@b.c",
        "is_staff": False,
        "is_superuser": False,
        "date_joined": TIME,
        "token": None,
    }
    assert User.from_json(me).joined_at.year == 2026


def test_a_tree_is_read_to_its_leaves_and_nothing_can_be_changed():
    leaf = {
        "id": "B",
        "parent_id": "A",
        "level": 1,
        "data": {"name": EVIL},
        "project": "vision",
        "hierarchy": "default",
        "content": {"sha256": "x", "size": 2048, "content_type": "text/csv"},
        "version": None,
        "created_by": "alice",
        "created_at": TIME,
        "updated_at": TIME,
    }
    root = Artifact.from_json({**leaf, "id": "A", "parent_id": None, "level": 0, "content": None, "children": [leaf]})
    assert [one.id for one in root.children] == ["B"]
    assert root.tree().splitlines()[1].endswith("2.0 KiB")
    assert "\x1b" not in root.tree()
    with pytest.raises(FrozenInstanceError):
        root.id = "C"


# --- Shown


class Tags(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        assert not attrs


def side_by_side(text: str) -> SideBySide:
    column = {
        "number": 1,
        "digest": "a",
        "title": text,
        "author": text,
        "created_at": TIME,
        "refs": [{"kind": "tag", "name": text}],
        "files": {"count": 1, "size": 1},
        "deprecated": text,
    }
    rows = {"metrics": [{"name": text, "values": [text]}], "metadata": [{"key": text, "values": [{text: text}]}]}
    return SideBySide.from_json({"versions": [column], **rows, "count": {"metrics": 1, "metadata": 1}})


@pytest.mark.parametrize("make", [comparison, metrics, history, side_by_side])
def test_hostile_texts_are_harmless_in_notebooks_and_terminals(make):
    shown = make(EVIL)
    assert Tags(shown._repr_html_()).seen <= {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert "&lt;script&gt;" in shown._repr_html_()
    for text in (shown._repr_html_(), str(shown)):
        assert not {"\x1b", "\u202e"} & set(text)


def test_other_texts_of_strangers_steer_no_terminal():
    event = {
        "id": 1,
        "at": TIME,
        "actor": None,
        "action": EVIL,
        "subject": EVIL,
        "before": None,
        "after": {EVIL: EVIL},
        "token": EVIL,
        "address": EVIL,
        "request_id": EVIL,
    }
    for shown in (
        Event.from_json(event),
        Project.from_json({**PROJECT, "name": EVIL}),
        Member(EVIL, EVIL, datetime.now()),
    ):
        assert "\x1b" not in f"{shown} {shown!r}"


def test_a_comparison_counts_what_it_does_not_list():
    assert ["file", "4 more", "", "", "renamed"] in comparison("x").rows()


# --- Errors


def test_codes_become_the_types_that_people_catch():
    kinds = {
        (409, "merge_conflict"): errors.MergeConflict,
        (409, "parent_moved"): errors.StaleParent,
        (409, "ref_moved"): errors.StaleRef,
        (400, "name_taken"): errors.AlreadyExists,
        (409, "metric_exists"): errors.MetricExists,
        (409, "named_by_refs"): errors.InUse,
        (403, "sign_in_needed"): errors.SignInNeeded,
        (410, "purged"): errors.Purged,
        (409, "of_a_newer_server"): errors.Conflict,
        (410, "upload_expired"): errors.ValidationFailed,
    }
    assert {said: errors.of_status(*said) for said in kinds} == kinds
    assert errors.of_status(400, ["no", "text"]) is errors.ValidationFailed


@pytest.mark.parametrize(
    "said", [{}, {"conflicts": None}, {"conflicts": ["x"]}, {"conflicts": [{"path": 1}], "count": 3}]
)
def test_a_conflict_of_another_shape_is_still_one(said):
    conflict = errors.MergeConflict("No.", fields=said)
    assert isinstance(conflict.paths, list)
    assert conflict.count >= len(conflict.paths)
