"""What a name stood for at a time, and back to where an alias stood before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from registry.models import Event, Ref, RefMove, RegisteredModel, Version
from registry.services.projects import update_project
from registry.services.refs import Move, delete_ref, set_ref
from registry.services.registered_models import update_model
from tests.burying import bury
from tests.cast import Cast, client_of, publish
from tests.matchers import JUST_NOW, SHA256, nothing_left_behind, refused

BASE = "/v1/projects/vision/models/classifier"
PRODUCTION = f"{BASE}/aliases/production"


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    """Four versions; bob had moved `production` along the first three."""
    model = cast.model()
    for n in range(1, 5):
        publish(cast.bob, model, {"a": bytes([n])})
    for n in range(1, 4):
        set_ref(actor=cast.bob, model=model, move=Move("alias", "production", str(n), comment=f"to {n}"))
    return model


def back(cast: Cast, **body: Any) -> Any:
    return client_of(cast.bob).post(f"{PRODUCTION}/rollback/", body)


def moves(cast: Cast) -> list[tuple[int | None, int | None, bool]]:
    """Every move of `production`, the first one first: from, to, whether it was a rollback."""
    found = client_of(cast.dave).get(f"{PRODUCTION}/moves/").json()["results"]
    return [(move["from"], move["to"], move["rollback"]) for move in reversed(found)]


# --- At a time


def told(cast: Cast, time: str | None, kind: str = "aliases", name: str = "production") -> dict[str, Any]:
    response = client_of(cast.dave).get(f"{BASE}/{kind}/{name}/at/", {"time": time} if time else {})
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def test_what_it_was_who_moved_it_when_and_why_is_one_call(cast: Cast, model: RegisteredModel) -> None:
    second = RefMove.objects.get(name="production", to_version__number=2)
    assert told(cast, second.at.isoformat()) == {
        "kind": "alias",
        "name": "production",
        "time": second.at.isoformat().replace("+00:00", "Z"),
        "version": 2,
        "digest": SHA256,
        "move": {"from": 1, "to": 2, "actor": "bob", "comment": "to 2", "at": JUST_NOW, "rollback": False},
    }
    assert told(cast, None)["version"] == 3


def test_time_is_between_moves_not_only_at_them(cast: Cast, model: RegisteredModel) -> None:
    times = list(RefMove.objects.filter(name="production").order_by("id").values_list("at", flat=True))
    just_before = [told(cast, (time - timedelta(microseconds=1)).isoformat())["version"] for time in times]
    assert just_before == [None, 1, 2]
    assert [told(cast, time.isoformat())["version"] for time in times] == [1, 2, 3]


def test_before_the_first_move_it_stood_for_nothing(cast: Cast, model: RegisteredModel) -> None:
    answer = told(cast, "2020-01-01")
    assert (answer["time"], answer["version"], answer["digest"], answer["move"]) == (
        "2020-01-01T23:59:59.999999Z", None, None, None,
    )  # fmt: skip


def test_date_alone_is_the_end_of_that_day(cast: Cast, model: RegisteredModel) -> None:
    today = RefMove.objects.order_by("-id")[0].at.date()
    assert told(cast, today.isoformat())["version"] == 3
    assert told(cast, (today - timedelta(days=1)).isoformat())["version"] is None


def test_deleted_name_keeps_its_history(cast: Cast, model: RegisteredModel) -> None:
    before = timezone.now().isoformat()
    delete_ref(actor=cast.carol, model=model, kind="alias", name="production", comment="retired")
    assert told(cast, before)["version"] == 3
    now = told(cast, None)
    assert (now["version"], now["move"]["actor"], now["move"]["comment"]) == (None, "carol", "retired")
    assert moves(cast)[-1] == (3, None, False)


@pytest.mark.parametrize(("kind", "name"), [("branches", "main"), ("tags", "release")])
def test_branches_and_tags_have_a_history_too(cast: Cast, model: RegisteredModel, kind: str, name: str) -> None:
    set_ref(actor=cast.bob, model=model, move=Move("tag", "release", "4"))
    assert told(cast, None, kind, name)["version"] == 4
    assert told(cast, "2020-01-01", kind, name)["version"] is None


@pytest.mark.parametrize(
    "time",
    ["2026-03-03T12:00:00Z", "2026-03-03T12:00:00", "2026-03-03T12:00:00%2B02:00", "2026-03-03T12:00:00+02:00",
     "0001-01-01", "9999-12-31", "2026-03-03 12:00"],
)  # fmt: skip
def test_time_in_every_usual_spelling(cast: Cast, model: RegisteredModel, time: str) -> None:
    response = client_of(cast.dave).get(f"{PRODUCTION}/at/?time={time}")
    assert response.status_code == 200, response.content
    if "02:00" in time:
        assert response.json()["time"] == "2026-03-03T10:00:00Z"
    assert datetime.fromisoformat(response.json()["time"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "time",
    ["", "yesterday", "2026-02-30", "2026-13-01", "2026-03-03T25:00:00Z", "12", "0001-01-01T00:00:00%2B14:00",
     "9999-12-31T23:59:59-14:00", "1e400", "٢٠٢٦-٠٣-٠٣T", "x" * 10_000],
)  # fmt: skip
def test_time_that_is_none(cast: Cast, model: RegisteredModel, time: str) -> None:
    refused(client_of(cast.dave).get(f"{PRODUCTION}/at/?time={time}"), 400, "invalid_time")


# --- Rolling back


def test_one_call_takes_an_alias_back(cast: Cast, model: RegisteredModel) -> None:
    response = back(cast, comment="too slow", expected="3")
    assert (response.status_code, response.json()["version"]) == (200, 2)
    assert client_of(cast.dave).get(f"{PRODUCTION}/moves/").json()["results"][0] == {
        "from": 3, "to": 2, "actor": "bob", "comment": "too slow", "at": JUST_NOW, "rollback": True,
    }  # fmt: skip
    event = Event.objects.order_by("-id")[0]
    assert (event.action, event.before, event.after) == (
        "alias.rolled_back",
        {"version": 3},
        {"version": 2, "comment": "too slow"},
    )


def test_twice_goes_two_steps_back_and_not_to_and_fro(cast: Cast, model: RegisteredModel) -> None:
    assert [back(cast).json()["version"] for _ in range(2)] == [2, 1]
    with nothing_left_behind():
        refused(back(cast), 409, "nothing_to_roll_back")
    assert moves(cast) == [(None, 1, False), (1, 2, False), (2, 3, False), (3, 2, True), (2, 1, True)]


def test_moves_after_a_rollback_are_undone_before_what_came_earlier(cast: Cast, model: RegisteredModel) -> None:
    assert back(cast).json()["version"] == 2
    set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "4"))
    assert [back(cast).json()["version"] for _ in range(2)] == [2, 1], "back from 4, then past what was undone before"
    refused(back(cast), 409, "nothing_to_roll_back")


def test_promoted_and_rolled_back_again_and_again(cast: Cast, model: RegisteredModel) -> None:
    for _ in range(5):
        assert back(cast).json()["version"] == 2
        set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "4"))
    assert [back(cast).json()["version"] for _ in range(2)] == [2, 1]


def test_deleted_alias_comes_back(cast: Cast, model: RegisteredModel) -> None:
    delete_ref(actor=cast.bob, model=model, kind="alias", name="production")
    assert back(cast, expected=None).json()["version"] == 3
    assert moves(cast)[-2:] == [(3, None, False), (None, 3, True)]
    assert back(cast).json()["version"] == 2


def test_deleted_alias_comes_back_as_it_was(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", protected=True, active=True))
    delete_ref(actor=cast.carol, model=model, kind="alias", name="production")
    with nothing_left_behind():
        refused(back(cast), 403, "role_too_low")
    shown = client_of(cast.carol).post(f"{PRODUCTION}/rollback/").json()
    assert (shown["version"], shown["protected"], shown["active"]) == (3, True, True)
    event = Event.objects.first()
    assert (event.action, event.before) == ("alias.rolled_back", None)
    assert event.after == {"version": 3, "protected": True, "active": True, "comment": ""}
    refused(back(cast), 403, "role_too_low")


def test_it_comes_back_as_it_was_last_under_whatever_name_the_model_had(cast: Cast, model: RegisteredModel) -> None:
    other = cast.model("other")
    publish(cast.bob, other, {"a": b"x"})
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", protected=True))
    for flags in ({"protected": False}, {"active": True}):
        delete_ref(actor=cast.carol, model=model, kind="alias", name="production")
        client_of(cast.carol).post(f"{PRODUCTION}/rollback/")
        set_ref(actor=cast.carol, model=model, move=Move("alias", "production", **flags))
    delete_ref(actor=cast.bob, model=model, kind="alias", name="production")
    set_ref(actor=cast.carol, model=other, move=Move("alias", "production", "1", protected=True))
    delete_ref(actor=cast.carol, model=other, kind="alias", name="production")
    update_model(actor=cast.carol, model=model, name="reader")
    update_project(actor=cast.alice, project=cast.project, name="sight")
    shown = client_of(cast.bob).post("/v1/projects/sight/models/reader/aliases/production/rollback/").json()
    assert (shown["protected"], shown["active"]) == (False, True)


def test_moves_that_are_taken_back_leave_flags_alone(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", active=True))
    delete_ref(actor=cast.carol, model=model, kind="alias", name="production")
    client_of(cast.carol).post(f"{PRODUCTION}/rollback/")
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", active=False))
    assert back(cast).json()["active"] is False


def test_alias_that_was_made_anew_does_not_reach_behind_its_making(cast: Cast, model: RegisteredModel) -> None:
    delete_ref(actor=cast.bob, model=model, kind="alias", name="production")
    set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "4"))
    with nothing_left_behind():
        refused(back(cast), 409, "nothing_to_roll_back")


def test_rollback_that_somebody_else_was_quicker_with(cast: Cast, model: RegisteredModel) -> None:
    with nothing_left_behind():
        error = refused(back(cast, expected="2"), 409, "ref_moved")
    assert error["fields"] == {"current": 3}


@pytest.mark.parametrize(("status", "code"), [(409, "in_trash"), (410, "purged")])
def test_rollback_to_a_version_that_is_gone(cast: Cast, model: RegisteredModel, status: int, code: str) -> None:
    gone = Version.objects.filter(number=2)
    gone.update(trashed_at=timezone.now()) if code == "in_trash" else bury(gone)
    with nothing_left_behind():
        error = refused(back(cast), status, code)
    assert ("undelete" in error["message"]) == (code == "in_trash")
    assert Ref.objects.get(name="production").version.number == 3


def test_alias_whose_name_is_another_kinds_now(cast: Cast, model: RegisteredModel) -> None:
    delete_ref(actor=cast.bob, model=model, kind="alias", name="production")
    set_ref(actor=cast.bob, model=model, move=Move("tag", "production", "1"))
    with nothing_left_behind():
        refused(back(cast), 409, "name_taken")


@pytest.mark.parametrize("body", [{"comment": "x" * 1001}, {"expected": "9"}, {"revision": "1"}, {"comment": "a\0"}])
def test_rollback_that_says_what_is_not_known(cast: Cast, model: RegisteredModel, body: dict[str, Any]) -> None:
    with nothing_left_behind():
        assert back(cast, **body).status_code == 400


def test_rollback_is_one_query_for_the_history_however_long_it_is(
    cast: Cast, model: RegisteredModel, django_assert_max_num_queries: Any
) -> None:
    for _ in range(60):
        set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "4"))
        assert back(cast).json()["version"] == 3
    client = client_of(cast.bob)
    with django_assert_max_num_queries(25):
        assert client.post(f"{PRODUCTION}/rollback/").json()["version"] == 2
