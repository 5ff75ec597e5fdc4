"""What one does with an account, by the lines that it leaves in the audit log: who, to whom, before and after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import AccessToken, SignIn, User
from accounts.services import registration
from registry.models import Event
from tests.cast import PASSWORD, client_of, make_user
from tests.matchers import JUST_NOW, TEXT, Like
from tests.test_accounts_registration import ALICE, mailed_token, post  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

Post = Callable[[str, Any], Any]
HERS = Like(r"alice: cluster \(lmvp_.{4}…\)")
BEGAN = ("alice", "sign_in.began", "alice", None, {"user_agent": ""})
ENDED = {"began": JUST_NOW, "address": "127.0.0.1"}


def told(count: int = 1) -> list[tuple[Any, ...]]:
    """The newest lines, newest first: (actor, action, subject, before, after)."""
    found = Event.objects.select_related("actor")[:count]
    return [(line.actor and line.actor.username, line.action, line.subject, line.before, line.after) for line in found]


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def boss() -> User:
    user = make_user("boss")
    user.is_staff = user.is_superuser = True
    user.save()
    return user


@pytest.fixture
def tokens(alice: User) -> dict[str, str]:
    answer: dict[str, str] = APIClient().post("/auth/login/", ALICE).json()["tokens"]
    return answer


@pytest.fixture
def admin(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


def test_line_of_an_account_says_who_from_where_in_which_request(tokens: dict[str, str]) -> None:
    line = Event.objects.get()
    assert (line.actor and line.actor.username, line.project, line.project_name) == ("alice", None, "")
    assert (line.token, line.address, line.request_id, line.once) == ("", "127.0.0.1", TEXT, None)
    assert told() == [BEGAN]


def test_registration(post: Post) -> None:  # noqa: F811
    post("/auth/register/", {**ALICE, "username": "alicia"})
    assert told() == [(None, "user.registered", "alicia", None, None)]
    post("/auth/register/", ALICE)
    assert told() == [(None, "user.registered", "alice", {"username": "alicia"}, None)]
    post("/auth/email-verify/", {"token": mailed_token()})
    assert told() == [("alice", "user.verified", "alice", None, None)]


def test_registering_an_address_that_is_taken_changes_nothing_and_tells_nothing(alice: User, post: Post) -> None:  # noqa: F811
    assert post("/auth/register/", {**ALICE, "username": "another"}).status_code == 201
    assert not Event.objects.exists()


def test_user_who_never_verified_can_go_although_the_log_stays(post: Post) -> None:  # noqa: F811
    post("/auth/register/", ALICE)
    User.objects.update(date_joined="2020-01-01T00:00:00Z")
    assert registration.release_unverified() == 1
    assert not User.objects.exists()
    assert told(2) == [
        (None, "user.released", "alice", None, None),
        (None, "user.registered", "alice", None, None),
    ]


def test_passwords(alice: User, post: Post) -> None:  # noqa: F811
    change = {"old_password": PASSWORD, "new_password": "another horse battery"}
    assert client_of(alice).post("/auth/password/change/", change).status_code == 200
    assert told() == [("alice", "password.changed", "alice", None, None)]
    post("/auth/password/reset/", {"email": alice.email})
    assert Event.objects.count() == 1, "asking for a mail changes nothing"
    reset = {"token": mailed_token(), "password": "a third horse battery"}
    assert post("/auth/password/reset/confirm/", reset).status_code == 200
    assert told() == [("alice", "password.reset", "alice", None, None)]


@pytest.mark.parametrize("page", ["/login/", "/admin/login/"])
def test_signing_in_at_a_page(boss: User, client: Client, page: str) -> None:
    assert client.post(page, {"username": boss.email, "password": "wrong"}).status_code == 200
    assert not Event.objects.exists()
    assert client.post(page, {"username": boss.email, "password": PASSWORD}).status_code == 302
    assert told() == [("boss", "sign_in.began", "boss", None, {"session": "web"})]


def test_signing_out(tokens: dict[str, str], api: APIClient) -> None:
    for _ in range(2):
        assert api.post("/auth/logout/", {"refresh": tokens["refresh"]}).status_code == 204
    assert told(3) == [("alice", "sign_in.ended", "alice", ENDED, {"why": "signed out"}), BEGAN]


def test_refresh_token_used_twice(tokens: dict[str, str], api: APIClient) -> None:
    assert api.post("/auth/token/refresh/", {"refresh": tokens["refresh"]}).status_code == 200
    assert told() == [BEGAN], "it goes on"
    assert api.post("/auth/token/refresh/", {"refresh": tokens["refresh"]}).status_code == 401
    assert told() == [(None, "sign_in.ended", "alice", ENDED, {"why": "a refresh token was used twice"})]


def test_access_tokens(alice: User) -> None:
    api = client_of(alice)
    made = api.post("/auth/tokens/", {"name": "cluster", "scope": "write", "project": "alice"}).json()
    rights = {"scope": "write", "project": "alice", "expires_at": None}
    assert told() == [("alice", "token.created", HERS, None, rights)]
    assert made["token"] not in str(Event.objects.values())
    assert api.delete(f"/auth/tokens/{made['id']}/").status_code == 204
    assert told() == [("alice", "token.revoked", HERS, rights, None)]


def test_users_in_the_hands_of_staff(boss: User) -> None:
    api = client_of(boss)
    api.post("/v1/users/", {**ALICE, "roles": ["admin"]})
    assert told() == [("boss", "user.created", "alice", None, {"is_staff": True})]
    api.patch("/v1/users/alice/", {"is_active": True, "is_staff": False})
    assert told() == [("boss", "user.changed", "alice", {"is_staff": True}, {"is_staff": False})]
    api.patch("/v1/users/alice/", {"is_active": False})
    assert told() == [("boss", "user.changed", "alice", {"is_active": True}, {"is_active": False})]
    count = Event.objects.count()
    assert api.patch("/v1/users/alice/", {"is_active": False}).status_code == 200
    assert Event.objects.count() == count


def test_superuser_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", email="root@example.org", username="rooty", interactive=False, verbosity=0)
    assert told() == [(None, "user.created", "rooty", None, {"is_staff": True, "is_superuser": True})]


@pytest.mark.parametrize(
    ("action", "line"),
    [
        ("mark_verified", ("boss", "user.verified", "late", None, None)),
        ("deactivate", ("boss", "user.changed", "late", {"is_active": True}, {"is_active": False})),
    ],
)
def test_actions_of_the_admin(admin: Client, action: str, line: Any) -> None:
    late = make_user("late", verified=False)
    chosen = {"action": action, "_selected_action": [late.pk]}
    admin.post(reverse("admin:accounts_user_changelist"), chosen)
    assert told() == [line]


def test_admin_revokes_a_token_and_ends_a_sign_in(admin: Client, alice: User, tokens: dict[str, str]) -> None:
    client_of(alice).post("/auth/tokens/", {"name": "cluster", "scope": "read"})
    for table, row in (("accesstoken", AccessToken.objects.get()), ("signin", SignIn.objects.get())):
        chosen = {"action": "revoke", "_selected_action": [str(row.pk)]}
        admin.post(reverse(f"admin:accounts_{table}_changelist"), chosen)
    assert told(2) == [
        ("boss", "sign_in.ended", "alice", ENDED, {"why": "signed out"}),
        ("boss", "token.revoked", HERS, {"scope": "read", "project": None, "expires_at": None}, None),
    ]


def test_rights_in_the_admin(admin: Client, alice: User) -> None:
    permission = Permission.objects.get(codename="change_project")
    code = "registry.change_project"
    said = {"name": "stewards", "permissions": [permission.pk]}
    assert admin.post(reverse("admin:auth_group_add"), said).status_code == 302
    assert told() == [("boss", "group.changed", "stewards", None, {"name": "stewards", "permissions": [code]})]
    group = Group.objects.get()

    form = {"is_active": "on", "groups": [group.pk], "user_permissions": [permission.pk]}
    assert admin.post(reverse("admin:accounts_user_change", args=[alice.pk]), form).status_code == 302
    assert told() == [
        (
            "boss",
            "user.changed",
            "alice",
            {"groups": [], "permissions": []},
            {"groups": ["stewards"], "permissions": [code]},
        )
    ]
    assert User.objects.get(pk=alice.pk).has_perm(code)

    assert admin.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code == 302
    assert told() == [("boss", "group.deleted", "stewards", {"name": "stewards", "permissions": [code]}, None)]
    assert not Group.objects.exists()


def test_admin_has_no_form_of_its_own_for_passwords(admin: Client) -> None:
    response = admin.get("/admin/password_change/")
    assert (response.status_code, response["Location"]) == (302, "/account/password/")
