"""The registry's pages, as a newcomer meets them: the invitation, the home page's snippet, refusals."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

import lmvp
from registry.models import Invitation, Role
from registry.services import members
from tests.cast import PASSWORD, Cast, make_user
from tests.reading import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def invited(cast: Cast, django_capture_on_commit_callbacks):
    """Return the address of the mailed invitation of erin into alice's project."""
    with django_capture_on_commit_callbacks(execute=True):
        members.invite(actor=cast.alice, project=cast.project, email="Erin@example.org", role=Role.CONTRIBUTOR)
    return mailed_link(mail.outbox[-1].body)


def mailed_link(body: str) -> str:
    return re.search(r"http://localhost:8000(\S+)", body.split("pen this")[1])[1]


def test_the_invitation_says_what_it_is_for(client, invited):
    client.force_login(make_user("erin"))
    page = text_of(client.get(invited))
    assert "alice invites Erin@example.org to the project vision, as contributor." in page
    assert "another address" not in page


def test_the_invitation_says_that_it_was_for_another_address(client, cast, invited):
    client.force_login(cast.charlie)
    assert "signed in as charlie with another address, charlie@example.org" in text_of(client.get(invited))


@pytest.mark.parametrize("end", ["used", "withdrawn", "expired", "missing", "host gone", "project in the trash"])
def test_a_dead_invitation_is_refused_before_the_button(client, cast, invited, end):
    match end:
        case "used":
            members.accept_invitation(actor=cast.charlie, token=invited.partition("=")[2])
        case "withdrawn":
            members.withdraw_invitation(
                actor=cast.alice, project=cast.project, invitation_id=Invitation.objects.get().pk
            )
        case "expired":
            Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        case "missing":
            invited = "/invitations/accept/"
        case "host gone":
            cast.alice.is_active = False
            cast.alice.save()
        case "project in the trash":
            cast.project.trashed_at = timezone.now()
            cast.project.save()
    client.force_login(make_user("erin"))
    page = client.get(invited)
    assert page.status_code == 400
    assert "has expired, was used or withdrawn" in text_of(page)
    assert "Accept the invitation" not in text_of(page)


def test_an_invited_stranger_registers_and_still_arrives(client, cast, invited, django_capture_on_commit_callbacks):
    def follow(page: str, address: str) -> str:
        found = re.findall(rf'href="({address}\?next=[^"]+)"', page)
        assert found, f"no link to {address} that carries the invitation"
        return html.unescape(found[-1])

    def submit(address: str, **data: str):
        page = client.get(address).content.decode()
        hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)
        with django_capture_on_commit_callbacks(execute=True):
            return client.post(address.partition("?")[0], {name: html.unescape(said) for name, said in hidden} | data)

    page = client.get(invited).content.decode()
    assert "alice" in page
    assert "Accept the invitation" not in page
    register = follow(page, "/register/")
    assert 'value="Erin@example.org"' in client.get(register).content.decode()
    assert follow(client.get(follow(page, "/login/")).content.decode(), "/register/")
    sent = submit(register, email="erin@example.org", username="erin", password=PASSWORD)
    submit(follow(sent.content.decode(), "/register/resend/"), email="erin@example.org")
    assert mailed_link(mail.outbox[-1].body).endswith(mailed_link(mail.outbox[-2].body).partition("&")[2])
    login = submit(mailed_link(mail.outbox[-1].body)).headers["Location"]
    landing = submit(login, username="erin@example.org", password=PASSWORD).headers["Location"]
    assert landing == invited
    assert submit(landing).headers["Location"] == "/vision/"
    assert members.role_in(cast.project.memberships.get(user__username="erin").user, cast.project) == Role.CONTRIBUTOR


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_the_way_through_registration_leads_nowhere_else(client, target, django_capture_on_commit_callbacks):
    data = {"email": "erin@example.org", "username": "erin", "password": PASSWORD, "next": target}
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/register/", data)
    assert "next=" not in mail.outbox[-1].body
    link = mailed_link(mail.outbox[-1].body)
    token = link.partition("=")[2]
    assert client.post("/auth/email-verify/", {"token": token, "next": target}).headers["Location"] == "/login/"


@pytest.mark.django_db(transaction=True)
def test_the_snippet_of_the_home_page_works_on_an_empty_server(live_server, client, tmp_path, monkeypatch):
    for name in ("LMVP_SERVER", "LMVP_TOKEN", "LMVP_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LMVP_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.bin").write_bytes(b"weights")
    make_user("alice")
    code = html.unescape(re.search(r"<code>(import lmvp.*?)</code>", client.get("/").content.decode(), re.S)[1])
    code = code.replace("http://testserver", live_server.url).replace("you@", "alice@").replace("…", PASSWORD)
    exec(code, {})
    assert (lmvp.download("alice/digits", revision="production").path / "w.bin").read_bytes() == b"weights"


def test_a_form_without_its_csrf_token_is_told_what_to_do():
    page = Client(enforce_csrf_checks=True).post("/login/", {"username": "alice"})
    assert page.status_code == 403
    assert "load the page again" in text_of(page)
    assert "cookies" in text_of(page)


def test_the_click_through_api_bears_our_name(client):
    page = client.get("/v1/projects/", headers={"accept": "text/html"}).content.decode()
    assert re.search(r"<title>[^<]*LMVP</title>", page)
    assert "Django REST framework" not in page


def test_scripts_of_every_page_cannot_clash_with_a_page_s_own(client: Client):
    """Plain scripts share their names: the second to declare one of them would not run at all."""
    tags = re.findall(r"<script [^>]*registry/[^>]*>", client.get("/").content.decode())

    assert tags
    assert all('type="module"' in tag for tag in tags)
