"""Sign-ins and sessions that have ended are forgotten after a while; none that stands, and nobody is told anything else."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.errors import BadCredentials
from accounts.models import SignIn
from accounts.services import sign_ins
from accounts.services.forgetting import AT_ONCE, Forgotten, forget_ended
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=8)


def browser() -> Client:
    client = Client()
    assert client.post("/login/", {"username": "alice@example.org", "password": PASSWORD}).status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


@pytest.fixture(autouse=True)
def _alice() -> None:
    make_user("alice")


def test_what_stands_stays() -> None:
    tokens = sign_ins.sign_in(login="alice", password=PASSWORD)
    here = browser()
    assert forget_ended() == Forgotten(0, 0)
    assert is_in(here)
    assert sign_ins.refresh(token=tokens.refresh).user.username == "alice"


def test_what_ended_just_now_is_kept_for_administrators() -> None:
    tokens = sign_ins.sign_in(login="alice", password=PASSWORD)
    sign_ins.sign_out(token=tokens.refresh)
    assert forget_ended().sign_ins == 0


@pytest.mark.parametrize("ended", ["revoked_at", "expires_at"])
def test_what_ended_long_ago_goes_and_the_answer_is_the_same(ended: str) -> None:
    tokens, here = sign_ins.sign_in(login="alice", password=PASSWORD), browser()
    stands = sign_ins.sign_in(login="alice", password=PASSWORD, user_agent="stands")
    SignIn.objects.exclude(user_agent="stands").update(**{ended: timezone.now() - LONG_AGO})

    def answer() -> str:
        with pytest.raises(BadCredentials) as refused:
            sign_ins.refresh(token=tokens.refresh)
        return refused.value.code

    before = answer()
    assert forget_ended().sign_ins == 2
    assert answer() == before == "signed_out"
    assert not is_in(here)
    assert sign_ins.user_of(access=stands.access).username == "alice"
    assert forget_ended() == Forgotten(0, 0)


def test_expired_sessions_go_and_others_stay() -> None:
    gone, here = browser(), browser()
    Session.objects.filter(pk=gone.cookies["sessionid"].value).update(expire_date=timezone.now())
    assert forget_ended() == Forgotten(0, 1)
    assert not is_in(gone)
    assert is_in(here)


def test_many_go_some_at_a_time(django_assert_max_num_queries) -> None:
    many, past = 3 * AT_ONCE + 5, timezone.now() - LONG_AGO
    Session.objects.bulk_create(Session(session_key=f"{n:032}", session_data="", expire_date=past) for n in range(many))
    with django_assert_max_num_queries(20):
        assert forget_ended() == Forgotten(0, many)


def test_the_command_says_what_it_did_and_would_do() -> None:
    browser()
    Session.objects.update(expire_date=timezone.now() - LONG_AGO)
    SignIn.objects.update(expires_at=timezone.now() - LONG_AGO)
    for options, said, left in (
        (["--dry-run"], "1 sign-ins and 1 sessions would be forgotten", 1),
        ([], "1 sign-ins and 1 sessions forgotten", 0),
        ([], "0 sign-ins and 0 sessions forgotten", 0),
    ):
        out = StringIO()
        call_command("forget_sign_ins", *options, stdout=out)
        assert out.getvalue().strip() == said
        assert (SignIn.objects.count(), Session.objects.count()) == (left, left)
