"""Deprecated versions stay as they are, and every reader is told why they should not be used any more."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from registry.models import Event, Ref, RegisteredModel, Version
from tests.cast import Cast, client_of, publish
from tests.matchers import nothing_left_behind, refused

VERSION = "/v1/projects/vision/models/classifier/versions/1/"
REASON = "Trained on the wrong labels; use v2."


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"})
    return model


def test_reason_is_shown_wherever_the_version_is(cast: Cast, model: RegisteredModel) -> None:
    before = client_of(cast.dave).get(VERSION).json()
    answer = client_of(cast.carol).patch(VERSION, {"deprecated": f"  {REASON} "})
    assert (answer.status_code, answer.json()) == (200, before | {"deprecated": REASON})
    dave = client_of(cast.dave)
    assert dave.get(VERSION).json()["deprecated"] == REASON
    assert dave.get(VERSION.removesuffix("1/")).json()["results"][0]["deprecated"] == REASON
    for below in ("files/a", "archive/"):
        assert dave.get(f"{VERSION}{below}")["LMVP-Deprecated"] == REASON
    part = dave.get(f"{VERSION}files/a", headers={"Range": "bytes=0-0"})
    assert (part.status_code, part["LMVP-Deprecated"]) == (206, REASON)
    event = Event.objects.exclude(action="version.downloaded").first()
    assert (event.action, event.actor, event.subject) == ("version.deprecated", cast.carol, "vision/classifier v1")
    assert (event.before, event.after) == ({"deprecated": None}, {"deprecated": REASON})


def test_everything_that_leads_to_the_version_tells_the_reason(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"2"}, message="Relabelled")
    Ref.objects.create(model=model, kind="tag", name="first", version=model.versions.get(number=1))
    Ref.objects.create(model=model, kind="alias", name="production", version=model.versions.get(number=1))
    carol, base = client_of(cast.carol), VERSION.removesuffix("versions/1/")
    carol.post(f"{base}branches/", {"name": "old", "revision": "1"})
    carol.patch(VERSION, {"deprecated": REASON})

    def told(path: str) -> Any:
        return client_of(cast.dave).get(path).json()

    for name in ("tags/first", "aliases/production", "branches/old"):
        assert told(f"{base}{name}/")["deprecated"] == REASON
    assert [row["deprecated"] for row in told(f"{base}branches/")["results"]] == [None, REASON]
    nodes = told(f"{base}versions/2/lineage/")["nodes"]
    assert {node["number"]: node["deprecated"] for node in nodes} == {1: REASON, 2: None}
    columns = told(f"{base}compare/?versions=1,2")["versions"]
    assert [column["deprecated"] for column in columns] == [REASON, None]
    sides = told(f"{base}compare/1...2/")
    assert (sides["base"]["deprecated"], sides["head"]["deprecated"]) == (REASON, None)
    hits = told("/v1/search/?type=version&q=production")["results"]
    assert [(hit["version"], hit["deprecated"]) for hit in hits] == [(1, REASON)]


def test_reason_goes_into_the_trash_with_the_version(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"2"})
    client_of(cast.carol).patch(VERSION, {"deprecated": REASON})
    assert client_of(cast.carol).delete(VERSION).status_code == 200
    nodes = client_of(cast.dave).get(VERSION.replace("/1/", "/2/lineage/")).json()["nodes"]
    assert [(node["number"], node["trashed"], node["deprecated"]) for node in nodes] == [
        (2, False, None),
        (1, True, None),
    ]


def test_deprecation_is_taken_back(cast: Cast, model: RegisteredModel) -> None:
    carol = client_of(cast.carol)
    before = carol.get(VERSION).json()
    carol.patch(VERSION, {"deprecated": REASON})
    assert carol.patch(VERSION, {"deprecated": None}).json() == before
    assert "LMVP-Deprecated" not in carol.get(f"{VERSION}files/a")
    assert Version.objects.get().deprecated_at is None
    assert Event.objects.exclude(action="version.downloaded").first().action == "version.undeprecated"


def test_the_same_again_is_success_and_no_event(cast: Cast, model: RegisteredModel) -> None:
    carol = client_of(cast.carol)
    carol.patch(VERSION, {"deprecated": REASON})
    with nothing_left_behind():
        assert carol.patch(VERSION, {"deprecated": REASON}).status_code == 200


@pytest.mark.parametrize(
    "reason", ["zwei\r\nSet-Cookie: a=b", "Grüße „an“ alle 100 %", "日本語", '"quoted"', "\x7f\x00"]
)
def test_header_holds_any_reason_and_nothing_else(cast: Cast, model: RegisteredModel, reason: str) -> None:
    if "\0" in reason:
        refused(client_of(cast.carol).patch(VERSION, {"deprecated": reason}), 400, "invalid")
        return
    assert client_of(cast.carol).patch(VERSION, {"deprecated": reason}).status_code == 200
    response = client_of(cast.dave).get(f"{VERSION}files/a")
    assert response["LMVP-Deprecated"].isascii()
    assert response["LMVP-Deprecated"].isprintable()
    assert unquote(response["LMVP-Deprecated"]) == reason
    assert "Set-Cookie" not in response


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid"),
        ({"deprecated": ""}, "invalid_reason"),
        ({"deprecated": "  "}, "invalid_reason"),
        ({"deprecated": "x" * 501}, "invalid"),
        ({"deprecated": ["x"]}, "invalid"),
        ({"deprecated": REASON, "message": "other"}, "unknown_field"),
    ],
)
def test_nothing_else_of_a_version_is_changed(cast: Cast, model: RegisteredModel, body: object, code: str) -> None:
    with nothing_left_behind():
        refused(client_of(cast.carol).patch(VERSION, body), 400, code)


@pytest.mark.parametrize("name", ["dave", "bob"])
def test_maintainers_alone_deprecate(cast: Cast, model: RegisteredModel, name: str) -> None:
    refused(client_of(getattr(cast, name)).patch(VERSION, {"deprecated": REASON}), 403, "role_too_low")
    assert Version.objects.get().deprecated == ""
