"""The members page: who is there, roles given, changed and taken, invitations; what the services refuse is said kindly."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from registry.models import Invitation, Membership, Role
from registry.permissions import NEEDS, Action
from registry.services import members
from registry.services.members import set_membership
from tests.cast import Cast, make_user
from tests.reading import browser_of, text_of

pytestmark = pytest.mark.django_db
MEMBERS = "/vision/-/members/"


def roles(cast: Cast) -> dict[str, str]:
    return {row.user.username: row.get_role_display() for row in cast.project.memberships.select_related("user")}


def queries_of(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def messages_of(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_viewers_see_who_is_there_and_no_buttons(cast: Cast) -> None:
    answer = browser_of(cast.dave).get(MEMBERS)
    page = answer.content.decode()
    main = page.partition("<main")[2]
    for name in ("alice", "carol", "bob", "dave"):
        assert name in text_of(answer)
    assert "<select" not in main
    assert "Invite" not in main
    assert re.findall(r'<form[^>]*action="([^"]+)"', main) == ["/vision/-/members/dave/remove/"]
    assert 'href="/v1/projects/vision/members/"' in page


def test_maintainers_change_no_owner_and_make_none(cast: Cast) -> None:
    main = browser_of(cast.carol).get(MEMBERS).content.decode().partition("<main")[2]
    assert 'id="role-bob"' in main
    assert 'id="role-alice"' not in main
    assert '<option value="owner"' not in main
    answer = browser_of(cast.carol).post(f"{MEMBERS}bob/role/", {"role": "owner"})
    assert answer.status_code == 403
    assert "below owner" in text_of(answer)
    assert roles(cast)["bob"] == "contributor"


def test_a_role_is_changed_in_place(cast: Cast) -> None:
    answer = browser_of(cast.alice).post(f"{MEMBERS}bob/role/", {"role": "maintainer"}, follow=True)
    assert answer.redirect_chain == [(MEMBERS, 302)]
    assert messages_of(answer) == ["bob is maintainer now."]
    assert roles(cast)["bob"] == "maintainer"


@pytest.mark.parametrize("said", [{}, {"role": "king"}, {"role": "40"}, {"role": "x" * 10_000}, {"role": "a\0"}])
def test_what_is_no_role_is_refused(cast: Cast, said: dict[str, str]) -> None:
    answer = browser_of(cast.alice).post(f"{MEMBERS}bob/role/", said, follow=True)
    assert messages_of(answer) == ["There is no such role. Choose one of those that are offered."]
    assert roles(cast)["bob"] == "contributor"


@pytest.mark.parametrize("address", [f"{MEMBERS}alice/role/", f"{MEMBERS}alice/remove/"])
def test_the_last_owner_stays_and_is_told_why(cast: Cast, address: str) -> None:
    answer = browser_of(cast.alice).post(address, {"role": "viewer"}, follow=True)
    assert messages_of(answer) == ["A project keeps at least one owner. Make another member owner first."]
    assert roles(cast)["alice"] == "owner"


def test_a_member_is_removed(cast: Cast) -> None:
    answer = browser_of(cast.carol).post(f"{MEMBERS}bob/remove/", follow=True)
    assert messages_of(answer) == ["bob is no member of vision any more."]
    again = browser_of(cast.carol).post(f"{MEMBERS}bob/remove/", follow=True)
    assert messages_of(again) == ["This project has no such member, or no more."]
    assert "bob" not in roles(cast)


def test_everybody_may_leave(cast: Cast) -> None:
    answer = browser_of(cast.dave).post(f"{MEMBERS}dave/remove/", follow=True)
    assert answer.redirect_chain == [("/", 302)]
    assert "dave" not in roles(cast)
    assert browser_of(cast.dave).get(MEMBERS).status_code == 404


def test_viewers_remove_nobody_else(cast: Cast) -> None:
    assert browser_of(cast.dave).post(f"{MEMBERS}bob/remove/").status_code == 403
    assert "bob" in roles(cast)


def test_somebody_with_an_account_is_added(cast: Cast) -> None:
    answer = browser_of(cast.carol).post(
        f"{MEMBERS}add/", {"add-username": " charlie ", "add-role": "viewer"}, follow=True
    )
    assert messages_of(answer) == ["charlie is viewer now."]
    assert roles(cast)["charlie"] == "viewer"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody", "There is no user “nobody”. Invite people who are not here yet by e-mail address."),
        ("<script>alert(1)</script>", "There is no user “<script>alert(1)</script>”."),
        ("", "This field is required."),
        ("x" * 10_000, "at most 39 characters"),
        ("a\0b", "Null characters are not allowed"),
    ],
)
def test_an_unknown_username_is_said_beside_its_field(cast: Cast, name: str, words: str) -> None:
    answer = browser_of(cast.alice).post(f"{MEMBERS}add/", {"add-username": name, "add-role": "viewer"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert words in html.unescape(page)
    assert 'aria-invalid="true"' in page
    assert "<script>alert" not in page


def test_where_no_mail_server_is_set_up_the_page_says_where_the_link_is(cast: Cast, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    answer = browser_of(cast.carol).post(
        f"{MEMBERS}invite/", {"invite-email": "erin@example.org", "invite-role": "viewer"}, follow=True
    )
    [said] = messages_of(answer)
    assert said.endswith(" No mail server is set up yet: it is printed in the server's console, with its link.")


def test_an_invitation_is_mailed_sent_again_and_withdrawn(cast: Cast, django_capture_on_commit_callbacks) -> None:
    client = browser_of(cast.carol)
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(
            f"{MEMBERS}invite/", {"invite-email": "erin@example.org", "invite-role": "viewer"}, follow=True
        )
    assert messages_of(answer) == ["An invitation is on its way to erin@example.org."]
    assert "invited by carol" in text_of(answer)
    first = Invitation.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"{MEMBERS}invitations/{first.pk}/resend/")
    second = Invitation.objects.get()
    assert (second.email, second.role, second.digest != first.digest) == ("erin@example.org", Role.VIEWER, True)
    assert len(mail.outbox) == 2
    answer = client.post(f"{MEMBERS}invitations/{second.pk}/withdraw/", follow=True)
    assert "No invitation is open" in text_of(answer)
    for verb in ("withdraw", "resend"):
        answer = client.post(f"{MEMBERS}invitations/{second.pk}/{verb}/", follow=True)
        assert messages_of(answer)[0].startswith("This invitation is not open any more")
    assert not Invitation.objects.exists()


@pytest.mark.parametrize("email", ["", "no address", "<script>@example.org", "x" * 300 + "@example.org"])
def test_what_is_no_address_is_said_beside_its_field(cast: Cast, email: str) -> None:
    answer = browser_of(cast.alice).post(f"{MEMBERS}invite/", {"invite-email": email, "invite-role": "viewer"})
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not Invitation.objects.exists()


def test_too_many_mails_to_one_address_are_said_in_the_form(cast: Cast, settings) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "mail:account": "1/3600s"}
    said = {"invite-email": "erin@example.org", "invite-role": "viewer"}
    browser_of(cast.alice).post(f"{MEMBERS}invite/", said)
    assert "Too many attempts. Try again in" in text_of(browser_of(cast.alice).post(f"{MEMBERS}invite/", said))


def test_invitations_are_for_whom_may_see_them(cast: Cast) -> None:
    members.invite(actor=cast.alice, project=cast.project, email="erin@example.org", role=Role.VIEWER)
    assert "erin@example.org" not in text_of(browser_of(cast.bob).get(MEMBERS))
    assert browser_of(cast.bob).post(f"{MEMBERS}invite/", {"invite-email": "a@b.org"}).status_code == 403


def test_nothing_of_another_project_is_withdrawn(cast: Cast) -> None:
    charlie = browser_of(cast.charlie)
    assert charlie.get("/charlie/-/members/").status_code == 200
    invitation = members.invite(actor=cast.alice, project=cast.project, email="erin@example.org", role=Role.VIEWER)
    for verb in ("withdraw", "resend"):
        charlie.post(f"/charlie/-/members/invitations/{invitation.pk}/{verb}/")
    assert list(Invitation.objects.values_list("pk", "project__name")) == [(invitation.pk, "vision")]


def test_what_roles_may_do_is_read_from_the_table_that_decides(cast: Cast) -> None:
    rows = browser_of(cast.dave).get(MEMBERS).context["rights"]
    assert [role for role, _ in rows] == list(Role)
    assert {role: len(words) for role, words in rows} == {
        role: sum(needed is role for needed in NEEDS.values()) for role in Role
    }
    said = dict(rows)
    assert Action.PUBLISH.value in said[Role.CONTRIBUTOR]
    assert Action.TRASH_PROJECT.value in said[Role.OWNER]


def test_many_members_take_no_more_queries(cast: Cast) -> None:
    client = browser_of(cast.alice)
    few = queries_of(client, MEMBERS)
    users = [make_user(f"member-{number}") for number in range(120)]
    Membership.objects.bulk_create(Membership(project=cast.project, user=user) for user in users)
    assert queries_of(client, MEMBERS) == few
    assert 'href="?page=2"' in client.get(MEMBERS).content.decode()
    assert "member-99" in text_of(client.get(f"{MEMBERS}?page=2"))


def test_a_personal_project_has_its_owner_alone(cast: Cast) -> None:
    assert browser_of(cast.bob).get("/bob/-/members/").status_code == 200
    answer = browser_of(cast.bob).post("/bob/-/members/bob/remove/", follow=True)
    assert "keeps at least one owner" in text_of(answer)


def test_members_do_not_show_to_somebody_signed_out(cast: Cast) -> None:
    assert Client().get(MEMBERS)["Location"] == "/login/?next=/vision/-/members/"
    assert Client().post(f"{MEMBERS}bob/role/", {"role": "owner"}).status_code == 302
    assert roles(cast)["bob"] == "contributor"


def test_a_member_who_became_owner_takes_over(cast: Cast) -> None:
    set_membership(actor=cast.alice, project=cast.project, user=cast.carol, role=Role.OWNER)
    browser_of(cast.carol).post(f"{MEMBERS}alice/role/", {"role": "viewer"})
    assert roles(cast)["alice"] == "viewer"
