"""Going back to an old version: nothing is lost, and what is in the trash is not brought back by the way."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from registry.models import Event, RegisteredModel, Version
from registry.services.metrics import Measured
from registry.services.refs import Move, set_ref
from tests.burying import bury
from tests.cast import Cast, client_of, publish
from tests.matchers import JUST_NOW, SHA256, nothing_left_behind, refused

BASE = "/v1/projects/vision/models/classifier"


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    model = cast.model()
    first = {"metadata": {"lr": 0.1}, "metrics": [Measured("loss", 0.5)], "message": "First"}
    publish(cast.alice, model, {"a/x": b"1", "b": b"1"}, **first)
    publish(cast.alice, model, {"a/x": b"2"}, metadata={"lr": 0.2}, alias="production")
    publish(cast.alice, model, {"c": b"3"})
    return model


def restore(cast: Cast, revision: str = "1", **body: Any) -> Any:
    return client_of(cast.bob).post(f"{BASE}/versions/{revision}/restore/", body)


def test_branch_gets_a_version_with_the_old_files_and_metadata(cast: Cast, model: RegisteredModel) -> None:
    old = Version.objects.get(number=1)
    response = restore(cast, branch="main", expected="3")
    assert response.status_code == 201, response.content
    assert response.json() == {
        "project": "vision",
        "model": "classifier",
        "number": 4,
        "digest": SHA256,
        "tree": old.tree_id,
        "parents": [{"number": 3, "digest": Version.objects.get(number=3).digest}],
        "branch": "main",
        "author": "bob",
        "message": "Restore version 1",
        "metadata": {"lr": 0.1},
        "created_at": JUST_NOW,
        "refs": [{"kind": "branch", "name": "main"}],
        "metrics": {},
        "files": {"count": 2, "size": 2},
        "deprecated": None,
        "derived_from": [],
        "url": f"http://testserver{BASE}/versions/4/",
    }
    event = Event.objects.order_by("-id")[0]
    assert (event.action, event.after) == (
        "version.published",
        {"digest": response.json()["digest"], "branch": "main", "restored": 1},
    )
    content = client_of(cast.dave).get(f"{BASE}/versions/latest/files/a/x")
    assert b"".join(content.streaming_content) == b"1"
    entries = client_of(cast.dave).get(f"{BASE}/versions/4/tree/").json()["results"]
    assert {entry["version"] for entry in entries} == {1}, "the version that brought them first"


def test_message_is_the_callers(cast: Cast, model: RegisteredModel) -> None:
    assert restore(cast, "v2", branch="main", message="Back\n\nit was better").json()["message"].startswith("Back")
    assert restore(cast, "1", branch="main", comment="why").json()["message"] == "why"


def test_restoring_what_the_head_has_makes_no_version(cast: Cast, model: RegisteredModel) -> None:
    assert restore(cast, branch="main").json()["number"] == 4
    with nothing_left_behind():
        for revision in ("1", "latest"):
            response = restore(cast, revision, branch="main")
            assert (response.status_code, response.json()["number"]) == (200, 4)


def test_another_branch_is_restored_to(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.bob, model=model, move=Move("branch", "side", "2"))
    answer = restore(cast, "3", branch="side").json()
    assert (answer["branch"], [parent["number"] for parent in answer["parents"]]) == ("side", [2])
    assert client_of(cast.dave).get(f"{BASE}/versions/main/").json()["number"] == 3


def test_alias_is_moved(cast: Cast, model: RegisteredModel) -> None:
    response = restore(cast, alias="production", comment="it was better", expected="2")
    assert (response.status_code, response.json()["version"], response.json()["kind"]) == (200, 1, "alias")
    move = client_of(cast.dave).get(f"{BASE}/aliases/production/moves/").json()["results"][0]
    assert (move["from"], move["to"], move["comment"]) == (2, 1, "it was better")
    assert Version.objects.count() == 3


def test_alias_that_is_new(cast: Cast, model: RegisteredModel) -> None:
    response = restore(cast, alias="fallback", message="just in case")
    assert (response.status_code, response.json()["version"]) == (201, 1)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "branch_or_alias"),
        ({"branch": "main", "alias": "production"}, 400, "branch_or_alias"),
        ({"branch": "nothing"}, 400, "unknown_branch"),
        ({"branch": "production"}, 400, "unknown_branch"),
        ({"branch": ""}, 400, "invalid"),
        ({"branch": None}, 400, "invalid"),
        ({"alias": "main"}, 409, "name_taken"),
        ({"alias": "v3"}, 400, "reserved_name"),
        ({"alias": "a..b"}, 400, "invalid_name"),
        ({"branch": "main", "expected": "2"}, 409, "ref_moved"),
        ({"branch": "main", "expected": None}, 409, "ref_moved"),
        ({"alias": "production", "expected": "3"}, 409, "ref_moved"),
        ({"branch": "main", "message": "x" * 10_001}, 400, "invalid"),
        ({"alias": "production", "comment": "x" * 1_001}, 400, "invalid"),
        ({"branch": "main", "mesage": "x"}, 400, "unknown_field"),
    ],
    ids=str,
)
def test_what_cannot_be_restored_to(
    cast: Cast, model: RegisteredModel, body: dict[str, Any], status: int, code: str
) -> None:
    with nothing_left_behind():
        refused(restore(cast, **body), status, code)


@pytest.mark.parametrize("body", [{"branch": "main"}, {"alias": "production"}], ids=str)
@pytest.mark.parametrize(("status", "code"), [(409, "in_trash"), (410, "purged")])
def test_version_that_is_gone_is_not_restored(
    cast: Cast, model: RegisteredModel, body: dict[str, Any], status: int, code: str
) -> None:
    digest = Version.objects.get(number=1).digest
    gone = Version.objects.filter(number=1)
    gone.update(trashed_at=timezone.now()) if code == "in_trash" else bury(gone)
    with nothing_left_behind():
        for revision in ("1", digest):
            error = refused(restore(cast, revision, **body), status, code)
            assert ("versions/1/undelete/" in error["message"]) == (code == "in_trash")
        refused(client_of(cast.dave).post(f"{BASE}/versions/1/restore/", body), 403, "role_too_low")
        refused(client_of(cast.charlie).post(f"{BASE}/versions/1/restore/", body), 404, "not_found")


@pytest.mark.parametrize("revision", ["9", "nothing", "v0", "f" * 64])
def test_version_that_is_none(cast: Cast, model: RegisteredModel, revision: str) -> None:
    with nothing_left_behind():
        refused(restore(cast, revision, branch="main"), 404, "not_found")
