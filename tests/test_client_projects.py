"""The client's projects, members, invitations, events, tokens and users, against the real server."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from django.core import mail

from lmvp.client import errors
from lmvp.client.api import Client
from lmvp.client.results.people import Membership, Project, User
from tests.cast import PASSWORD
from tests.client_team import Team, make_team


@pytest.fixture
def team(live_server, cast, tmp_path, monkeypatch) -> Team:
    return make_team(live_server.url, cast, tmp_path, monkeypatch)


def signed_in(team: Team, name: str) -> Client:
    client = Client(team.server)
    client.login(f"{name}@example.org", PASSWORD)
    return client


def test_a_project_is_made_changed_renamed_deleted_and_taken_back(team):
    made = team.alice.create_project("sound", description="Words")
    assert made == Project(
        "sound", "Words", "private", False, "owner", made.created_at, f"{team.server}/v1/projects/sound/"
    )
    assert team.alice.project("sound") == made
    changed = team.alice.update_project("sound", visibility="internal")
    assert changed == replace(made, visibility="internal")
    assert team.charlie.project("sound") == replace(changed, role=None)
    renamed = team.alice.rename_project("sound", "audio")
    assert team.alice.project("sound").name == renamed.name == "audio"
    entry = team.alice.delete_project("audio")
    assert (entry.kind, entry.name, entry.trashed_by, entry.number) == ("project", "audio", "alice", None)
    assert team.alice.trash() == [entry]
    assert team.alice.undelete_project("audio") == renamed
    assert [one.name for one in team.alice.projects()] == ["alice", "audio", "vision"]


def test_a_project_with_a_typing_error_is_guessed(team):
    with pytest.raises(errors.NotFound, match=r"no project “visoin” that you may see\. Did you mean vision\?"):
        team.alice.project("visoin")
    with pytest.raises(errors.NotFound, match=r"no project “vision” that you may see"):
        team.charlie.members("vision")
    with pytest.raises(errors.AlreadyExists):
        team.charlie.create_project("vision")


def test_members_come_and_go(team):
    assert [str(one) for one in team.dave.members("vision")] == [
        "alice (owner)",
        "carol (maintainer)",
        "bob (contributor)",
        "dave (viewer)",
    ]
    assert str(team.alice.set_member("vision", "charlie", role="viewer")) == "charlie (viewer)"
    assert team.alice.set_member("vision", "charlie", role="maintainer").role == "maintainer"
    team.charlie.remove_member("vision", "charlie")
    assert "charlie" not in [one.username for one in team.alice.members("vision")]
    with pytest.raises(errors.PermissionDenied):
        team.bob.set_member("vision", "charlie")
    with pytest.raises(errors.InUse, match="at least one owner"):
        team.alice.remove_member("vision", "alice")


def test_a_member_with_a_typing_error_is_guessed(team):
    with pytest.raises(errors.NotFound, match=r"vision has no member “crol”\. Did you mean carol\?"):
        team.alice.remove_member("vision", "crol")
    with pytest.raises(errors.ValidationFailed, match=r"Did you mean carol\?"):
        team.alice.set_member("vision", "crol")
    with pytest.raises(errors.NotFound, match="no project “visoin”"):
        team.alice.remove_member("visoin", "carol")


def test_an_invitation_is_mailed_accepted_or_withdrawn(team):
    invited = team.alice.invite("vision", "charlie@example.org", role="viewer")
    assert (invited.email, invited.role, invited.invited_by) == ("charlie@example.org", "viewer", "alice")
    assert team.carol.invitations("vision") == [invited]
    token = re.search(r"token=([^\s&]+)", mail.outbox[-1].body)[1]
    assert signed_in(team, "charlie").accept_invitation(token) == Membership("vision", "viewer")
    assert team.alice.invitations("vision") == []
    second = team.alice.invite("vision", "erin@example.org")
    team.alice.withdraw_invitation("vision", second)
    assert team.alice.invitations("vision") == []
    with pytest.raises(errors.ValidationFailed):
        signed_in(team, "charlie").accept_invitation("worthless")


def test_the_audit_log_tells_who_did_what(team):
    team.alice.set_member("vision", "charlie", role="viewer")
    [event] = team.carol.events("vision", subject="vision/charlie", limit=1) or team.carol.events("vision", limit=1)
    assert (event.actor, event.after) == ("alice", {"role": "viewer"})
    assert event.action.startswith("member")
    assert team.carol.events("vision", actor="bob") == []
    assert team.carol.events("vision", since=event.at, until=event.at) == []
    with pytest.raises(errors.PermissionDenied):
        team.bob.events("vision")
    with pytest.raises(errors.ValidationFailed):
        team.carol.events("vision", limit=0)


def test_access_tokens_are_made_listed_and_revoked(team):
    alice = signed_in(team, "alice")
    made = alice.create_token("cluster", scope="write", project="vision", expires_in_days=90)
    assert made.token
    assert made.token not in f"{made!r} {made}"
    machine = Client(team.server, token=made.token)
    me = machine.whoami()
    assert (me.username, me.token.name, me.token.project, me.token.token) == ("alice", "cluster", "vision", None)
    with pytest.raises(errors.SignInNeeded):
        machine.create_token("another")
    assert sorted(one.name for one in alice.tokens()) == ["cluster", "desk"]
    with pytest.raises(errors.NotFound, match=r"no access token “clustr”\. Did you mean cluster\?"):
        alice.revoke_token("clustr")
    alice.revoke_token("cluster")
    with pytest.raises(errors.AuthenticationError):
        machine.whoami()


def test_staff_make_users_and_switch_them_off(team, cast):
    cast.alice.is_staff = True
    cast.alice.save()
    alice = signed_in(team, "alice")
    made = alice.create_user("erin", email="erin@example.org", password=PASSWORD)
    assert made == User("erin", "erin@example.org", False, False, made.joined_at, True, True, None)
    assert alice.update_user("erin", active=False) == replace(made, is_active=False)
    assert "erin" in [one.username for one in alice.users()]
    with pytest.raises(errors.NotFound, match=r"no user “ern”\. Did you mean erin\?"):
        alice.update_user("ern", active=False)
    with pytest.raises(errors.PermissionDenied):
        signed_in(team, "bob").users()
