"""Numbers and texts logged to a version: added once, the latest of each name shown."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.cast import Cast, client_of, publish
from tests.matchers import JUST_NOW, nothing_left_behind, refused

BASE = "/v1/projects/vision/models/classifier/versions/1"


@pytest.fixture
def bob(cast: Cast) -> APIClient:
    publish(cast.bob, cast.model(), {"a": b"1"})
    return client_of(cast.bob)


def log(client: APIClient, *values: dict[str, Any]) -> dict[str, Any]:
    response = client.post(f"{BASE}/metrics/", list(values))
    assert response.status_code == 201, response.json()
    answer: dict[str, Any] = response.json()
    return answer


def latest(client: APIClient) -> dict[str, Any]:
    shown: dict[str, Any] = client.get(f"{BASE}/").json()["metrics"]
    return shown


def test_values_are_listed_in_the_order_of_logging(bob: APIClient) -> None:
    log(bob, {"name": "loss", "value": 0.5, "step": 2}, {"name": "loss", "value": 0.75, "step": 1})
    log(bob, {"name": "note", "text": "good"}, {"name": "accuracy", "value": 1})
    about = {"author": "bob", "created_at": JUST_NOW}
    assert bob.get(f"{BASE}/metrics/").json() == {
        "next": None,
        "previous": None,
        "results": [
            {"name": "loss", "value": 0.5, "step": 2, **about},
            {"name": "loss", "value": 0.75, "step": 1, **about},
            {"name": "note", "text": "good", "step": None, **about},
            {"name": "accuracy", "value": 1.0, "step": None, **about},
        ],
    }


def test_values_of_one_name(bob: APIClient) -> None:
    log(bob, {"name": "a", "value": 1}, {"name": "b", "value": 2}, {"name": "a", "value": 3, "step": 1})
    found = bob.get(f"{BASE}/metrics/", {"name": "a"}).json()["results"]
    assert [(metric["value"], metric["step"]) for metric in found] == [(1.0, None), (3.0, 1)]
    assert bob.get(f"{BASE}/metrics/", {"name": "nothing"}).json()["results"] == []


def test_pages_of_values_lead_on(bob: APIClient) -> None:
    log(bob, *({"name": "loss", "value": n / 8, "step": n} for n in range(250)))
    found, address = [], f"{BASE}/metrics/?page_size=100"
    while address:
        answer = bob.get(address.removeprefix("http://testserver")).json()
        found += [metric["step"] for metric in answer["results"]]
        address = answer["next"]
    assert found == list(range(250))


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([[(1, 0.1), (2, 0.2)]], 0.2),
        ([[(2, 0.2), (1, 0.1)]], 0.2),
        ([[(2, 0.2)], [(1, 0.1)]], 0.2),
        ([[(2, 0.2)], [(3, 0.3)]], 0.3),
        ([[(-2, 0.2), (-1, 0.1)]], 0.1),
        ([[(9, 0.9), (None, 0.5)]], 0.5),
        ([[(None, 0.5)], [(9, 0.9)]], 0.5),
        ([[(9, 0.9)], [(None, 0.5)], [(10, 1.0)]], 0.5),
        ([[(0, 0.0)]], 0.0),
    ],
)
def test_latest_is_the_one_without_a_step_or_with_the_largest(
    bob: APIClient, calls: list[list[tuple[int | None, float]]], expected: float
) -> None:
    for values in calls:
        log(bob, *({"name": "loss", "value": value, "step": step} for step, value in values))
    assert latest(bob) == {"loss": expected}
    listed = bob.get("/v1/projects/vision/models/classifier/versions/").json()["results"]
    assert listed[0]["metrics"] == {"loss": expected}


def test_same_value_again_is_success(bob: APIClient) -> None:
    value, text = {"name": "loss", "value": 0.1, "step": 1}, {"name": "note", "text": "good"}
    assert log(bob, value, text) == {"added": 2, "unchanged": 0}
    with nothing_left_behind():
        assert log(bob, value, text) == {"added": 0, "unchanged": 2}
    assert log(bob, value, {**value, "step": 2}) == {"added": 1, "unchanged": 1}


@pytest.mark.parametrize(
    "other",
    [
        {"name": "loss", "value": 0.2},
        {"name": "loss", "text": "0.1"},
        {"name": "note", "text": "bad"},
        {"name": "note", "value": 1},
        {"name": "loss", "value": 0.2, "step": None},
    ],
    ids=str,
)
def test_another_value_is_a_conflict_and_nothing_is_added(bob: APIClient, other: dict[str, Any]) -> None:
    log(bob, {"name": "loss", "value": 0.1}, {"name": "note", "text": "good"})
    with nothing_left_behind():
        response = bob.post(f"{BASE}/metrics/", [{"name": "fresh", "value": 1}, other])
        error = refused(response, 409, "metric_exists")
    assert error["fields"] == {"name": other["name"], "step": None}
    assert latest(bob) == {"loss": 0.1, "note": "good"}


def test_version_and_its_digest_do_not_change_by_late_metrics(cast: Cast, bob: APIClient) -> None:
    before = bob.get(f"{BASE}/").json()
    log(bob, {"name": "late", "value": 1})
    assert bob.get(f"{BASE}/").json() == before | {"metrics": {"late": 1.0}}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[{"name": "a", "value": NaN}]', "invalid_json"),
        ('[{"name": "a", "value": 1e999}]', "not_finite"),
        ('[{"name": "a", "value": true}]', "invalid"),
        ('[{"name": "a", "value": "1"}]', "invalid"),
        ('[{"name": "a", "text": 1, "value": 1}]', "invalid"),
        ('[{"name": "a"}]', "invalid"),
        ('[{"value": 1}]', "invalid"),
        ('{"name": "a", "value": 1}', "invalid"),
        ('[{"name": "a", "value": 1, "step": 9223372036854775808}]', "invalid_metric"),
    ],
)
def test_value_that_cannot_be_kept(bob: APIClient, text: str, code: str) -> None:
    with nothing_left_behind():
        refused(bob.generic("POST", f"{BASE}/metrics/", text, "application/json"), 400, code)
