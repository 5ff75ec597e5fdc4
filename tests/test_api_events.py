"""The audit log: one line for each write, with who, what, before and after, and the token that was used."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from registry.models import Event, Invitation
from tests.cast import Cast, client_of, publish, send
from tests.matchers import JUST_NOW, NUMBER, TEXT, Like, refused
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


def asked(cast: Cast, query: str) -> list[tuple[str, str, str]]:
    response = client_of(cast.carol).get(f"{VISION}events/?{query}")
    assert response.status_code == 200, response.content
    return [(line["actor"], line["action"], line["subject"]) for line in response.json()["results"]]


def test_lines_of_an_actor(cast: Cast, alice: APIClient) -> None:
    client_of(cast.bob).post(f"{BASE}versions/1/metrics/", [{"name": "loss", "value": 1}])
    assert asked(cast, "actor=bob") == [("bob", "metrics.logged", "vision/classifier v1")]
    assert asked(cast, "actor=nobody") == []


def test_lines_of_an_action_and_of_all_that_begin_so(cast: Cast, alice: APIClient) -> None:
    alice.put(f"{BASE}aliases/staging/", {"revision": "2"})
    alias = "vision/classifier@staging"
    assert asked(cast, "action=alias.") == [("alice", "alias.moved", alias), ("alice", "alias.set", alias)]
    assert asked(cast, "action=alias.set") == [("alice", "alias.set", alias)]
    assert asked(cast, "action=alias") == []


def test_lines_of_a_subject(cast: Cast, alice: APIClient) -> None:
    assert asked(cast, "subject=vision/classifier@") == [("alice", "alias.set", "vision/classifier@staging")]
    assert len(asked(cast, "subject=vision/classifier")) == 4
    assert asked(cast, "subject=%25") == []


def test_lines_of_a_span_of_time(cast: Cast, alice: APIClient) -> None:
    rows = client_of(cast.alice).get(f"{VISION}events/").json()["results"]
    middle = rows[2]["at"]
    ids = {
        query: [line["id"] for line in client_of(cast.alice).get(f"{VISION}events/?{query}={middle}").json()["results"]]
        for query in ("since", "until")
    }
    assert ids == {"since": [line["id"] for line in rows[:3]], "until": [line["id"] for line in rows[3:]]}
    assert asked(cast, "since=2020-01-01&until=2020-01-02") == []
    assert asked(cast, "until=2020-01-01T00:00:00%2B01:00") == []


def test_filters_hold_on_the_next_pages(cast: Cast, alice: APIClient) -> None:
    seen, url = [], f"{VISION}events/?action=version.&page_size=1"
    while url:
        page = alice.get(url).json()
        seen += [line["subject"] for line in page["results"]]
        url = page["next"]
    assert seen == ["vision/classifier v2", "vision/classifier v1"]


@pytest.mark.parametrize("query", ["since=yesterday", "until=3", f"actor={'a' * 40}", f"subject={'a' * 301}"])
def test_filters_that_mean_nothing_are_refused(cast: Cast, query: str) -> None:
    refused(client_of(cast.alice).get(f"{VISION}events/?{query}"), 400, "invalid")


def test_lines_of_other_projects_and_of_accounts_stay_where_they_belong(cast: Cast, alice: APIClient) -> None:
    before = asked(cast, "")
    client_of(cast.alice).post("/auth/tokens/", {"name": "cluster", "scope": "read"})
    client_of(cast.alice).post("/v1/projects/", {"name": "elsewhere"})
    assert asked(cast, "") == before


def test_role_that_an_invitation_replaces_or_raises_is_told(cast: Cast, mailoutbox: list[Any]) -> None:
    api = client_of(cast.alice)
    for role in ("viewer", "contributor"):
        api.post(f"{VISION}invitations/", {"email": "dave@example.org", "role": role})
    line = api.get(f"{VISION}events/").json()["results"][0]
    assert (line["action"], line["before"], line["after"]) == (
        "member.invited",
        {"role": "viewer"},
        {"role": "contributor"},
    )
    token = secrets.token_urlsafe(32)
    Invitation.objects.update(digest=hashlib.sha256(token.encode()).hexdigest())
    assert client_of(cast.dave).post("/v1/invitations/accept/", {"token": token}).status_code == 200
    line = api.get(f"{VISION}events/").json()["results"][0]
    assert (line["action"], line["subject"], line["before"], line["after"]) == (
        "member.joined",
        "dave",
        {"role": "viewer"},
        {"role": "contributor"},
    )
