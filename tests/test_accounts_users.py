"""Users in the hands of staff: the API, the admin, `createsuperuser`."""

from __future__ import annotations

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from accounts.models import AccessToken, Name, SignIn, User
from accounts.services import access_tokens, sign_ins
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db

BOB = {"username": "bob", "email": "bob@Example.org", "password": PASSWORD}


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss@example.org", "boss", PASSWORD)


@pytest.fixture
def staff() -> User:
    make_user("stella")
    User.objects.filter(username="stella").update(is_staff=True)
    return User.objects.get(username="stella")


def code(response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_users_are_hidden_from_nobody_401_and_from_others_403(api, staff):
    assert api.get("/v1/users/").status_code == 401
    api.force_authenticate(make_user("alice"))
    calls = [api.get("/v1/users/"), api.post("/v1/users/", BOB), api.patch("/v1/users/stella/", {"is_active": False})]
    assert {response.status_code for response in calls} == {403}


def test_a_user_made_by_staff_can_sign_in_at_once(api, staff):
    api.force_authenticate(staff)
    response = api.post("/v1/users/", BOB)
    assert response.status_code == 201
    assert response.json() == {
        "username": "bob",
        "email": "bob@example.org",
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "is_verified": True,
        "date_joined": response.json()["date_joined"],
    }
    assert sign_ins.sign_in(login="bob@example.org", password=PASSWORD).user.username == "bob"
    assert api.get("/v1/users/").json()["count"] == 2


def test_what_is_taken_is_a_400_with_its_field(api, staff):
    make_user("bob")
    api.force_authenticate(staff)
    other = {"username": "robert", "email": "robert@example.org"}
    assert code(api.post("/v1/users/", BOB | {"email": other["email"]})) == (400, "name_taken")
    response = api.post("/v1/users/", BOB | {"email": "BOB@example.org", "username": other["username"]})
    assert code(response) == (400, "email_taken")
    assert list(response.json()["error"]["fields"]) == ["email"]


def test_staff_are_made_by_superusers_alone(api, staff, boss):
    api.force_authenticate(staff)
    make_user("alice")
    assert api.post("/v1/users/", BOB | {"roles": ["admin"]}).status_code == 403
    assert api.patch("/v1/users/alice/", {"is_staff": True}).status_code == 403
    api.force_authenticate(boss)
    assert api.post("/v1/users/", BOB | {"roles": ["admin"]}).json()["is_staff"] is True
    assert api.patch("/v1/users/alice/", {"is_staff": True}).json()["is_staff"] is True
    assert not User.objects.filter(is_superuser=True).exclude(pk=boss.pk).exists()


def test_staff_have_no_power_over_superusers_other_staff_or_themselves(api, staff, boss):
    api.force_authenticate(staff)
    make_user("sven")
    User.objects.filter(username="sven").update(is_staff=True)
    for name in ("boss", "sven", "stella"):
        assert api.patch(f"/v1/users/{name}/", {"is_active": False}).status_code == 403
    assert not User.objects.filter(is_active=False).exists()


@pytest.mark.parametrize("username", ["nobody", "UPPER", "a" * 60])
def test_a_user_who_is_not_there_is_a_404(api, staff, username):
    api.force_authenticate(staff)
    assert api.patch(f"/v1/users/{username}/", {"is_active": False}).status_code == 404


def test_createsuperuser_makes_one_who_signs_in(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", email="boss@example.org", username="boss", interactive=False, verbosity=0)
    assert sign_ins.sign_in(login="boss@example.org", password=PASSWORD).user.is_superuser
    assert Name.objects.get().user == User.objects.get()
    with pytest.raises(CommandError):
        call_command("createsuperuser", email="BOSS@example.org", username="other", interactive=False, verbosity=0)


@pytest.fixture
def admin(client, boss):
    client.force_login(boss)
    return client


def test_the_admin_lists_and_shows_everything_of_the_accounts_with_a_fixed_number_of_queries(
    admin, boss, django_assert_max_num_queries
):
    for name in ("alice", "bob", "carol"):
        user = make_user(name)
        access_tokens.create_access_token(actor=user, name="cluster", scope="read")
        sign_ins.sign_in(login=name, password=PASSWORD)
    for model in ("user", "accesstoken", "signin", "name"):
        with django_assert_max_num_queries(8):
            assert admin.get(f"/admin/accounts/{model}/?q=a").status_code == 200, model
    for model, row in (
        ("user", boss),
        ("accesstoken", AccessToken.objects.first()),
        ("signin", SignIn.objects.first()),
    ):
        page = admin.get(f"/admin/accounts/{model}/{row.pk}/change/")
        assert page.status_code == 200
        assert getattr(row, "digest", "no digest") not in page.content.decode()


def test_the_admin_makes_verified_users_and_shows_what_is_wrong(admin):
    make_user("alice")
    assert admin.get("/admin/accounts/user/add/").status_code == 200
    assert admin.post("/admin/accounts/user/add/", BOB | {"password": "short"}).status_code == 200
    assert admin.post("/admin/accounts/user/add/", BOB | {"email": "ALICE@example.org"}).status_code == 200
    Name.objects.claim("vision")
    taken = admin.post("/admin/accounts/user/add/", BOB | {"username": "vision"}, follow=True)
    assert "is taken" in taken.content.decode()
    assert User.objects.count() == 2
    assert admin.post("/admin/accounts/user/add/", BOB).status_code == 302
    assert sign_ins.sign_in(login="bob", password=PASSWORD).user.is_verified


def test_the_admin_changes_flags_through_the_service(admin):
    alice = make_user("alice")
    tokens = sign_ins.sign_in(login="alice", password=PASSWORD)
    assert admin.post(f"/admin/accounts/user/{alice.pk}/change/", {"is_staff": "on"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.is_active, alice.is_staff) == (False, True)
    with pytest.raises(sign_ins.BadCredentials):
        sign_ins.user_of(access=tokens.access)


def test_the_admins_actions(admin, django_capture_on_commit_callbacks):
    alice = make_user("alice", verified=False)

    def act(action: str, model: str = "user", row: object = alice) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            data = {"action": action, "_selected_action": [row.pk]}
            assert admin.post(f"/admin/accounts/{model}/", data).status_code == 302
        alice.refresh_from_db()

    act("mark_verified")
    assert alice.is_verified
    act("send_password_reset")
    assert mail.outbox[-1].to == ["alice@example.org"]
    tokens = sign_ins.sign_in(login="alice", password=PASSWORD)
    act("revoke", "signin", SignIn.objects.get())
    with pytest.raises(sign_ins.BadCredentials):
        sign_ins.user_of(access=tokens.access)
    token, _ = access_tokens.create_access_token(actor=alice, name="cluster", scope="read")
    act("revoke", "accesstoken", token)
    assert not AccessToken.objects.usable().exists()
    act("deactivate")
    assert not alice.is_active
    act("activate")
    assert alice.is_active
    assert AccessToken.objects.filter(revoked_at=None).count() == 0


def test_nobody_switches_themselves_off_in_the_admin(admin, boss):
    admin.post("/admin/accounts/user/", {"action": "deactivate", "_selected_action": [boss.pk]})
    boss.refresh_from_db()
    assert boss.is_active
