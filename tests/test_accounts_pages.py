"""The accounts' pages, as a browser without JavaScript uses them."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client

from accounts.models import AccessToken, User
from accounts.services import users
from tests.cast import PASSWORD, make_user

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


def test_from_registration_to_the_first_page(browser):
    page = browser.submit("/register/", email="alice@example.org", username="alice", password=PASSWORD)
    assert "the server's console" in page.content.decode().replace("&#x27;", "'")
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
    for address in ("/account/", "/account/password/"):
        assert client.get(address).headers["Location"] == f"/login/?next={address}"


def test_an_access_token_is_made_shown_once_and_revoked(browser):
    browser.force_login(make_user("alice"))
    page = browser.submit("/account/", name="cluster", scope="write")
    [text] = re.findall(r"lmvp_[A-Za-z0-9_-]{43}", page.content.decode())
    token = AccessToken.objects.of_text(text).get()
    assert "no-store" in page.headers["Cache-Control"]
    assert text not in browser.get("/account/").content.decode()
    assert browser.submit("/account/", to=f"/account/tokens/{token.pk}/revoke/").status_code == 302
    assert not AccessToken.objects.usable().exists()
    assert browser.submit("/account/", name="", scope="all").status_code == 400


def test_nobody_revokes_anothers_token(client):
    from accounts.services.access_tokens import create_access_token

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
    assert not re.search(r"<script(?! src=)", page)
    assert "<style" not in page
    assert " style=" not in page


def test_the_table_of_tokens_scrolls_in_its_card(browser):
    browser.force_login(make_user("alice"))
    page = browser.submit("/account/", name="cluster", scope="write").content.decode()
    assert re.search(r'<div class="scroll">\s*<table', page)
