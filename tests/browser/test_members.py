"""Running a team on pages: invite and accept, roles changed in place, members removed, things deleted and taken back."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from playwright.sync_api import expect

from registry.models import Membership, Role
from registry.services import members, trash
from registry.services.refs import Move, set_ref
from tests.browser.browsing import DARK, PHONE, assert_accessible, assert_well_made
from tests.cast import make_user, publish

pytestmark = pytest.mark.django_db(transaction=True)
LINK = re.compile(r"https?://[^/]+(/invitations/\S+)")
LONG = "a-model-of-a-long-name.that-has-to-wrap_on-phones-2026"


def role_of(cast, username: str) -> str | None:
    row = Membership.objects.filter(project=cast.project, user__username=username).first()
    return row.get_role_display() if row else None


def test_somebody_is_invited_and_accepts(new_visitor, cast) -> None:
    page = new_visitor(cast.carol).goto("/vision/-/members/")
    invite = page.locator("section", has=page.get_by_role("heading", name="Invite by e-mail"))
    invite.get_by_label("E-mail address").fill("erin@example.org")
    invite.get_by_label("Role").select_option("viewer")
    invite.get_by_role("button", name="Invite").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text(
        "An invitation is on its way to erin@example.org."
    )
    expect(page.locator(".invitation")).to_contain_text("invited by carol")

    invited = new_visitor(make_user("erin"))
    found = LINK.search(mail.outbox[-1].body)
    assert found
    page = invited.goto(found[1])
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text("Welcome to vision")).to_be_visible()
    assert role_of(cast, "erin") == "viewer"
    expect(invited.goto("/vision/-/members/").get_by_role("row", name="erin")).to_contain_text("you")


def test_a_role_is_changed_in_place(new_visitor, cast) -> None:
    page = new_visitor(cast.alice).goto("/vision/-/members/")
    page.get_by_label("Role of bob", exact=True).select_option("maintainer")
    page.get_by_role("button", name="Set the role of bob").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("bob is maintainer now.")
    expect(page.get_by_label("Role of bob")).to_have_value("maintainer")
    page.get_by_label("Role of alice").select_option("viewer")
    page.get_by_role("button", name="Set your own role").click()
    expect(page.get_by_role("alert")).to_have_text(
        "A project keeps at least one owner. Make another member owner first."
    )
    assert (role_of(cast, "bob"), role_of(cast, "alice")) == ("maintainer", "owner")


def test_a_role_is_changed_without_javascript(new_visitor, cast) -> None:
    page = new_visitor(cast.alice, java_script_enabled=False).goto("/vision/-/members/")
    row = page.get_by_role("row", name="bob")
    row.get_by_label("Role of bob").select_option("viewer")
    row.get_by_role("button", name="Set").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("bob is viewer now.")


@pytest.mark.parametrize("window", [{}, PHONE], ids=["laptop", "phone"])
def test_a_member_is_removed_after_asking(new_visitor, cast, window) -> None:
    page = new_visitor(cast.carol, **window).goto("/vision/-/members/")
    page.get_by_role("row", name="dave").get_by_text("Remove", exact=False).first.click()
    question = page.get_by_role("row", name="dave").locator("details[open]")
    expect(question).to_contain_text("dave loses the role viewer here at once")
    assert_accessible(page)
    question.locator("form").get_by_role("button", name="Remove dave").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("dave is no member of vision any more.")
    assert role_of(cast, "dave") is None


def test_a_model_is_deleted_and_taken_back(new_visitor, cast) -> None:
    publish(cast.alice, cast.model(), {"weights.bin": b"1"}, message="first")
    visitor = new_visitor(cast.carol)
    page = visitor.goto("/vision/classifier/settings/")
    page.get_by_text("Delete classifier…").click()
    visitor.expected = 400  # to a wrong name
    page.get_by_label("Type classifier to confirm").fill("clasifier")
    page.get_by_role("button", name="Put classifier into the trash").click()
    expect(page.get_by_text("This is not its name.")).to_be_visible()
    page.get_by_label("Type classifier to confirm").fill("classifier")
    page.get_by_role("button", name="Put classifier into the trash").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Deleted models")
    page.get_by_role("button", name="Take back classifier").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("vision/classifier is back, as it was.")
    expect(page).to_have_url(re.compile(r"/vision/classifier/$"))


def test_a_project_is_deleted_and_taken_back(new_visitor, cast) -> None:
    page = new_visitor(cast.alice, **PHONE).goto("/vision/-/settings/")
    page.get_by_text("Delete vision…").click()
    page.get_by_label("Type vision to confirm").fill("vision")
    page.get_by_role("button", name="Put vision into the trash").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your deleted projects")
    page.get_by_role("button", name="Take back vision").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("vision is back, as it was.")
    expect(page).to_have_url(re.compile(r"/vision/$"))


def test_a_viewer_meets_a_page_that_says_who_can_help(new_visitor, cast) -> None:
    visitor = new_visitor(cast.dave)
    page = visitor.goto("/vision/-/settings/", status=403)
    expect(page.get_by_role("heading", level=1)).to_have_text("You may not do that")
    expect(page.get_by_role("listitem")).to_have_text([re.compile("alice.*owner"), re.compile("carol.*maintainer")])
    assert_well_made(page)
    page = visitor.goto("/vision/nothing/", status=404)
    expect(page.get_by_role("main").get_by_role("searchbox")).to_be_visible()
    assert_well_made(page)


def test_the_log_is_filtered_by_what_was_done(new_visitor, cast) -> None:
    publish(cast.bob, cast.model(), {"weights.bin": b"1"}, message="first")
    page = new_visitor(cast.alice).goto("/vision/-/activity/")
    page.get_by_label("Who").fill("bob")
    page.get_by_label("Did what").select_option("version.published")
    page.get_by_role("button", name="Filter").click()
    lines = page.locator(".events > li")
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("bob published classifier v1 on main")
    lines.locator("summary").click()
    expect(lines).to_contain_text("version.published")
    assert_accessible(page)
    lines.get_by_role("link", name="classifier v1").click()
    expect(page).to_have_url(re.compile("/vision/classifier/versions/1/$"))


def test_a_rule_is_looked_at_and_set(new_visitor, cast) -> None:
    model = cast.model()
    for number in range(3):
        publish(cast.bob, model, {"a": str(number).encode()}, message=f"number {number}")
    page = new_visitor(cast.carol).goto("/vision/classifier/settings/")
    page.get_by_label("Keep the newest").fill("1")
    page.get_by_role("button", name="See what this would delete").click()
    expect(page.get_by_role("main")).to_contain_text("2 versions")
    assert_well_made(page)
    page.get_by_role("button", name="Set this rule").click()
    expect(page.get_by_role("main").get_by_role("status")).to_contain_text("The rule is set.")
    expect(page.get_by_label("Keep the newest")).to_have_value("1")


@pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_the_pages_are_accessible_and_fit(new_visitor, cast, look) -> None:
    long = make_user("a-very-long-username-of-thirty-nine-cha")
    members.set_membership(actor=cast.alice, project=cast.project, user=long, role=Role.CONTRIBUTOR)
    email = "somebody.with.a.rather.long.address@department.of.a.long.university.example.org"
    members.invite(actor=cast.alice, project=cast.project, email=email, role=Role.OWNER)
    model = cast.model(LONG)
    for number in (b"1", b"2"):
        publish(cast.bob, model, {"weights.bin": number}, message="long " * 40)
    set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "1", comment="comment" * 30))
    trash.delete(actor=cast.carol, row=cast.model("gone"))
    visitor = new_visitor(cast.alice, **look)
    for address in (
        "/vision/-/members/",
        "/vision/-/activity/",
        "/vision/-/activity/?actor=nobody",
        "/vision/-/settings/",
        "/vision/-/trash/",
        f"/vision/{LONG}/settings/",
        f"/vision/{LONG}/trash/",
        "/trash/",
    ):
        assert_well_made(visitor.goto(address))


def test_the_pages_are_read_without_javascript(new_visitor, cast) -> None:
    publish(cast.bob, cast.model(), {"weights.bin": b"1"}, message="first")
    visitor = new_visitor(cast.alice, java_script_enabled=False)
    for address, words in {
        "/vision/-/members/": "What the roles may do",
        "/vision/-/activity/": "published classifier v1",
        "/vision/-/settings/": "Delete the project",
        "/vision/classifier/settings/": "How long versions are kept",
        "/trash/": "Nothing in the trash",
    }.items():
        expect(visitor.goto(address).get_by_role("main")).to_contain_text(words)
