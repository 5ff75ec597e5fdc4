"""Retention rules: what a model keeps by itself, what is never touched, and what people see of it beforehand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from registry.models import Artifact, Event, Hierarchy, RegisteredModel, RetentionRule, Version
from registry.services import garbage, retention, trash
from registry.services.refs import Move, set_ref
from tests.cast import Cast, client_of, publish
from tests.matchers import JUST_NOW, nothing_left_behind, refused

MODEL = "/v1/projects/vision/models/classifier/"
RULE = f"{MODEL}retention/"


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    """Eight versions of two files; “main” names the last."""
    model = cast.model()
    for number in range(1, 9):
        publish(cast.bob, model, {"a": b"%d" % number, "same": b"same"}, message=f"message {number}")
    return model


def live() -> list[int]:
    return list(Version.objects.filter(trashed_at=None).order_by("number").values_list("number", flat=True))


def rule(**said: int | None) -> dict[str, Any]:
    return {"keep_last": None, "keep_days": None, "set_by": "carol", "set_at": JUST_NOW, **said}


def test_newest_are_kept_and_the_others_go_to_the_trash(cast: Cast, model: RegisteredModel) -> None:
    carol = client_of(cast.carol)
    preview = {"versions": 5, "bytes": 25}
    answer = carol.put(RULE, {"keep_last": 3})
    assert (answer.status_code, answer.json()) == (200, rule(keep_last=3) | {"would_trash": preview})
    assert live() == list(range(1, 9)), "a rule does nothing before the next run"
    report = garbage.collect()
    assert report.trashed == {"vision": 5}
    assert live() == [6, 7, 8]
    assert carol.get(RULE).json() == rule(keep_last=3) | {"would_trash": {"versions": 0, "bytes": 0}}
    (listed, *_) = carol.get(f"{MODEL}trash/").json()["results"]
    assert (listed["kind"], listed["trashed_by"], listed["until"] > listed["trashed_at"]) == ("version", None, True)
    event = Event.objects.filter(action="version.trashed").latest("id")
    assert (event.actor, event.subject) == (None, "vision/classifier v5")
    assert event.after["rule"] == {"keep_last": 3, "keep_days": None}
    assert garbage.collect().trashed == {}


def test_nothing_goes_without_a_rule(cast: Cast, model: RegisteredModel) -> None:
    garbage.collect()
    assert live() == list(range(1, 9))
    refused(client_of(cast.carol).get(RULE), 404, "not_found")


def test_younger_ones_are_kept(cast: Cast, model: RegisteredModel) -> None:
    client_of(cast.carol).put(RULE, {"keep_days": 30})
    garbage.collect()
    assert live() == list(range(1, 9))


@pytest.mark.parametrize(
    ("said", "left"),
    [({"keep_days": 30}, {8}), ({"keep_days": 30, "keep_last": 3}, {6, 7, 8}), ({"keep_days": 50}, set(range(1, 9)))],
)
def test_either_part_of_a_rule_keeps(cast: Cast, model: RegisteredModel, said: dict[str, int], left: set[int]) -> None:
    client_of(cast.carol).put(RULE, said)
    stored = RetentionRule.objects.get()
    later = timezone.now() + timedelta(days=40)
    found = retention.expendable(stored, now=later).values_list("number", flat=True)
    assert set(range(1, 9)) - set(found) == left


def test_what_names_and_lineage_point_to_is_kept(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.bob, model=model, move=Move("tag", "release", "1"))
    set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "2"))
    hierarchy = Hierarchy.objects.create(project=cast.project, name="default")
    facts = {"project": cast.project, "hierarchy": hierarchy, "created_by": cast.alice}
    Artifact.objects.create(id="1", version=Version.objects.get(number=3), **facts)
    publish(cast.bob, cast.model("other"), {"a": b"x"}, derived_from=[f"{model}@4"])
    client_of(cast.carol).put(RULE, {"keep_last": 1})
    garbage.collect()
    left = Version.objects.filter(model=model, trashed_at=None).order_by("number")
    assert list(left.values_list("number", flat=True)) == [1, 2, 3, 4, 8]


def test_head_of_an_old_branch_is_kept(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"b": b"b"}, branch="experiment", parent="2")
    publish(cast.bob, model, {"a": b"10"})
    client_of(cast.carol).put(RULE, {"keep_last": 1})
    garbage.collect()
    assert live() == [9, 10]


def test_what_was_taken_back_is_not_taken_again(cast: Cast, model: RegisteredModel) -> None:
    carol = client_of(cast.carol)
    carol.put(RULE, {"keep_last": 1})
    garbage.collect()
    assert carol.post(f"{MODEL}versions/3/undelete/").status_code == 200
    garbage.collect()
    assert live() == [3, 8]
    trash.delete(actor=cast.carol, row=Version.objects.select_related("model__project").get(number=3))
    assert live() == [8]


def test_rule_that_was_taken_away_does_nothing(cast: Cast, model: RegisteredModel) -> None:
    carol = client_of(cast.carol)
    carol.put(RULE, {"keep_last": 1})
    assert carol.delete(RULE).status_code == 204
    garbage.collect()
    assert live() == list(range(1, 9))
    refused(carol.delete(RULE), 404, "not_found")
    assert [(event.action, event.before, event.after) for event in Event.objects.all()[:2]] == [
        ("retention.deleted", {"keep_last": 1, "keep_days": None}, None),
        ("retention.set", None, {"keep_last": 1, "keep_days": None}),
    ]


@pytest.mark.parametrize("deleted", ["model", "project"])
def test_rule_of_what_is_in_the_trash_rests(cast: Cast, model: RegisteredModel, deleted: str) -> None:
    client_of(cast.carol).put(RULE, {"keep_last": 1})
    trash.delete(actor=cast.alice, row=model if deleted == "model" else cast.project)
    assert garbage.collect().trashed == {}
    assert live() == list(range(1, 9))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "empty_rule"),
        ({"keep_last": None, "keep_days": None}, "empty_rule"),
        ({"keep_last": 0}, "invalid"),
        ({"keep_days": -1}, "invalid"),
        ({"keep_last": 10**9}, "invalid"),
        ({"keep_days": 10**9}, "invalid"),
        ({"keep_last": "many"}, "invalid"),
        ({"keep_lsat": 3}, "unknown_field"),
    ],
)
def test_rule_that_keeps_nothing_or_makes_no_sense_is_refused(
    cast: Cast, model: RegisteredModel, said: dict[str, Any], code: str
) -> None:
    with nothing_left_behind():
        refused(client_of(cast.carol).put(RULE, said), 400, code)


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_contributor_sets_no_rule(cast: Cast, model: RegisteredModel, method: str) -> None:
    with nothing_left_behind():
        refused(getattr(client_of(cast.bob), method)(RULE, {"keep_last": 1}), 403, "role_too_low")
