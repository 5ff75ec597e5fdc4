"""Signing in, the two JWTs of a sign-in, and all that must not pass for them."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta

import jwt
import pytest
from django.conf import settings as django_settings

from accounts.models import SignIn, User
from accounts.services import sign_ins, users
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db

ALICE = {"email": "alice@example.org", "password": PASSWORD}


@pytest.fixture
def alice() -> User:
    return make_user("alice")


def signed_in(login: str = "alice") -> sign_ins.Tokens:
    return sign_ins.sign_in(login=login, password=PASSWORD)


def me(api, header: str):
    return api.get("/auth/me/", headers={"Authorization": header})


def code(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_login_answers_who_and_both_tokens(api, alice):
    response = api.post("/auth/login/", {"email": "ALICE@Example.org", "password": PASSWORD})
    body = response.json()
    assert response.status_code == 200
    assert body == {
        "email": "alice@example.org",
        "username": "alice",
        "tokens": {"refresh": body["tokens"]["refresh"], "access": body["tokens"]["access"]},
    }
    assert me(api, f"Bearer {body['tokens']['access']}").json()["username"] == "alice"


def test_a_wrong_password_and_an_unknown_address_and_an_inactive_user_get_the_same_answer(api, alice):
    make_user("bob")
    User.objects.filter(username="bob").update(is_active=False)
    wrong = api.post("/auth/login/", ALICE | {"password": "wrong"})
    unknown = api.post("/auth/login/", ALICE | {"email": "nobody@example.org"})
    inactive = api.post("/auth/login/", ALICE | {"email": "bob@example.org"})
    assert wrong.status_code == unknown.status_code == inactive.status_code == 401
    assert wrong.content == unknown.content == inactive.content
    assert wrong["WWW-Authenticate"] == 'Bearer realm="LMVP"'


def test_an_unknown_address_costs_a_hash_too(alice, monkeypatch):
    from django.contrib.auth.hashers import MD5PasswordHasher

    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *args: hashed.append(1) or encode(*args))
    for login in ("alice@example.org", "nobody@example.org"):
        hashed.clear()
        with pytest.raises(sign_ins.BadCredentials):
            sign_ins.check_credentials(login=login, password="wrong")
        assert len(hashed) == 1


def test_that_an_address_is_unverified_is_told_to_whoever_knows_the_password(api):
    make_user("bob", verified=False)
    bob = {"email": "bob@example.org", "password": PASSWORD}
    assert code(api.post("/auth/login/", bob)) == (403, "email_not_verified")
    assert code(api.post("/auth/login/", bob | {"password": "wrong"})) == (401, "wrong_credentials")


def test_a_stale_header_does_not_hinder_signing_in(api, alice):
    for path, body in (("login", ALICE), ("password/reset", {"email": "alice@example.org"})):
        response = api.post(f"/auth/{path}/", body, headers={"Authorization": "Bearer stale"})
        assert response.status_code in (200, 202)


@pytest.mark.parametrize("login", ["alice", "alice@example.org", "ALICE@example.org"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", "multipart/form-data"])
def test_the_oauth2_password_form_takes_username_or_email(api, alice, login, kind):
    data = {"grant_type": "password", "username": login, "password": PASSWORD}
    if kind.endswith("json"):
        response = api.post("/v1/token", data, format="json")
    elif kind.startswith("multipart"):
        response = api.post("/v1/token", data, format="multipart")
    else:
        response = api.post("/v1/token", f"username={login}&password=correct+horse+battery", content_type=kind)
    body = response.json()
    assert response.status_code == 200, body
    assert sorted(body) == ["access_token", "refresh_token", "token_type"]
    assert body["token_type"] == "bearer"
    assert me(api, f"bearer {body['access_token']}").status_code == 200


def test_the_bare_access_token_is_taken(api, alice):
    assert me(api, signed_in().access).status_code == 200


def forged(claims: dict, **changes) -> str:
    return jwt.encode(claims | changes, django_settings.SECRET_KEY, algorithm="HS256")


def unsigned(claims: dict) -> str:
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*texts, ""])


def test_what_is_no_access_token_of_ours_is_a_401_on_public_things_too(api, alice):
    tokens = signed_in()
    claims = jwt.decode(tokens.access, options={"verify_signature": False})
    head, body, signature = tokens.access.split(".")
    hostile = {
        "refresh as access": tokens.refresh,
        "none algorithm": unsigned(claims),
        "foreign key": jwt.encode(claims, "x" * 64, algorithm="HS256"),
        "expired": forged(claims, exp=int(time.time()) - 1),
        "another's sign-in": forged(claims, sub="999999"),
        "no sign-in": forged({name: claims[name] for name in claims if name != "sid"}),
        "no jti": forged({name: claims[name] for name in claims if name != "jti"}),
        "changed body": f"{head}.{body[:-2]}AA.{signature}",
        "truncated": f"{head}.{body}",
        "garbage": "garbage",
        "not ASCII": "gärbage",
        "unknown token": "lmvp_unknown",
        "empty token": "lmvp_",
    }
    for name, text in hostile.items():
        response = me(api, f"Bearer {text}")
        assert response.status_code == 401, name
        assert response["WWW-Authenticate"] == 'Bearer realm="LMVP"', name
        assert api.get("/v1/projects/", headers={"Authorization": f"Bearer {text}"}).status_code == 401, name


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer  ", "Basic", "Basic !!!", "Basic YWxpY2U6cHc=", "Digest x", "Token x", "a b c"]
)
def test_other_headers_are_a_401(api, header):
    assert me(api, header).status_code == 401


def test_the_kinds_of_tokens_are_not_taken_for_each_other(api, alice):
    tokens = signed_in()
    assert code(me(api, f"Bearer {tokens.refresh}")) == (401, "token_type")
    assert code(api.post("/auth/token/refresh/", {"refresh": tokens.access})) == (401, "token_type")
    assert code(api.post("/auth/logout/", {"refresh": tokens.access})) == (401, "token_type")


def test_an_expired_access_token_says_so(api, alice):
    claims = jwt.decode(signed_in().access, options={"verify_signature": False})
    assert code(me(api, "Bearer " + forged(claims, exp=int(time.time()) - 1))) == (401, "token_expired")


def test_refreshing_rotates(api, alice):
    first = signed_in()
    second = api.post("/auth/token/refresh/", {"refresh": first.refresh}).json()
    assert sorted(second) == ["access", "refresh"]
    assert second["refresh"] != first.refresh
    assert me(api, f"Bearer {second['access']}").status_code == 200
    assert api.post("/auth/token/refresh/", {"refresh": second["refresh"]}).status_code == 200


def test_a_refresh_token_used_again_ends_the_whole_family_and_no_other(api, alice):
    first, other = signed_in(), signed_in()
    second = sign_ins.refresh(token=first.refresh)
    assert code(api.post("/auth/token/refresh/", {"refresh": first.refresh})) == (401, "token_reused")
    assert code(api.post("/auth/token/refresh/", {"refresh": second.refresh})) == (401, "signed_out")
    assert code(me(api, f"Bearer {second.access}")) == (401, "signed_out")
    assert me(api, f"Bearer {other.access}").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_the_family_stays_ended_although_the_request_failed(api):
    make_user("alice")
    first = signed_in()
    sign_ins.refresh(token=first.refresh)
    with pytest.raises(sign_ins.BadCredentials):
        sign_ins.refresh(token=first.refresh)
    assert SignIn.objects.get().revoked_at is not None


@pytest.mark.django_db(transaction=True)
def test_of_two_refreshes_at_once_one_wins(postgresql):
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection

    make_user("alice")
    token = signed_in().refresh

    def attempt(_: int) -> str:
        try:
            sign_ins.refresh(token=token)
            return "rotated"
        except sign_ins.BadCredentials as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, range(2))) == ["rotated", "token_reused"]


def test_signing_out_ends_both_tokens_at_once_and_twice_is_no_error(api, alice):
    tokens = signed_in()
    for _ in range(2):
        assert api.post("/auth/logout/", {"refresh": tokens.refresh}).status_code == 204
    assert code(me(api, f"Bearer {tokens.access}")) == (401, "signed_out")
    assert code(api.post("/auth/token/refresh/", {"refresh": tokens.refresh})) == (401, "signed_out")


def test_switching_a_user_off_ends_everything_and_on_again_revives_nothing(api, alice):
    root = User.objects.create_superuser("root@example.org", "boss", PASSWORD)
    tokens = signed_in()
    users.set_flags(actor=root, user=alice, is_active=False)
    assert me(api, f"Bearer {tokens.access}").status_code == 401
    users.set_flags(actor=root, user=alice, is_active=True)
    assert me(api, f"Bearer {tokens.access}").status_code == 401


def test_a_password_changed_behind_the_services_ends_the_sign_ins_too(api, alice):
    tokens = signed_in()
    alice.set_password("changed by manage.py")
    alice.save()
    assert code(me(api, f"Bearer {tokens.access}")) == (401, "signed_out")
    assert code(api.post("/auth/token/refresh/", {"refresh": tokens.refresh})) == (401, "signed_out")


def test_an_access_token_is_checked_with_one_query(api, alice, django_assert_num_queries):
    tokens = signed_in()
    with django_assert_num_queries(1):
        assert me(api, f"Bearer {tokens.access}").status_code == 200


def test_lifetimes_are_those_of_the_settings(alice):
    before = int(time.time())
    tokens = signed_in()
    for text, lifetime in ((tokens.access, timedelta(minutes=20)), (tokens.refresh, timedelta(days=30))):
        claims = jwt.decode(text, options={"verify_signature": False})
        assert before <= claims["exp"] - lifetime.total_seconds() <= time.time()
        assert "iat" not in claims, "a clock that is behind would not take it"
