"""The accounts' pages, as a browser without JavaScript uses them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import AccessToken, User
from accounts.services import users
from accounts.services.access_tokens import create_access_token
from tests.cast import PASSWORD, make_user
from tests.reading import text_of

pytestmark = pytest.mark.django_db

NEW = "an entirely different one"


@pytest.fixture
def browser(django_capture_on_commit_callbacks):
    """A browser that is checked for CSRF, and sends the hidden fields of the form that it saw."""

    class Browser(Client):
        def submit(self, address: str, to: str | None = None, **data: str):
            page = self.get(address).content.decode()
            hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page))
            with django_capture_on_commit_callbacks(execute=True):
                return self.post(to or address.partition("?")[0], hidden | data)

    return Browser(enforce_csrf_checks=True)


def mailed_link() -> str:
    return re.search(r"http://localhost:8000(\S+)", mail.outbox[-1].body.split("open this link")[1])[1]


def test_without_a_mail_server_the_page_says_where_the_link_is(browser, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    page = browser.submit("/register/", email="alice@example.org", username="alice", password=PASSWORD)
    assert "it is printed in the server's console" in page.content.decode().replace("&#x27;", "'")


def test_from_registration_to_the_first_page(browser):
    page = browser.submit("/register/", email="alice@example.org", username="alice", password=PASSWORD)
    assert "console" not in page.content.decode()
    refused = browser.submit("/login/", username="alice@example.org", password=PASSWORD)
    assert "Verify your e-mail address first" in refused.content.decode()
    link = mailed_link()
    assert browser.get(link).status_code == 200
    assert not User.objects.get().is_verified
    assert browser.submit(link).headers["Location"] == "/login/"
    assert User.objects.get().is_verified
    assert "used already" in browser.get(link).content.decode()
    assert browser.submit("/login/", username="alice@example.org", password=PASSWORD).headers["Location"] == "/"
    assert browser.submit("/account/", to="/logout/").status_code == 302
    assert "_auth_user_id" not in browser.session


def test_refusals_stand_beside_their_fields(browser):
    make_user("bob")
    page = browser.submit("/register/", email="alice@example.org", username="bob", password="short")
    assert page.status_code == 400
    assert "too short" in page.content.decode()
    page = browser.submit("/register/", email="alice@example.org", username="bob", password=PASSWORD)
    assert "is taken" in page.content.decode()


def test_a_form_from_elsewhere_is_refused(browser):
    for address in ("/login/", "/register/", "/auth/email-verify/", "/auth/password/reset/confirm/", "/logout/"):
        assert browser.post(address, {"token": "x"}).status_code == 403, address


@pytest.mark.parametrize(
    ("target", "landing"),
    [("/account/", "/account/"), ("https://evil.example/", "/"), ("//evil.example", "/"), ("javascript:1", "/")],
)
def test_signing_in_goes_on_to_safe_addresses_alone(browser, target, landing):
    make_user("alice")
    answer = browser.submit(f"/login/?next={target}", username="alice@example.org", password=PASSWORD)
    assert answer.headers["Location"] == landing


def test_a_forgotten_password_is_replaced_by_the_mailed_page(browser):
    make_user("alice")
    assert browser.submit("/password/reset/", email="alice@example.org").status_code == 302
    link = mailed_link_to_reset()
    assert browser.submit(link, password="short").status_code == 400
    assert browser.submit(link, password=NEW).headers["Location"] == "/login/"
    assert "used already" in browser.get(link).content.decode()
    assert User.objects.get().check_password(NEW)


def mailed_link_to_reset() -> str:
    return re.search(r"http://localhost:8000(/auth/\S+)", mail.outbox[-1].body)[1]


def test_the_account_needs_signing_in(client):
    for address in ("/account/", "/account/password/", "/account/sessions/", "/account/tokens/"):
        assert client.get(address).headers["Location"] == f"/login/?next={address}"


def test_an_access_token_is_made_shown_once_and_revoked(browser):
    browser.force_login(make_user("alice"))
    page = browser.submit("/account/tokens/", name="cluster", scope="write")
    [text] = set(re.findall(r"lmvp_[A-Za-z0-9_-]{43}", page.content.decode()))
    token = AccessToken.objects.of_text(text).get()
    assert "no-store" in page.headers["Cache-Control"]
    assert text not in browser.get("/account/tokens/").content.decode()
    assert browser.submit("/account/", to=f"/account/tokens/{token.pk}/revoke/").status_code == 302
    assert not AccessToken.objects.usable().exists()
    assert browser.submit("/account/tokens/", name="", scope="all").status_code == 400


def test_nobody_revokes_anothers_token(client):
    token, _ = create_access_token(actor=make_user("bob"), name="bob's", scope="read")
    client.force_login(make_user("alice"))
    assert client.post(f"/account/tokens/{token.pk}/revoke/").status_code == 404


def test_changing_the_password_keeps_this_browser_and_ends_the_others(browser, client):
    alice = make_user("alice")
    browser.force_login(alice)
    client.force_login(alice)
    page = browser.submit("/account/password/", old_password=PASSWORD, new_password=NEW)
    assert page.headers["Location"] == "/account/"
    assert browser.get("/account/").status_code == 200
    assert client.get("/account/").status_code == 302


def test_switching_a_user_off_ends_the_web_session(client):
    boss = User.objects.create_superuser("boss@example.org", "boss", PASSWORD)
    alice = make_user("alice")
    client.force_login(alice)
    users.set_flags(actor=boss, user=alice, is_active=False)
    assert client.get("/account/").status_code == 302


@pytest.mark.parametrize(
    "address", ["/login/", "/register/", "/password/reset/", "/auth/email-verify/", "/auth/password/reset/confirm/"]
)
def test_no_page_has_script_or_style_of_its_own(client, address):
    page = client.get(address).content.decode()
    assert not re.search(r"<script(?![^>]* src=)", page)
    assert "<style" not in page
    assert " style=" not in page


def test_setting_up_a_machine_follows_what_the_token_may(browser, settings):
    settings.LMVP_URL = "https://models.example.org"
    browser.force_login(make_user("alice"))
    writes = text_of(browser.submit("/account/tokens/", name="CI", scope="write"))
    assert "export LMVP_SERVER=https://models.example.org" in writes
    assert 'lmvp.publish("alice/classifier"' in writes
    assert "LMVP_TOKEN: ${{ secrets.LMVP_TOKEN }}" in writes
    reads = text_of(browser.submit("/account/tokens/", name="CI", scope="read", project="alice"))
    assert "lmvp download alice/classifier@production" in reads
    assert "lmvp publish" not in reads


def test_what_a_token_is_called_is_text(browser):
    alice = make_user("alice")
    browser.force_login(alice)
    for name in ("<script>alert(1)</script>", "x" * 100):
        page = browser.submit("/account/tokens/", name=name, scope="read")
        assert page.status_code == 201
        assert "<script>alert" not in page.content.decode()
    assert "<script>alert" not in browser.get("/account/tokens/").content.decode()
    for bad in ("x" * 101, "a\0b", " "):
        assert browser.submit("/account/tokens/", name=bad, scope="read").status_code == 400
    assert browser.submit("/account/tokens/", name="x", scope="read", project="no-such").status_code == 400


def test_an_expired_token_says_so(browser):
    alice = make_user("alice")
    token, _ = create_access_token(actor=alice, name="old", scope="read", expires_in_days=1)
    AccessToken.objects.update(expires_at=timezone.now() - timedelta(days=1))
    browser.force_login(alice)
    assert "expired on" in text_of(browser.get("/account/tokens/"))
    assert token.pk


def test_the_profile_says_who_one_is(browser):
    browser.force_login(make_user("alice"))
    page = text_of(browser.get("/account/"))
    assert "alice@example.org" in page
    assert 'href="/alice/"' in browser.get("/account/").content.decode()


def test_many_tokens_cost_as_many_queries_as_one(browser, django_assert_num_queries):
    alice = make_user("alice")
    browser.force_login(alice)
    for n in range(12):
        create_access_token(actor=alice, name=f"token {n}", scope="read")
    with django_assert_num_queries(4):  # session, user, tokens, projects to choose from
        browser.get("/account/tokens/")
