"""Passwords: reset by mail, changed by who knows the old one; either ends every sign-in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail

from accounts.services import sign_ins
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db

NEW = "an entirely different one"


@pytest.fixture
def post(api, django_capture_on_commit_callbacks):
    def post(path: str, data, **options):
        with django_capture_on_commit_callbacks(execute=True):
            return api.post(path, data, **options)

    return post


def mailed_token() -> str:
    return mail.outbox[-1].body.split("?token=")[1].split()[0]


def code(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_asking_for_a_reset_tells_nothing_about_the_address(post):
    make_user("alice")
    known = post("/auth/password/reset/", {"email": "alice@example.org"})
    unknown = post("/auth/password/reset/", {"email": "nobody@example.org"})
    assert known.status_code == unknown.status_code == 202
    assert known.content == unknown.content
    assert [message.to for message in mail.outbox] == [["alice@example.org"]]


def test_the_mailed_link_resets_once_and_ends_every_sign_in(post, api):
    make_user("alice")
    tokens = sign_ins.sign_in(login="alice", password=PASSWORD)
    post("/auth/password/reset/", {"email": "ALICE@example.org"})
    token = mailed_token()
    assert post("/auth/password/reset/confirm/", {"token": token, "password": NEW}).status_code == 200
    assert code(post("/auth/password/reset/confirm/", {"token": token, "password": NEW + "!"})) == (400, "link_invalid")
    assert code(post("/auth/token/refresh/", {"refresh": tokens.refresh})) == (401, "signed_out")
    assert post("/auth/login/", {"email": "alice@example.org", "password": PASSWORD}).status_code == 401
    assert post("/auth/login/", {"email": "alice@example.org", "password": NEW}).status_code == 200


def test_a_reset_link_expires_and_a_weak_password_does_not_use_it_up(post, settings):
    make_user("alice")
    post("/auth/password/reset/", {"email": "alice@example.org"})
    token = mailed_token()
    assert code(post("/auth/password/reset/confirm/", {"token": token, "password": "short"})) == (400, "weak_password")
    settings.PASSWORD_RESET_LIFETIME = timedelta(seconds=-1)
    assert code(post("/auth/password/reset/confirm/", {"token": token, "password": NEW})) == (400, "link_invalid")


def test_an_unverified_user_who_forgot_the_password_is_sent_the_verification(post):
    make_user("alice", verified=False)
    assert post("/auth/password/reset/", {"email": "alice@example.org"}).status_code == 202
    assert "/auth/email-verify/?token=" in mail.outbox[-1].body


def test_changing_the_password_needs_the_old_one_and_ends_every_sign_in(post):
    make_user("alice")
    tokens = sign_ins.sign_in(login="alice", password=PASSWORD)
    header = {"Authorization": f"Bearer {tokens.access}"}
    wrong = post("/auth/password/change/", {"old_password": "wrong", "new_password": NEW}, headers=header)
    assert code(wrong) == (400, "wrong_password")
    right = post("/auth/password/change/", {"old_password": PASSWORD, "new_password": NEW}, headers=header)
    assert right.status_code == 200
    again = post("/auth/password/change/", {"old_password": NEW, "new_password": PASSWORD}, headers=header)
    assert code(again) == (401, "signed_out")


def test_changing_the_password_needs_signing_in(api):
    assert api.post("/auth/password/change/", {}).status_code == 401
