"""Where somebody is signed in: browsers and programs in one list, each of which can be ended, at once."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import SignIn, User
from accounts.services import sign_ins, users
from accounts.user_agents import friendly_name
from registry.models import Event
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
NEW = "an entirely different one"


def signed_in(username: str = "alice", user_agent: str = FIREFOX, door: str = "/login/") -> Client:
    """A browser that went through a page of signing in."""
    client = Client(headers={"User-Agent": user_agent})
    answer = client.post(door, {"username": f"{username}@example.org", "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    return client


def here(client: Client) -> bool:
    """Whether the browser is still signed in."""
    return client.get("/account/").status_code == 200


@pytest.fixture
def alice() -> User:
    return make_user("alice")


def test_browsers_and_programs_stand_in_one_list_and_this_one_is_marked(alice):
    phone = signed_in(user_agent=IPHONE)
    laptop = signed_in()
    sign_ins.sign_in(login="alice@example.org", password=PASSWORD, user_agent="lmvp/0.1.0 python/3.12.1")
    page = laptop.get("/account/sessions/").content.decode()
    lines = re.findall(r'<li class="account-line">(.*?)</li>', page, re.S)
    assert ["Firefox on Linux" in lines[0], "this browser" in lines[0], "End</button>" in lines[0]] == [
        True,
        True,
        False,
    ]
    assert sum("Safari on iPhone" in line for line in lines) == 1
    assert sum("LMVP's client" in line.replace("&#x27;", "'") for line in lines) == 1
    assert page.count("this browser</span>") == 1
    assert here(phone)


def test_a_browser_that_is_ended_is_signed_out_at_once(alice):
    phone, laptop = signed_in(user_agent=IPHONE), signed_in()
    other = SignIn.objects.get(user_agent=IPHONE)
    assert laptop.post(f"/account/sessions/{other.pk}/end/").headers["Location"] == "/account/sessions/"
    assert not here(phone)
    assert "_auth_user_id" not in phone.session
    assert here(laptop)
    assert Event.objects.filter(action="sign_in.ended").count() == 1


def test_ending_one_ends_it_for_the_api_and_the_admin_too():
    User.objects.create_superuser("boss@example.org", "boss", PASSWORD)
    client = signed_in("boss", door="/admin/login/")
    assert client.get("/admin/").status_code == 200
    assert client.post("/v1/projects/", {"name": "a"}, content_type="application/json").status_code == 201
    sign_ins.end_sign_in(actor=User.objects.get(), sign_in=SignIn.objects.get())
    assert client.get("/admin/").status_code == 302
    assert client.post("/v1/projects/", {"name": "b"}, content_type="application/json").status_code == 401


def test_signing_in_to_the_admin_is_listed_like_any_other():
    User.objects.create_superuser("boss@example.org", "boss", PASSWORD)
    client = signed_in("boss", door="/admin/login/")
    assert "Firefox on Linux" in client.get("/account/sessions/").content.decode()
    client.post("/admin/logout/")
    assert SignIn.objects.get().revoked_at is not None


def test_signing_out_ends_the_sign_in_and_is_told(alice):
    client = signed_in()
    client.post("/logout/")
    assert SignIn.objects.get().revoked_at is not None
    assert [event.action for event in Event.objects.order_by("pk")] == ["sign_in.began", "sign_in.ended"]
    assert not here(client)


def test_everywhere_else_spares_this_browser_alone(alice):
    phone, laptop = signed_in(user_agent=IPHONE), signed_in()
    tokens = sign_ins.sign_in(login="alice", password=PASSWORD)
    make_user("bob")
    bob = signed_in("bob")
    page = laptop.post("/account/sessions/end-others/", follow=True)
    assert "2 sign-ins ended" in page.content.decode()
    assert [here(phone), here(laptop), here(bob)] == [False, True, True]
    with pytest.raises(sign_ins.BadCredentials):
        sign_ins.refresh(token=tokens.refresh)


def test_another_password_ends_the_others_and_this_browser_stays_listed(alice):
    phone, laptop = signed_in(user_agent=IPHONE), signed_in()
    answer = laptop.post("/account/password/", {"old_password": PASSWORD, "new_password": NEW})
    assert answer.headers["Location"] == "/account/"
    assert [here(phone), here(laptop)] == [False, True]
    (standing,) = SignIn.objects.standing()
    assert standing.user_agent == FIREFOX


def test_a_password_that_was_changed_round_the_services_ends_it_too(alice):
    client = signed_in()
    alice.set_password(NEW)
    alice.save()
    assert not here(client)


def test_switching_a_user_off_ends_it(alice):
    client = signed_in()
    boss = User.objects.create_superuser("boss@example.org", "boss", PASSWORD)
    users.set_flags(actor=boss, user=alice, is_active=False)
    users.set_flags(actor=boss, user=alice, is_active=True)
    assert not here(client)


def test_nobody_ends_anothers(alice):
    victim = signed_in()
    make_user("bob")
    assert signed_in("bob").post(f"/account/sessions/{SignIn.objects.get(user=alice).pk}/end/").status_code == 404
    assert here(victim)


def test_an_address_of_no_session_is_nothing(alice):
    client = signed_in()
    assert client.post(f"/account/sessions/{alice.pk:032x}/end/").status_code == 404
    assert client.get("/account/sessions/end-others/").status_code == 405


def test_a_session_ends_after_its_days_however_much_it_is_used(alice):
    client = signed_in()
    SignIn.objects.update(expires_at=timezone.now())
    assert not here(client)


def test_signing_in_again_after_the_end_makes_another(alice):
    client = signed_in()
    sign_ins.end_sign_in(actor=alice, sign_in=SignIn.objects.get())
    client.post("/login/", {"username": "alice@example.org", "password": PASSWORD})
    assert here(client)
    assert SignIn.objects.standing().count() == 1


def test_a_browsers_sign_in_is_no_family_of_tokens(alice):
    signed_in()
    tokens = sign_ins.sign_in(login="alice", password=PASSWORD)
    family = SignIn.objects.get(kind="program")
    SignIn.objects.filter(kind="program").update(kind="browser")
    client = Client()
    client.force_login(alice)
    session = client.session
    session["sign_in"] = str(family.pk)
    session.save()
    SignIn.objects.filter(pk=family.pk).update(kind="program")
    assert not here(client)
    assert sign_ins.user_of(access=tokens.access) == alice


def test_a_session_costs_no_query_of_its_own(alice, django_assert_num_queries):
    client = signed_in()
    client.get("/account/")
    with django_assert_num_queries(2):  # the session, and its sign-in with the user
        client.get("/account/")


def test_being_used_is_noted_every_few_minutes_alone(alice, django_assert_num_queries):
    client = signed_in()
    long_ago = timezone.now() - timedelta(minutes=20)
    SignIn.objects.update(refreshed_at=long_ago)
    with django_assert_num_queries(3):
        client.get("/account/")
    assert SignIn.objects.get().refreshed_at > long_ago
    with django_assert_num_queries(2):
        client.get("/account/")


def test_many_sign_ins_cost_as_many_queries_as_one(alice, django_assert_num_queries):
    client = signed_in()
    for _ in range(10):
        sign_ins.sign_in(login="alice", password=PASSWORD, user_agent="curl/8.5.0")
    with django_assert_num_queries(3):
        client.get("/account/sessions/")


def test_what_a_program_calls_itself_is_text(alice):
    sign_ins.sign_in(login="alice", password=PASSWORD, user_agent="<script>alert(1)</script>/" + "x" * 10_000)
    assert "<script>alert" not in signed_in().get("/account/sessions/").content.decode()


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (IPHONE, "Safari on iPhone"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/138.0 Safari/537.36 Edg/138.0",
            "Edge on Windows",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/138.0 Mobile Safari/537.36", "Chrome on Android"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/138.0 Safari/537.36",
            "Chrome on macOS",
        ),
        ("lmvp/0.1.0 python/3.12.1", "LMVP's client"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32.0", "Python"),
        ("Wobble/3 (strange)", "Wobble"),
        ("", "An unnamed program"),
        (" ", "An unnamed program"),
        ("/", "An unnamed program"),
    ],
)
def test_browsers_and_programs_have_names_for_people(user_agent, name):
    assert friendly_name(user_agent) == name
