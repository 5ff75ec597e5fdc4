"""Registration and verification: links work once, and nobody learns which addresses are known."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.errors import Invalid
from accounts.models import Name, User
from accounts.services import registration
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db

ALICE = {"email": "alice@example.org", "username": "alice", "password": PASSWORD}


@pytest.fixture
def post(api, django_capture_on_commit_callbacks):
    """Post and let the mails leave, as after a commit."""

    def post(path: str, data):
        with django_capture_on_commit_callbacks(execute=True):
            return api.post(path, data)

    return post


def mailed_token() -> str:
    return mail.outbox[-1].body.split("?token=")[1].split()[0]


def code(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_registering_answers_email_and_username_and_mails_one_link(post):
    response = post("/auth/register/", ALICE)
    assert (response.status_code, response.json()) == (201, {"email": "alice@example.org", "username": "alice"})
    [message] = mail.outbox
    assert message.to == ["alice@example.org"]
    assert "http://localhost:8000/auth/email-verify/?token=" in message.body
    assert User.objects.get().claimed_name.name == "alice"
    assert not User.objects.get().is_verified


def test_the_link_verifies_once(post):
    post("/auth/register/", ALICE)
    token = mailed_token()
    assert post("/auth/email-verify/", {"token": token}).status_code == 200
    assert code(post("/auth/email-verify/", {"token": token})) == (400, "link_invalid")
    assert post("/auth/login/", ALICE).status_code == 200


def test_opening_the_link_verifies_nothing(post, api):
    post("/auth/register/", ALICE)
    assert api.get(f"/auth/email-verify/?token={mailed_token()}").status_code == 200
    assert not User.objects.get().is_verified


def test_a_link_expires(post, settings):
    post("/auth/register/", ALICE)
    settings.EMAIL_VERIFICATION_LIFETIME = timedelta(seconds=-1)
    assert code(post("/auth/email-verify/", {"token": mailed_token()})) == (400, "link_invalid")


@pytest.mark.parametrize("token", ["garbage", "a:b:c", "ünïcode", "eyJhbGciOiJub25lIn0.e30."])
def test_a_token_that_is_not_ours_is_refused(post, token):
    assert code(post("/auth/email-verify/", {"token": token})) == (400, "link_invalid")


def test_a_password_link_verifies_nothing(post):
    make_user("alice")
    post("/auth/password/reset/", {"email": "alice@example.org"})
    assert code(post("/auth/email-verify/", {"token": mailed_token()})) == (400, "link_invalid")


def test_registering_an_unverified_address_again_replaces_everything_and_kills_the_older_link(post):
    post("/auth/register/", ALICE)
    older = mailed_token()
    again = {"email": "ALICE@example.org", "username": "wonder", "password": "another long one"}
    assert post("/auth/register/", again).status_code == 201
    refusal = post("/auth/email-verify/", {"token": older})
    assert code(refusal) == (400, "link_invalid")
    assert "use the newest mail" in refusal.json()["error"]["message"]
    assert post("/auth/email-verify/", {"token": mailed_token()}).status_code == 200
    assert code(post("/auth/login/", ALICE)) == (401, "wrong_credentials")
    assert post("/auth/login/", again).status_code == 200
    assert list(Name.objects.values_list("name", "user__username")) == [("wonder", "wonder")]


def test_registering_a_verified_address_answers_the_same_and_tells_its_owner(post):
    alice = make_user("alice")
    data = {"email": "Alice@Example.ORG", "username": "mallory", "password": "another long one"}
    unknown = post("/auth/register/", data | {"email": "new@example.org", "username": "newcomer"})
    known = post("/auth/register/", data)
    assert (known.status_code, known.json()) == (201, {"email": data["email"], "username": "mallory"})
    assert unknown.status_code == known.status_code
    assert mail.outbox[-1].to == ["alice@example.org"]
    assert "/auth/password/reset/confirm/?token=" in mail.outbox[-1].body
    assert not Name.objects.filter(name="mallory").exists()
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


@pytest.mark.parametrize("email", ["alice@example.org", "stranger@example.org"])
def test_a_taken_username_is_refused_for_known_and_unknown_addresses_alike(post, email):
    make_user("alice")
    make_user("bob")
    response = post("/auth/register/", {"email": email, "username": "bob", "password": PASSWORD})
    assert code(response) == (400, "name_taken")
    assert response.json()["error"]["fields"] == {"username": ["The name “bob” is taken. Choose another one."]}


def test_the_name_of_a_project_is_taken_too(post):
    Name.objects.claim("vision")
    assert code(post("/auth/register/", ALICE | {"username": "vision"})) == (400, "name_taken")


@pytest.mark.parametrize("username", ["admin", "Alice", "-a", "a b", "a" * 40, "ä", "a/b", ""])
def test_a_username_outside_the_grammar_is_refused(post, username):
    response = post("/auth/register/", ALICE | {"username": username})
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["username"]


@pytest.mark.parametrize("password", ["short", "password123", "1234567890", "alice@example", ""])
def test_a_weak_password_is_refused(post, password):
    response = post("/auth/register/", ALICE | {"password": password})
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == ["password"]
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("password", "sentence"), [("short", "too short"), ("alice@example", "too similar"), ("", "short")]
)
def test_createsuperuser_without_questions_refuses_a_weak_password(db, monkeypatch, password, sentence):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    with pytest.raises(CommandError, match=sentence):
        call_command("createsuperuser", "--noinput", email="alice@example.org", username="alice")
    assert not User.objects.exists()


def test_createsuperuser_suggests_another_name_for_a_reserved_one(db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery")
    with pytest.raises(CommandError, match=r"“root” is a word .* “root-1” say"):
        call_command("createsuperuser", "--noinput", email="alice@example.org", username="root")
    call_command("createsuperuser", "--noinput", email="alice@example.org", username="root-1", verbosity=0)


def test_createsuperuser_without_questions_takes_a_good_password(db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", email="alice@example.org", username="alice", verbosity=0)
    assert User.objects.get().is_superuser
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize("field", ["email", "username", "password"])
@pytest.mark.parametrize("value", ["a\x00b@example.org", "\ud800long enough", None, True, [], {}])
def test_hostile_values_are_a_400(api, field, value):
    body = json.dumps(ALICE | {field: value})  # DRF's own encoder has no lone surrogates
    response = api.post("/auth/register/", body, content_type="application/json")
    assert response.status_code == 400
    assert list(response.json()["error"]["fields"]) == [field]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"email": "\\ud800@example.org"}', b"\xff"])
@pytest.mark.parametrize("path", ["register", "login", "token/refresh", "email-verify", "password/reset", "logout"])
def test_hostile_bodies_are_a_400(api, path, body):
    assert api.post(f"/auth/{path}/", body, content_type="application/json").status_code == 400


def test_nobody_claims_a_name_by_an_address_that_is_never_verified(post):
    post("/auth/register/", ALICE)
    User.objects.update(date_joined=timezone.now() - timedelta(days=8))
    assert post("/auth/register/", ALICE | {"email": "other@example.org"}).status_code == 201
    assert User.objects.get(username="alice").email == "other@example.org"


def test_names_that_waited_too_long_are_released_and_verified_ones_stay(post):
    post("/auth/register/", ALICE)
    make_user("bob")
    User.objects.update(date_joined=timezone.now() - timedelta(days=8))
    assert registration.release_unverified() == 1
    assert list(Name.objects.values_list("name", flat=True)) == ["bob"]


def test_another_link_is_mailed_to_unverified_users_alone_and_the_answer_does_not_tell(post):
    make_user("alice", verified=False)
    make_user("bob")
    answers = [
        post("/auth/email-verify/resend/", {"email": f"{name}@example.org"}) for name in ("alice", "bob", "nobody")
    ]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert [message.to for message in mail.outbox] == [["alice@example.org"]]
    assert post("/auth/email-verify/", {"token": mailed_token()}).status_code == 200


def test_mails_to_one_address_are_throttled_known_or_not(post, settings):
    settings.THROTTLES = {**settings.THROTTLES, "mail:account": "1/900s"}
    make_user("alice")
    for email in ("alice@example.org", "nobody@example.org"):
        assert post("/auth/password/reset/", {"email": email}).status_code == 202
        response = post("/auth/password/reset/", {"email": email.upper()})
        assert code(response) == (429, "throttled")
        assert 0 < int(response["Retry-After"]) <= 900


def test_an_address_is_one_users_however_it_is_spelled(db):
    make_user("alice")
    with pytest.raises(Exception, match="already"):
        User.objects.create_user("ALICE@EXAMPLE.ORG", "other", PASSWORD)


@pytest.mark.django_db(transaction=True)
def test_two_registrations_at_once_leave_one_user_and_no_error(postgresql):
    from concurrent.futures import ThreadPoolExecutor

    def attempt(number: int) -> str:
        try:
            registration.register(email="alice@example.org", username=f"alice{number % 2}", password=PASSWORD)
            return "registered"
        except Invalid as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(attempt, range(4)))
    assert answers == ["registered"] * 4
    assert User.objects.count() == Name.objects.count() == 1
