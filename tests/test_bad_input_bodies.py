"""Bodies, headers and queries that no view should have to understand: each gets its code, none a 500."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken as JWT

from accounts.models import AccessToken
from accounts.services import sign_ins
from accounts.services.access_tokens import create_access_token, revoke_access_token
from tests.cast import PASSWORD, Cast, client_of, publish
from tests.matchers import nothing_left_behind, refused

BASE = "/v1/projects/vision/models/classifier"
JSON = "application/json"

BODIES: list[tuple[bytes, int, str]] = [
    (b"", 400, "invalid"),
    (b"{", 400, "invalid_json"),
    (b"{'a': 1}", 400, "invalid_json"),
    (b"\xff\xfe", 400, "invalid_json"),
    (b'{"name": "\xff"}', 400, "invalid_json"),
    (b'{"name": NaN}', 400, "invalid_json"),
    (b'{"name": "\\ud800"}', 400, "invalid"),
    (b'{"name": "a\\u0000b"}', 400, "invalid"),
    (b"[" * 100_000, 400, "invalid_json"),
    (b'{"a":' * 100_000, 400, "invalid_json"),
    (b"[]", 400, "invalid"),
    (b"null", 400, "invalid"),
    (b'"text"', 400, "invalid"),
    (b"7", 400, "invalid"),
    (b"9" * 5000, 400, "invalid_json"),
    (b'{"name": ["x"]}', 400, "invalid"),
    (b'{"name": {"x": 1}}', 400, "invalid"),
]
DOORS = [
    "/v1/projects/",
    "/v1/projects/vision/members/",
    "/v1/projects/vision/invitations/",
    "/v1/projects/vision/models/",
    "/v1/invitations/accept/",
    f"{BASE}/uploads/",
    f"{BASE}/versions/1/metrics/",
]
NAMELESS = {"/v1/projects/vision/members/", "/v1/projects/vision/invitations/", "/v1/invitations/accept/"}
ACCOUNT_DOORS = ["/auth/register/", "/auth/login/", "/auth/tokens/", "/auth/password/reset/", "/v1/token/"]


@pytest.fixture
def alice(cast: Cast) -> APIClient:
    publish(cast.alice, cast.model(), {"a": b"1"})
    return client_of(cast.alice)


@pytest.mark.parametrize("door", DOORS + ACCOUNT_DOORS)
def test_body_that_is_no_good_json(alice: APIClient, door: str) -> None:
    with nothing_left_behind():
        for body, status, code in BODIES:
            if body == b"[]" and door.endswith(("/uploads/", "/metrics/")):
                continue  # a list of none is one
            unknown = code == "invalid" and b'"name"' in body and door in NAMELESS
            refused(alice.generic("POST", door, body, JSON), status, "unknown_field" if unknown else code)


@pytest.mark.parametrize("door", [*DOORS, *ACCOUNT_DOORS, f"{BASE}/versions/"])
def test_body_of_a_hundred_megabytes(alice: APIClient, door: str) -> None:
    body = b'{"name": "' + b"x" * 100_000_000 + b'"}'
    with nothing_left_behind():
        refused(alice.generic("POST", door, body, JSON), 413, "too_large")


def test_form_of_a_hundred_megabytes(alice: APIClient) -> None:
    body = b"name=" + b"x" * 100_000_000
    with nothing_left_behind():
        response = alice.generic("POST", "/v1/projects/", body, "application/x-www-form-urlencoded")
        refused(response, 413, "too_large")


@pytest.mark.parametrize("kind", ["text/csv", "application/xml", "multipart/form-data; boundary=x"])
def test_body_of_another_kind(alice: APIClient, kind: str) -> None:
    with nothing_left_behind():
        refused(alice.generic("POST", "/v1/projects/", b"abc", kind), 415, "unsupported_media_type")


def test_answer_of_another_kind(alice: APIClient) -> None:
    refused(alice.get("/v1/projects/", headers={"Accept": "text/csv"}), 406, "not_acceptable")


def test_method_that_is_not_there(alice: APIClient) -> None:
    refused(alice.put("/v1/projects/", {}), 405, "method_not_allowed")


@pytest.mark.parametrize("address", ["/v1/nothing/", "/v1/projects/vision/nothing/", "/auth/nothing/"])
def test_address_that_is_not_there(alice: APIClient, address: str) -> None:
    refused(alice.get(address), 404, "not_found")


# --- Names in addresses and queries

ODD = ["%00", "a%00b", "%ff", "%C3%28", "%F0%9F%98%80", "'%3B--", "%0a", "9" * 5000, "..%5c..", "%25"]


@pytest.mark.parametrize("odd", ODD, ids=lambda value: value[:12])
@pytest.mark.parametrize(
    "address",
    [
        "/v1/projects/{}/",
        "/v1/projects/vision/models/{}/",
        "/v1/projects/vision/members/{}/",
        BASE + "/versions/{}/",
        BASE + "/versions/1/tree/{}",
        BASE + "/versions/1/files/{}",
        BASE + "/aliases/{}/",
        BASE + "/branches/{}/",
        "/v1/uploads/{}/",
    ],
)
def test_odd_name_in_an_address(alice: APIClient, address: str, odd: str) -> None:
    response = alice.get(address.format(odd))
    assert response.status_code in (404, 405), response.content


@pytest.mark.parametrize("odd", ODD, ids=lambda value: value[:12])
def test_odd_name_of_moves_has_none(alice: APIClient, odd: str) -> None:
    response = alice.get(f"{BASE}/aliases/{odd}/moves/")
    assert response.status_code in (200, 404), response.content


@pytest.mark.parametrize("odd", ODD, ids=lambda value: value[:12])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_odd_name_of_an_alias(alice: APIClient, method: str, odd: str) -> None:
    with nothing_left_behind():
        response = alice.generic(method, f"{BASE}/aliases/{odd}/", b'{"revision": "1"}', JSON)
    assert response.status_code in (400, 404), response.content


@pytest.mark.parametrize("odd", ODD, ids=lambda value: value[:12])
@pytest.mark.parametrize(
    "query",
    ["versions/?author=", "versions/?branch=", "versions/1/metrics/?name=", "versions/1/tree/?recursive=", "?x="],
)
def test_odd_value_in_a_query(alice: APIClient, query: str, odd: str) -> None:
    response = alice.get(f"{BASE}/{query}{odd}")
    assert response.status_code in (200, 400, 404), response.content


def cursor(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "value",
    [
        "garbage",
        "%00",
        "9" * 5000,
        cursor("p=abc"),
        cursor("p=a\x00"),
        cursor("p=" + "9" * 30),
        cursor("p=-1&r=1"),
        cursor("p=1&o=99999999999"),
        cursor("r=1&p="),
        cursor("o=-5"),
        cursor("p=NaN"),
        cursor("p=1e999"),
        "====",
        "%ff",
    ],
    ids=lambda value: value[:24],
)
@pytest.mark.parametrize("list_of", ["/v1/projects/vision/events/", f"{BASE}/versions/", f"{BASE}/versions/1/metrics/"])
def test_cursor_that_nobody_gave(alice: APIClient, list_of: str, value: str) -> None:
    response = alice.get(f"{list_of}?cursor={value}")
    assert response.status_code in (200, 404), response.content
    if response.status_code == 404:
        refused(response, 404, "not_found")


@pytest.mark.parametrize("size", ["0", "-1", "abc", "1e3", "9" * 30, "9" * 5000, "", "201", "²"], ids=lambda v: v[:9])
@pytest.mark.parametrize("list_of", ["/v1/projects/", f"{BASE}/versions/", f"{BASE}/versions/1/tree/"])
def test_page_size_is_never_too_large(alice: APIClient, list_of: str, size: str) -> None:
    response = alice.get(list_of, {"page_size": size})
    assert response.status_code == 200
    assert len(response.json()["results"]) <= 200


@pytest.mark.parametrize("page", ["0", "-1", "abc", "2", "9" * 30, "9" * 5000, "²"], ids=lambda value: value[:9])
@pytest.mark.parametrize("list_of", ["/v1/projects/vision/models/", f"{BASE}/versions/1/tree/"])
def test_page_that_is_not_there(alice: APIClient, list_of: str, page: str) -> None:
    refused(alice.get(list_of, {"page": page}), 404, "not_found")


# --- Tokens


def with_token(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def expired_jwt(access: str) -> str:
    token = JWT(access)  # type: ignore[arg-type]
    token.set_exp(lifetime=-timedelta(seconds=1))
    return str(token)


@pytest.mark.parametrize("address", ["/v1/projects/", "/v1/projects/vision/", "/auth/me/"])
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("refresh", "token_type"),
        ("expired", "token_expired"),
        ("foreign", "token_invalid"),
        ("unsigned", "token_invalid"),
        ("signed out", "signed_out"),
    ],
)
def test_jwt_that_is_no_access_token(cast: Cast, address: str, kind: str, code: str) -> None:
    tokens = sign_ins.sign_in(login=cast.alice.email, password=PASSWORD)
    text = tokens.access
    if kind == "refresh":
        text = tokens.refresh
    elif kind == "expired":
        text = expired_jwt(tokens.access)
    elif kind == "foreign":
        text = text[:-4] + ("AAAA" if not text.endswith("AAAA") else "BBBB")
    elif kind == "unsigned":
        head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
        text = f"{head}.{text.split('.')[1]}."
    else:
        sign_ins.sign_out(token=tokens.refresh)
    refused(with_token(text).get(address), 401, code)


@pytest.mark.parametrize("kind", ["expired", "revoked", "of a user switched off"])
def test_access_token_that_is_no_good_any_more(cast: Cast, kind: str) -> None:
    token, text = create_access_token(actor=cast.alice, name="old", scope="write", expires_in_days=1)
    assert with_token(text).get("/v1/projects/vision/").status_code == 200
    if kind == "expired":
        AccessToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif kind == "revoked":
        revoke_access_token(actor=cast.alice, token=token)
    else:
        cast.alice.is_active = False
        cast.alice.save()
    refused(with_token(text).get("/v1/projects/vision/"), 401, "token_invalid")


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("POST", "/v1/projects/", {"name": "x"}),
        ("PATCH", "/v1/projects/vision/", {"description": "x"}),
        ("POST", "/v1/projects/vision/models/", {"name": "x"}),
        ("POST", "/v1/projects/vision/members/", {"username": "charlie", "role": "viewer"}),
        ("DELETE", "/v1/projects/vision/members/dave/", None),
        ("POST", f"{BASE}/uploads/", [{"size": 1}]),
        ("POST", f"{BASE}/versions/1/metrics/", [{"name": "a", "value": 1}]),
        ("PUT", f"{BASE}/aliases/x/", {"revision": "1"}),
    ],
)
def test_token_for_reading_writes_nothing(cast: Cast, method: str, address: str, body: Any) -> None:
    publish(cast.alice, cast.model(), {"a": b"1"})
    _, text = create_access_token(actor=cast.alice, name="reader", scope="read")
    with nothing_left_behind():
        refused(getattr(with_token(text), method.lower())(address, body, format="json"), 403, "token_scope")
