"""Guessing is slow: failures per account, attempts per address, in counters that all workers share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import cache
from django.db import connection

from accounts.errors import Throttled
from accounts.services import throttles
from tests.cast import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def limits(settings):
    def limits(**rates: str) -> None:
        settings.THROTTLES = {**settings.THROTTLES, **{name.replace("_", ":"): rate for name, rate in rates.items()}}

    return limits


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org"])
def test_failures_are_counted_per_account_known_or_not(api, limits, email):
    make_user("alice")
    limits(login_account="3/900s")
    for spelling in (email, email.upper(), email.title()):
        assert api.post("/auth/login/", {"email": spelling, "password": "wrong"}).status_code == 401
    response = api.post("/auth/login/", {"email": email, "password": PASSWORD})
    assert response.status_code == 429
    assert response.json()["error"]["code"] == "throttled"
    assert 0 < int(response["Retry-After"]) <= 900


def test_username_and_address_of_one_account_share_its_counter(api, limits):
    make_user("alice")
    limits(login_account="1/900s")
    assert api.post("/auth/login/", {"email": "alice@example.org", "password": "wrong"}).status_code == 401
    assert api.post("/v1/token/", {"username": "alice", "password": PASSWORD}).status_code == 429


def test_signing_in_rightly_costs_the_account_nothing_but_counts_for_the_address(api, limits):
    make_user("alice")
    limits(login_account="1/900s", login_address="3/900s")
    alice = {"email": "alice@example.org", "password": PASSWORD}
    assert [api.post("/auth/login/", alice).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_the_pages_and_the_admin_stand_behind_the_same_throttle(client, limits):
    make_user("alice")
    limits(login_account="1/900s")
    client.post("/login/", {"username": "alice@example.org", "password": "wrong"})
    page = client.post("/login/", {"username": "alice@example.org", "password": PASSWORD})
    assert "Too many attempts" in page.content.decode()
    assert client.post("/admin/login/", {"username": "alice@example.org", "password": PASSWORD}).status_code == 200
    assert "_auth_user_id" not in client.session


def test_guesses_at_the_old_password_are_counted_too(api, limits):
    limits(login_account="1/900s")
    api.force_authenticate(make_user("alice"))
    change = {"old_password": "wrong", "new_password": "another long one"}
    assert api.post("/auth/password/change/", change).status_code == 400
    assert api.post("/auth/password/change/", change | {"old_password": PASSWORD}).status_code == 429


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_exactly_the_attempts_there_are(postgresql, limits):
    limits(login_account="7/86400s")
    cache.clear()

    def attempt(_: int) -> bool:
        try:
            return bool(throttles.take("login:account", "alice@example.org"))
        except Throttled:
            return False
        finally:
            connection.close()

    try:
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, range(24))) == 7
    finally:
        cache.clear()  # the cache's table is no model's, so nobody else empties it


def test_no_address_is_kept_in_the_clear(limits):
    slot = throttles.take("login:account", "alice@example.org")
    assert "alice" not in slot
