"""Access tokens: shown once, stored as SHA-256, and never a way to more rights."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta

import pytest
from django.core import serializers
from django.utils import timezone

from accounts.models import AccessToken, Name, User
from accounts.services.access_tokens import create_access_token, revoke_access_token
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return make_user("alice")


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def code(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_a_token_is_shown_once_and_only_its_sha256_is_stored(api, alice):
    api.force_authenticate(alice)
    body = {"name": "cluster", "scope": "write", "expires_in_days": 30}
    made = api.post("/auth/tokens/", body)
    token = AccessToken.objects.get()
    assert made.status_code == 201
    assert made.json() == {
        "id": token.pk,
        "name": "cluster",
        "scope": "write",
        "project": None,
        "token": made.json()["token"],
        "hint": made.json()["token"][:9],
        "created_at": made.json()["created_at"],
        "expires_at": made.json()["expires_at"],
        "last_used_at": None,
    }
    assert token.digest == hashlib.sha256(made.json()["token"].encode()).hexdigest()
    assert made.json()["token"] not in serializers.serialize("json", AccessToken.objects.all())
    [listed] = api.get("/auth/tokens/").json()["results"]
    assert listed == {name: value for name, value in made.json().items() if name != "token"}


def test_a_token_opens_the_api_in_three_ways(api, alice):
    _, text = create_access_token(actor=alice, name="cluster", scope="read")
    basic = base64.b64encode(f"anybody:{text}".encode()).decode()
    for header in (f"Bearer {text}", f"bearer {text}", text, f"Basic {basic}"):
        response = api.get("/auth/me/", headers={"Authorization": header})
        assert response.status_code == 200, header
        assert response.json()["token"]["name"] == "cluster"


def test_expired_and_revoked_tokens_and_those_of_inactive_users_are_a_401(api, alice):
    expired, expired_text = create_access_token(actor=alice, name="a", scope="read", expires_in_days=1)
    AccessToken.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    revoked, revoked_text = create_access_token(actor=alice, name="b", scope="read")
    revoke_access_token(actor=alice, token=revoked)
    bob = make_user("bob")
    _, inactive_text = create_access_token(actor=bob, name="c", scope="read")
    User.objects.filter(pk=bob.pk).update(is_active=False)
    for text in (expired_text, revoked_text, inactive_text):
        assert code(api.get("/auth/me/", headers=bearer(text))) == (401, "token_invalid")
        assert api.get("/v1/projects/", headers=bearer(text)).status_code == 401


@pytest.mark.parametrize("scope", ["read", "write"])
def test_a_token_cannot_make_list_or_revoke_tokens_change_the_password_or_manage_users(api, scope):
    boss = User.objects.create_superuser("boss@example.org", "boss", PASSWORD)
    token, text = create_access_token(actor=boss, name="cluster", scope=scope)
    calls = [
        api.post("/auth/tokens/", {"name": "more", "scope": "write"}, headers=bearer(text)),
        api.get("/auth/tokens/", headers=bearer(text)),
        api.delete(f"/auth/tokens/{token.pk}/", headers=bearer(text)),
        api.post("/auth/password/change/", {"old_password": PASSWORD, "new_password": "x"}, headers=bearer(text)),
        api.get("/v1/users/", headers=bearer(text)),
        api.post("/v1/users/", {}, headers=bearer(text)),
        api.patch("/v1/users/boss/", {"is_active": False}, headers=bearer(text)),
    ]
    assert {code(response) for response in calls} == {(403, "sign_in_needed")}
    assert AccessToken.objects.filter(revoked_at=None).count() == 1


def test_nobody_sees_or_revokes_anothers_token(api, alice):
    token, text = create_access_token(actor=make_user("bob"), name="bob's", scope="read")
    api.force_authenticate(alice)
    assert api.get("/auth/tokens/").json()["results"] == []
    assert api.delete(f"/auth/tokens/{token.pk}/").status_code == 404
    api.force_authenticate(None)
    assert api.get("/auth/me/", headers=bearer(text)).status_code == 200


def test_revoking_works_at_once_and_takes_it_from_the_list(api, alice):
    token, text = create_access_token(actor=alice, name="cluster", scope="read")
    api.force_authenticate(alice)
    assert api.delete(f"/auth/tokens/{token.pk}/").status_code == 204
    assert api.delete(f"/auth/tokens/{token.pk}/").status_code == 404
    assert api.get("/auth/tokens/").json()["count"] == 0
    api.force_authenticate(None)
    assert api.get("/auth/me/", headers=bearer(text)).status_code == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scope", "admin"),
        ("name", ""),
        ("name", "a\x00b"),
        ("name", "x" * 101),
        ("name", "\ud800"),
        ("expires_in_days", 0),
        ("expires_in_days", 10**12),
        ("project", "unknown"),
        ("project", "a\x00b"),
    ],
)
def test_what_makes_no_token_is_a_400_with_the_field(api, alice, field, value):
    api.force_authenticate(alice)
    body = json.dumps({"name": "cluster", "scope": "read"} | {field: value})
    response = api.post("/auth/tokens/", body, content_type="application/json")
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]
    assert not AccessToken.objects.exists()


def test_a_token_can_be_bound_to_a_project(api, alice):
    Name.objects.claim("vision")
    api.force_authenticate(alice)
    assert api.post("/auth/tokens/", {"name": "ci", "project": "vision"}).json()["project"] == "vision"


def test_the_use_of_a_token_is_noted_at_most_every_ten_minutes(api, alice, django_assert_num_queries):
    token, text = create_access_token(actor=alice, name="cluster", scope="read")
    api.get("/auth/me/", headers=bearer(text))
    token.refresh_from_db()
    noted = token.last_used_at
    assert noted is not None
    with django_assert_num_queries(1):
        api.get("/auth/me/", headers=bearer(text))
    AccessToken.objects.update(last_used_at=noted - timedelta(minutes=11))
    api.get("/auth/me/", headers=bearer(text))
    token.refresh_from_db()
    assert token.last_used_at >= noted


@pytest.mark.parametrize("pk", ["0", "99999999999999999999999999", "1%00"])
def test_a_token_that_is_not_there_is_a_404(api, alice, pk):
    api.force_authenticate(alice)
    assert api.delete(f"/auth/tokens/{pk}/").status_code == 404
