"""Names of projects, models and refs: what is one, what is none, and what is somebody else's already."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import AccessToken
from registry.models import Ref, Version
from registry.services.refs import Move, set_ref
from tests.cast import Cast, client_of, make_user, publish, send
from tests.matchers import nothing_left_behind, refused

MODELS = "/v1/projects/vision/models/"
BASE = "/v1/projects/vision/models/classifier"


@pytest.mark.parametrize("name", ["a", "0", "a-b", "vision2", "a" * 39, "9-9", "a--b", "a-"])
def test_project_name(cast: Cast, name: str) -> None:
    response = client_of(cast.charlie).post("/v1/projects/", {"name": name})
    assert (response.status_code, response.json()["name"]) == (201, name)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("A", "invalid_name"),
        ("-a", "invalid_name"),
        ("a_b", "invalid_name"),
        ("a.b", "invalid_name"),
        ("a/b", "invalid_name"),
        ("a b", "invalid_name"),
        ("é", "invalid_name"),
        ("..", "invalid_name"),
        ("a\nb", "invalid_name"),
        ("٣", "invalid_name"),
        ("a" * 40, "invalid"),
        ("", "invalid"),
        (None, "invalid"),
        ("a\x00", "invalid"),
        *((word, "reserved_name") for word in ("admin", "api", "auth", "docs", "hf", "mlflow", "static", "v1")),
        ("vision", "name_taken"),
        ("alice", "name_taken"),
        ("dave", "name_taken"),
    ],
)
def test_project_name_that_is_none(cast: Cast, name: Any, code: str) -> None:
    with nothing_left_behind():
        error = refused(client_of(cast.charlie).post("/v1/projects/", {"name": name}), 400, code)
    assert "name" in error["fields"]


@pytest.mark.parametrize("name", ["a", "A", "resnet-50.v2_x", "7", "v3", "deadbeef", "a" * 96, "1.0", "a_-b"])
def test_model_name(cast: Cast, name: str) -> None:
    response = client_of(cast.bob).post(MODELS, {"name": name})
    assert (response.status_code, response.json().get("name")) == (201, name)
    assert client_of(cast.dave).get(f"{MODELS}{name.swapcase()}/").json()["name"] == name


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("-a", "invalid_name"),
        ("a-", "invalid_name"),
        (".a", "invalid_name"),
        ("a.", "invalid_name"),
        ("a--b", "invalid_name"),
        ("a..b", "invalid_name"),
        ("a.git", "invalid_name"),
        ("a.GIT", "invalid_name"),
        ("a/b", "invalid_name"),
        ("a b", "invalid_name"),
        ("é", "invalid_name"),
        ("a\nb", "invalid_name"),
        ("a@b", "invalid_name"),
        ("a" * 97, "invalid"),
        ("", "invalid"),
        ("a\x00b", "invalid"),
        (None, "invalid"),
        (7, "name_taken"),
        ("7", "name_taken"),
        ("Seven", "name_taken"),
        ("SEVEN", "name_taken"),
    ],
)
def test_model_name_that_is_none(cast: Cast, name: Any, code: str) -> None:
    cast.model("7")
    cast.model("seven")
    with nothing_left_behind():
        refused(client_of(cast.bob).post(MODELS, {"name": name}), 400, code)


GOOD_REFS = ["a", "production", "release-1.0", "v1.0", "1.0", "v", "a_b", "x" * 100, "deadbee.", "abcdef", "lat.est"]
BAD_REFS = [
    ("3", "reserved_name"),
    ("007", "reserved_name"),
    ("1234567890", "reserved_name"),
    ("v3", "reserved_name"),
    ("v007", "reserved_name"),
    ("V3", "reserved_name"),
    ("v1234567890", "reserved_name"),
    ("0" * 65, "reserved_name"),
    ("latest", "reserved_name"),
    ("Latest", "reserved_name"),
    ("deadbee", "reserved_name"),
    ("DEADBEEF", "reserved_name"),
    ("0" * 64, "reserved_name"),
    (".a", "invalid_name"),
    ("-a", "invalid_name"),
    ("_a", "invalid_name"),
    ("a..b", "invalid_name"),
    ("a b", "invalid_name"),
    ("é", "invalid_name"),
    ("a:b", "invalid_name"),
    ("x" * 101, "invalid_name"),
]


@pytest.mark.parametrize("plural", ["branches", "tags", "aliases"])
@pytest.mark.parametrize("name", GOOD_REFS)
def test_ref_name(cast: Cast, name: str, plural: str) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})
    client = client_of(cast.bob)
    assert client.put(f"{BASE}/{plural}/{name}/", {"revision": "1"}).status_code == 201
    assert client.get(f"{BASE}/versions/{name}/").json()["number"] == 1


@pytest.mark.parametrize("plural", ["branches", "tags", "aliases"])
@pytest.mark.parametrize(("name", "code"), BAD_REFS)
def test_ref_name_that_is_none(cast: Cast, name: str, code: str, plural: str) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})
    with nothing_left_behind():
        refused(client_of(cast.bob).put(f"{BASE}/{plural}/{name}/", {"revision": "1"}), 400, code)
        refused(client_of(cast.bob).post(f"{BASE}/{plural}/", {"name": name, "revision": "1"}), 400, code)


@pytest.mark.parametrize("field", ["branch", "tag", "alias"])
@pytest.mark.parametrize(("name", "code"), [row for row in BAD_REFS if len(row[0]) <= 100])
def test_ref_name_that_is_none_is_not_published_onto(cast: Cast, name: str, code: str, field: str) -> None:
    sha256 = send(cast.bob, cast.model(), b"1")
    body = {"files": [{"path": "a", "sha256": sha256}], field: name}
    with nothing_left_behind():
        refused(client_of(cast.bob).post(f"{BASE}/versions/", body), 400, code)


@pytest.mark.parametrize("plural", ["branches", "tags", "aliases"])
@pytest.mark.parametrize("name", ["", None, "a\x00", "x" * 102, ["a"]])
def test_name_in_a_body_that_is_no_text(cast: Cast, name: Any, plural: str) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})
    with nothing_left_behind():
        refused(client_of(cast.bob).post(f"{BASE}/{plural}/", {"name": name, "revision": "1"}), 400, "invalid")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"revision": "1"}, 409, "tag_exists"),
        ({"revision": "2", "expected": "1"}, 409, "ref_moved"),
        ({"revision": "2", "expected": None}, 409, "ref_moved"),
        ({"revision": "7"}, 400, "unknown_revision"),
        ({"revision": ""}, 400, "invalid"),
        ({}, 400, "invalid"),
        ({"revision": "2", "expected": "7"}, 400, "unknown_revision"),
        ({"revision": "2", "comment": "x" * 1001}, 400, "invalid"),
    ],
    ids=str,
)
def test_tag_does_not_move(cast: Cast, body: dict[str, Any], status: int, code: str) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"})
    publish(cast.bob, model, {"a": b"2"}, tag="release")
    with nothing_left_behind():
        refused(client_of(cast.bob).put(f"{BASE}/tags/release/", body), status, code)
    assert Ref.objects.get(name="release").version.number == 2


@pytest.mark.parametrize("expected", ["1", None, "main"])
def test_alias_that_is_not_where_it_was_expected(cast: Cast, expected: str | None) -> None:
    model = cast.model()
    for content in (b"1", b"2", b"3"):
        publish(cast.bob, model, {"a": content})
    set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "2"))
    with nothing_left_behind():
        body = {"revision": "3", "expected": expected}
        error = refused(client_of(cast.bob).put(f"{BASE}/aliases/production/", body), 409, "ref_moved")
    assert error["fields"] == {"current": 2}


def test_alias_that_was_expected_and_is_not_there(cast: Cast) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})
    with nothing_left_behind():
        body = {"revision": "1", "expected": "1"}
        error = refused(client_of(cast.bob).put(f"{BASE}/aliases/production/", body), 409, "ref_moved")
    assert error["fields"] == {"current": None}


@pytest.mark.parametrize(
    ("plural", "name"), [("tags", "main"), ("aliases", "main"), ("aliases", "release"), ("branches", "release")]
)
def test_name_is_of_one_kind(cast: Cast, plural: str, name: str) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"}, tag="release")
    with nothing_left_behind():
        refused(client_of(cast.bob).put(f"{BASE}/{plural}/{name}/", {"revision": "1"}), 409, "name_taken")
        refused(client_of(cast.bob).post(f"{BASE}/{plural}/", {"name": name, "revision": "1"}), 409, "name_taken")


@pytest.mark.parametrize("plural", ["tags", "aliases", "branches"])
def test_name_that_is_not_there(cast: Cast, plural: str) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})
    refused(client_of(cast.bob).get(f"{BASE}/{plural}/nothing/"), 404, "not_found")
    for address in (f"{plural}/nothing/moves/", f"{plural}/nothing/at/"):
        refused(client_of(cast.bob).get(f"{BASE}/{address}"), 404, "not_found")
    with nothing_left_behind():
        refused(client_of(cast.bob).delete(f"{BASE}/{plural}/nothing/"), 404, "not_found")
        refused(client_of(cast.carol).put(f"{BASE}/{plural}/nothing/", {"protected": True}), 404, "not_found")
        refused(client_of(cast.bob).post(f"{BASE}/aliases/nothing/rollback/"), 404, "not_found")


def test_invited_address_that_is_too_long(cast: Cast) -> None:
    email = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 40}.org"
    with nothing_left_behind():
        response = client_of(cast.alice).post("/v1/projects/vision/invitations/", {"email": email, "role": "viewer"})
        refused(response, 400, "invalid")


@pytest.mark.parametrize("username", ["nobody", "ALICE", "", "a\x00", "unverified"])
def test_member_that_is_nobody(cast: Cast, username: str) -> None:
    make_user("unverified", verified=False)
    with nothing_left_behind():
        response = client_of(cast.alice).post("/v1/projects/vision/members/", {"username": username, "role": "viewer"})
        refused(response, 400, "unknown_user" if username and "\x00" not in username else "invalid")


@pytest.mark.parametrize("role", ["admin", "OWNER", "", None, 40])
def test_role_that_is_none(cast: Cast, role: Any) -> None:
    with nothing_left_behind():
        response = client_of(cast.alice).patch("/v1/projects/vision/members/dave/", {"role": role})
        refused(response, 400, "invalid")


@pytest.mark.parametrize(
    ("method", "address", "body", "field", "hint"),
    [
        ("put", "aliases/production/", {"revision": "1", "expcted": "9"}, "expcted", "Did you mean “expected”?"),
        ("post", "versions/", {"mesage": "hello"}, "mesage", "Did you mean “message”?"),
        ("post", "versions/", {"files": [{"path": "a", "sha": "0"}]}, "sha", "Did you mean “sha256”?"),
        ("post", "versions/1/metrics/", [{"name": "loss", "vlaue": 1}], "vlaue", "Did you mean “value”?"),
    ],
)
def test_field_that_nobody_knows_is_refused_with_the_nearest_one(cast, method, address, body, field, hint) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})
    call = getattr(client_of(cast.bob), method)
    response = call(f"/v1/projects/vision/models/classifier/{address}", body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["fields"]) == ("unknown_field", {field: ["unknown"]})
    assert hint in error["message"]
    assert Version.objects.count() == 1


def test_form_field_that_nobody_knows_is_refused(cast) -> None:
    cast.model()
    response = client_of(cast.bob).post(
        "/v1/projects/vision/models/classifier/versions/", {"mesage": "hello"}, format="multipart"
    )
    assert (response.status_code, response.json()["error"]["code"]) == (400, "unknown_field")


def test_misspelt_bound_of_an_access_token_is_refused(cast) -> None:
    body = {"name": "cluster", "scope": "read", "expires_in_day": 1}
    response = client_of(cast.bob).post("/auth/tokens/", body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "unknown_field")
    assert not AccessToken.objects.exists()
