"""Getting in as a newcomer, one's sessions and tokens, and an invitation: clicked through as a person does."""

from __future__ import annotations

import re

import pytest
import requests
from django.core import mail
from playwright.sync_api import Page, expect

from accounts.models import AccessToken, SignIn
from registry.models import Role
from registry.services import members
from tests.browser.browsing import DARK, PHONE, assert_well_made
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def mailed_address() -> str:
    return re.search(r"http://localhost:8000(\S+)", mail.outbox[-1].body.split("pen this")[1])[1]


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def sign_in(page: Page, username: str) -> None:
    page.goto("/login/")
    fill_in(page, username)


def fill_in(page: Page, username: str) -> None:
    page.get_by_label("E-mail address").fill(f"{username}@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Sign in")


def register(page: Page, username: str) -> None:
    page.get_by_label("E-mail address").fill(f"{username}@example.org")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Register")
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your mail")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_newcomer_registers_verifies_and_signs_in(new_visitor, script) -> None:
    page = new_visitor(java_script_enabled=script).goto("/")
    page.get_by_role("button", name="Register").first.click()
    register(page, "erin")
    page.goto(mailed_address())
    press(page, "Verify my address")
    expect(page.get_by_role("main").get_by_role("status")).to_contain_text("verified")
    fill_in(page, "erin")
    page.get_by_label("You").get_by_role("link", name="erin").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")
    expect(page.get_by_role("main")).to_contain_text("erin@example.org")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("You")).to_contain_text("Sign in")


def test_an_invited_newcomer_arrives_in_the_project(new_visitor, cast) -> None:
    members.invite(actor=cast.alice, project=cast.project, email="erin@example.org", role=Role.CONTRIBUTOR)
    page = new_visitor().goto(mailed_address())
    assert_well_made(page)
    press(page, "Register")
    expect(page.get_by_label("E-mail address")).to_have_value("erin@example.org")
    register(page, "erin")
    page.goto(mailed_address())
    press(page, "Verify my address")
    fill_in(page, "erin")
    press(page, "Accept the invitation")
    expect(page).to_have_url(re.compile("/vision/$"))
    expect(page.get_by_role("main").get_by_role("status")).to_contain_text("Welcome to vision")
    assert cast.project.memberships.get(user__username="erin").role == Role.CONTRIBUTOR


def test_a_token_made_here_opens_the_api_and_is_revoked_here(new_visitor, cast, live_server) -> None:
    page = new_visitor(cast.alice).goto("/account/tokens/")
    page.get_by_label("Name").fill("cluster")
    page.get_by_label("What it may do").select_option("write")
    page.get_by_label("Project").fill("vision")
    press(page, "Make the token")
    text = page.get_by_role("region", name="The token").inner_text().strip()
    asked = {"url": f"{live_server.url}/v1/projects/vision/", "headers": {"Authorization": f"Bearer {text}"}}
    assert requests.get(**asked, timeout=10).status_code == 200
    page.get_by_text("GitHub Actions").click()
    expect(page.get_by_role("region", name="GitHub Actions")).to_contain_text("${{ secrets.LMVP_TOKEN }}")
    expect(page.get_by_role("region", name="Python")).to_be_hidden()  # one opens, the other closes
    press(page, "I have copied it")
    expect(page.get_by_role("main")).not_to_contain_text(text)
    page.get_by_label("Revoke cluster").click()
    press(page, "Revoke this token")
    expect(page.get_by_role("main").get_by_role("status")).to_contain_text("is revoked")
    assert requests.get(**asked, timeout=10).status_code == 401
    assert not AccessToken.objects.usable().exists()


def test_another_browser_that_is_ended_is_signed_out(new_visitor) -> None:
    make_user("alice")
    phone = new_visitor(user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1").page
    laptop = new_visitor().page
    sign_in(phone, "alice")
    sign_in(laptop, "alice")
    laptop.goto("/account/sessions/")
    expect(laptop.get_by_text("this browser", exact=True)).to_have_count(1)
    laptop.get_by_role("button", name=re.compile("^End Safari on iPhone")).click()
    expect(laptop.get_by_role("main").get_by_role("status")).to_contain_text("Safari on iPhone is signed out")
    phone.goto("/account/")
    expect(phone).to_have_url(re.compile("/login/"))
    assert SignIn.objects.standing().count() == 1


@pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_the_pages_of_getting_in_are_well_made(new_visitor, look) -> None:
    visitor = new_visitor(**look)
    for address in ("/login/", "/register/", "/register/resend/", "/password/reset/", "/login/?next=/account/"):
        assert_well_made(visitor.goto(address))
    visitor.goto("/register/")
    visitor.page.get_by_label("E-mail address").fill("erin@example.org")
    visitor.page.get_by_label("Username").fill("erin")
    visitor.page.get_by_label("Password").fill("short")
    visitor.expected = 400
    press(visitor.page, "Register")
    expect(visitor.page.get_by_role("main")).to_contain_text("too short")
    assert_well_made(visitor.page)
    for address in ("/auth/email-verify/?token=x", "/auth/password/reset/confirm/?token=x"):
        assert_well_made(visitor.goto(address))


@pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_the_pages_of_the_account_are_well_made(new_visitor, cast, look) -> None:
    visitor = new_visitor(**look)
    sign_in(visitor.page, "alice")
    sign_in(new_visitor().page, "alice")
    for address in ("/account/", "/account/sessions/", "/account/tokens/", "/account/password/"):
        assert_well_made(visitor.goto(address))
    visitor.goto("/account/tokens/")
    visitor.page.get_by_label("Name").fill("W" * 100)
    press(visitor.page, "Make the token")
    expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Your new access token")
    assert_well_made(visitor.page)
    visitor.goto("/account/tokens/").get_by_label("Revoke W").click()
    assert_well_made(visitor.page)
    visitor.goto("/account/sessions/").get_by_role("group").filter(has_text="Sign out everywhere").locator(
        "summary"
    ).click()
    assert_well_made(visitor.page)
