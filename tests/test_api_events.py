"""The audit log: one line for each write, with who, what, before and after, and the token that was used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from registry.models import Event
from tests.cast import Cast, client_of, publish, send
from tests.matchers import JUST_NOW, NUMBER, TEXT, Like
from tests.test_doors import token_client

VISION = "/v1/projects/vision/"
BASE = f"{VISION}models/classifier/"


@pytest.fixture
def alice(cast: Cast) -> APIClient:
    model = cast.model()
    publish(cast.alice, model, {"a": b"1"}, alias="staging")
    publish(cast.alice, model, {"a": b"2"})
    return client_of(cast.alice)


WRITES: list[tuple[Callable[[APIClient, str], Any], str, str, Any, Any]] = [
    (
        lambda api, sha: api.patch(VISION, {"description": "Seeing", "visibility": "internal"}),
        "project.changed",
        "vision",
        {"description": "", "visibility": "private"},
        {"description": "Seeing", "visibility": "internal"},
    ),
    (
        lambda api, sha: api.post(f"{VISION}members/", {"username": "charlie", "role": "viewer"}),
        "member.role_set",
        "charlie",
        None,
        {"role": "viewer"},
    ),
    (
        lambda api, sha: api.patch(f"{VISION}members/dave/", {"role": "contributor"}),
        "member.role_set",
        "dave",
        {"role": "viewer"},
        {"role": "contributor"},
    ),
    (lambda api, sha: api.delete(f"{VISION}members/dave/"), "member.removed", "dave", {"role": "viewer"}, None),
    (
        lambda api, sha: api.post(f"{VISION}invitations/", {"email": "erin@example.org", "role": "viewer"}),
        "member.invited",
        "erin@example.org",
        None,
        {"role": "viewer"},
    ),
    (
        lambda api, sha: api.post(f"{VISION}models/", {"name": "other", "kind": "dataset"}),
        "model.created",
        "vision/other",
        None,
        {"kind": "dataset"},
    ),
    (
        lambda api, sha: api.patch(BASE, {"name": "reader"}),
        "model.changed",
        "vision/reader",
        {"name": "classifier"},
        {"name": "reader"},
    ),
    (
        lambda api, sha: api.post(f"{BASE}versions/", {"files": [{"path": "b", "sha256": sha}]}),
        "version.published",
        "vision/classifier v3",
        None,
        {"digest": Like("[0-9a-f]{64}"), "branch": "main"},
    ),
    (
        lambda api, sha: api.post(f"{BASE}versions/1/metrics/", [{"name": "loss", "value": 1}]),
        "metrics.logged",
        "vision/classifier v1",
        None,
        {"names": ["loss"], "values": 1},
    ),
    (
        lambda api, sha: api.put(f"{BASE}aliases/production/", {"revision": "1", "comment": "first"}),
        "alias.set",
        "vision/classifier@production",
        None,
        {"version": 1, "comment": "first"},
    ),
    (
        lambda api, sha: api.put(f"{BASE}aliases/staging/", {"revision": "2"}),
        "alias.moved",
        "vision/classifier@staging",
        {"version": 1},
        {"version": 2, "comment": ""},
    ),
    (
        lambda api, sha: api.delete(f"{BASE}aliases/staging/"),
        "alias.deleted",
        "vision/classifier@staging",
        {"version": 1},
        None,
    ),
    (
        lambda api, sha: api.put(f"{BASE}tags/one/", {"revision": "1"}),
        "tag.set",
        "vision/classifier@one",
        None,
        {"version": 1, "comment": ""},
    ),
]


@pytest.mark.parametrize(("write", "action", "subject", "before", "after"), WRITES, ids=[row[1] for row in WRITES])
def test_write_is_one_line(
    cast: Cast,
    alice: APIClient,
    write: Callable[[APIClient, str], Any],
    action: str,
    subject: str,
    before: Any,
    after: Any,
) -> None:
    sha = send(cast.alice, cast.project.models.get(name="classifier"), b"3")
    count = Event.objects.count()
    assert write(alice, sha).status_code in (200, 201, 204)
    assert Event.objects.count() == count + 1
    assert alice.get(f"{VISION}events/").json()["results"][0] == {
        "id": NUMBER,
        "at": JUST_NOW,
        "actor": "alice",
        "action": action,
        "subject": subject,
        "before": before,
        "after": after,
        "token": "",
        "address": "127.0.0.1",
        "request_id": TEXT,
    }


@pytest.mark.parametrize(
    "write",
    [
        lambda api: api.patch(VISION, {"description": ""}),
        lambda api: api.patch(f"{VISION}members/dave/", {"role": "viewer"}),
        lambda api: api.put(f"{BASE}aliases/staging/", {"revision": "1"}),
        lambda api: api.get(BASE),
    ],
)
def test_what_changes_nothing_writes_no_line(alice: APIClient, write: Callable[[APIClient], Any]) -> None:
    count = Event.objects.count()
    assert write(alice).status_code == 200
    assert Event.objects.count() == count


def test_line_names_the_access_token(cast: Cast) -> None:
    token_client(cast.alice, "write").post(f"{VISION}models/", {"name": "by-machine"})
    event = client_of(cast.alice).get(f"{VISION}events/").json()["results"][0]
    assert event["token"] == Like(r"machine \(lmvp_.{4}…\)")


def test_project_begins_with_a_line(cast: Cast) -> None:
    client = client_of(cast.charlie)
    client.post("/v1/projects/", {"name": "mine"})
    lines = client.get("/v1/projects/mine/events/").json()["results"]
    assert [(line["action"], line["actor"], line["after"]) for line in lines] == [
        ("project.created", "charlie", {"visibility": "private"})
    ]
