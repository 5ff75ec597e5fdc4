"""Who belongs to a project: roles given and taken, invitations mailed and accepted, personal projects."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from registry.models import Invitation, Membership, Project, Role
from tests.cast import Cast, client_of, make_user
from tests.matchers import JUST_NOW, LATER, NUMBER, nothing_left_behind, refused

MEMBERS = "/v1/projects/vision/members/"
INVITATIONS = "/v1/projects/vision/invitations/"
ACCEPT = "/v1/invitations/accept/"


def roles(cast: Cast) -> dict[str, str]:
    return {row.user.username: Role(row.role).label for row in cast.project.memberships.select_related("user")}


# --- Roles


def test_maintainer_adds_a_member(cast: Cast) -> None:
    response = client_of(cast.carol).post(MEMBERS, {"username": "charlie", "role": "contributor"})
    assert response.status_code == 201
    assert response.json() == {"username": "charlie", "role": "contributor", "since": JUST_NOW}
    assert roles(cast)["charlie"] == "contributor"


@pytest.mark.parametrize("role", ["viewer", "contributor", "maintainer"])
def test_maintainer_gives_every_role_up_to_their_own(cast: Cast, role: str) -> None:
    response = client_of(cast.carol).patch(f"{MEMBERS}dave/", {"role": role})
    assert (response.status_code, response.json()["role"]) == (200, role)


def test_nobody_gives_a_role_above_their_own(cast: Cast) -> None:
    client = client_of(cast.carol)
    with nothing_left_behind():
        refused(client.patch(f"{MEMBERS}dave/", {"role": "owner"}), 403, "role_too_low")
        refused(client.patch(f"{MEMBERS}carol/", {"role": "owner"}), 403, "role_too_low")
        refused(client.post(MEMBERS, {"username": "charlie", "role": "owner"}), 403, "role_too_low")
        refused(client.post(INVITATIONS, {"email": "x@example.org", "role": "owner"}), 403, "role_too_low")
    assert roles(cast) == {"alice": "owner", "carol": "maintainer", "bob": "contributor", "dave": "viewer"}


def test_nobody_takes_a_role_above_their_own(cast: Cast) -> None:
    client = client_of(cast.carol)
    with nothing_left_behind():
        refused(client.patch(f"{MEMBERS}alice/", {"role": "viewer"}), 403, "role_too_low")
        refused(client.post(MEMBERS, {"username": "alice", "role": "viewer"}), 403, "role_too_low")
        refused(client.delete(f"{MEMBERS}alice/"), 403, "role_too_low")


def test_last_owner_stays(cast: Cast) -> None:
    client = client_of(cast.alice)
    with nothing_left_behind():
        refused(client.patch(f"{MEMBERS}alice/", {"role": "maintainer"}), 409, "last_owner")
        refused(client.delete(f"{MEMBERS}alice/"), 409, "last_owner")
    assert roles(cast)["alice"] == "owner"


def test_owner_may_leave_to_another_owner(cast: Cast) -> None:
    client = client_of(cast.alice)
    assert client.patch(f"{MEMBERS}bob/", {"role": "owner"}).status_code == 200
    assert client.delete(f"{MEMBERS}alice/").status_code == 204
    assert client.get(MEMBERS).status_code == 404
    assert roles(cast)["bob"] == "owner"


def test_everybody_may_leave(cast: Cast) -> None:
    assert client_of(cast.dave).delete(f"{MEMBERS}dave/").status_code == 204
    assert client_of(cast.dave).get("/v1/projects/vision/").status_code == 404


def test_somebody_who_is_no_member_cannot_be_removed(cast: Cast) -> None:
    for name in ("charlie", "nobody"):
        with nothing_left_behind():
            refused(client_of(cast.alice).delete(f"{MEMBERS}{name}/"), 404, "not_found")
            refused(client_of(cast.alice).patch(f"{MEMBERS}{name}/", {"role": "viewer"}), 404, "not_found")


# --- Invitations


@pytest.fixture
def invited(cast: Cast, django_capture_on_commit_callbacks: Any) -> str:
    """The token that was mailed to an address of nobody yet."""
    with django_capture_on_commit_callbacks(execute=True):
        response = client_of(cast.carol).post(INVITATIONS, {"email": "erin@example.org", "role": "contributor"})
    assert response.json() == {
        "id": NUMBER,
        "email": "erin@example.org",
        "role": "contributor",
        "invited_by": "carol",
        "created_at": JUST_NOW,
        "expires_at": LATER,
    }
    return mailed_token()


def mailed_token() -> str:
    found = re.search(r"token=([\w-]+)", mail.outbox[-1].body)
    assert found
    return found[1]


def test_invitation_is_mailed_and_its_token_stands_nowhere_else(cast: Cast, invited: str) -> None:
    (message,) = mail.outbox
    assert message.to == ["erin@example.org"]
    assert "vision" in message.body
    assert "carol" in message.body
    listed = client_of(cast.carol).get(INVITATIONS)
    assert listed.json()["count"] == 1
    assert invited not in listed.content.decode()
    assert not Invitation.objects.filter(digest=invited).exists()


def test_invitation_is_accepted_with_the_mailed_token(cast: Cast, invited: str) -> None:
    erin = make_user("erin")
    response = client_of(erin).post(ACCEPT, {"token": invited})
    assert (response.status_code, response.json()) == (200, {"project": "vision", "role": "contributor"})
    assert roles(cast)["erin"] == "contributor"
    assert client_of(cast.carol).get(INVITATIONS).json()["count"] == 0


def test_same_user_may_accept_twice_and_nobody_else(cast: Cast, invited: str) -> None:
    client = client_of(make_user("erin"))
    assert client.post(ACCEPT, {"token": invited}).status_code == 200
    with nothing_left_behind():
        assert client.post(ACCEPT, {"token": invited}).status_code == 200
        refused(client_of(cast.charlie).post(ACCEPT, {"token": invited}), 400, "invitation_not_valid")


@pytest.mark.parametrize("why", ["wrong", "expired", "withdrawn", "replaced", "project in the trash"])
def test_invitation_that_is_no_good(
    cast: Cast, invited: str, why: str, django_capture_on_commit_callbacks: Any
) -> None:
    token, client = invited, client_of(cast.carol)
    if why == "wrong":
        token = "a" * 43
    elif why == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif why == "withdrawn":
        assert client.delete(f"{INVITATIONS}{Invitation.objects.get().pk}/").status_code == 204
    elif why == "replaced":
        with django_capture_on_commit_callbacks(execute=True):
            client.post(INVITATIONS, {"email": "ERIN@example.org", "role": "viewer"})
        assert mailed_token() != invited
    else:
        Project.objects.filter(pk=cast.project.pk).update(trashed_at=timezone.now())
    with nothing_left_behind():
        refused(client_of(cast.charlie).post(ACCEPT, {"token": token}), 400, "invitation_not_valid")


def test_invitation_does_not_lower_a_role(cast: Cast, invited: str) -> None:
    response = client_of(cast.carol).post(ACCEPT, {"token": invited})
    assert (response.status_code, response.json()["role"]) == (200, "maintainer")
    assert roles(cast)["carol"] == "maintainer"


def test_invitation_that_is_not_there_cannot_be_withdrawn(cast: Cast, invited: str) -> None:
    with nothing_left_behind():
        refused(client_of(cast.carol).delete(f"{INVITATIONS}999999/"), 404, "not_found")


def test_one_address_is_not_flooded_with_mail(cast: Cast) -> None:
    client = client_of(cast.carol)
    body = {"email": "erin@example.org", "role": "viewer"}
    statuses = [client.post(INVITATIONS, body).status_code for _ in range(6)]
    assert statuses == [201] * 5 + [429]
    last = client.post(INVITATIONS, body)
    refused(last, 429, "throttled")
    assert int(last["Retry-After"]) > 0


# --- Personal projects


def test_personal_project_is_there_when_it_is_first_needed(cast: Cast) -> None:
    assert not Project.objects.filter(name="charlie").exists()
    client = client_of(cast.charlie)
    assert client.post("/v1/projects/charlie/models/", {"name": "mine"}).status_code == 201
    project = client.get("/v1/projects/charlie/").json()
    assert (project["personal"], project["role"], project["visibility"]) == (True, "owner", "private")
    assert Membership.objects.get(project__name="charlie").user == cast.charlie


def test_personal_project_of_another_is_not_made_by_looking(cast: Cast) -> None:
    refused(client_of(cast.alice).get("/v1/projects/charlie/"), 404, "not_found")
    assert not Project.objects.filter(name="charlie").exists()


def test_personal_project_keeps_its_name(cast: Cast) -> None:
    client = client_of(cast.charlie)
    client.get("/v1/projects/charlie/")
    with nothing_left_behind():
        refused(client.patch("/v1/projects/charlie/", {"name": "other"}), 409, "personal_project")
