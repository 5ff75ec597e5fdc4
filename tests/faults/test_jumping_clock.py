"""The wall clock a day ahead and a day back, in the middle of work: nothing is lost, and nobody is locked out for a day."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import length
from tests.faults.clients import MODEL, PART, Record, clients_at_work, until
from tests.faults.clocks import Clock, clock_at
from tests.faults.invariants import check
from tests.faults.sites import Site, running_site
from tests.http_client import Person
from tests.servers import wait_until
from tests.tars import digest_of
from tests.test_killed import begin_part, offset_of

JUMPS = length.of(short=4, long=40)
DAY = 25  # hours: more than an upload lives
BACK = -20  # hours: what is uploaded then lives on when the clock is right again
EXPIRED = ("unknown_blob", "upload_expired")  # true, of what was uploaded before the clock went ahead
PASSWORD = "correct horse battery staple"


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return clock_at(tmp_path)


@pytest.fixture
def jumpy(tmp_path: Path, database: dict[str, str], clock: Clock) -> Iterator[Site]:
    with running_site(tmp_path, {**database, **clock.env}) as site:
        yield site


def test_a_clock_that_jumps_under_load_loses_nothing_that_was_told(jumpy: Site, clock: Clock) -> None:
    dice, record = length.dice(), Record()
    with clients_at_work(jumpy.alice, jumpy.servers, dice, record=record, also_excused=EXPIRED):
        for jump in range(JUMPS):
            clock.set(hours_off=(DAY, 0, BACK, 0)[jump % 4])
            done = record.done
            until(record, lambda done=done: record.done > done + 8)
            threading.Event().wait(dice.uniform(0, 0.3))
            jumpy.manage("collect_garbage")
    print(f"{JUMPS} jumps: {record.told()}")  # noqa: T201
    clock.set(hours_off=0)
    check(jumpy, record)


def test_bytes_on_their_way_outlive_jumps_there_and_back(jumpy: Site, clock: Clock) -> None:
    """What was stored and what came in parts: housekeeping at the wrong time takes none of it."""
    record = Record()
    for hours in (DAY, -DAY):
        whole, parted = os.urandom(10_000), os.urandom(20_000)
        record.stored[jumpy.alice.send("vision/classifier", whole)] = len(whole)
        href = jumpy.alice.ask_for_upload("vision/classifier", parted)
        assert jumpy.alice.call("PATCH", href, parted[:8000], **PART, **{"Upload-Offset": "0"})[0] == 204
        record.parts[href] = 8000
        clock.set(hours_off=hours)
        jumpy.manage("collect_garbage")
        clock.set(hours_off=0)
        assert jumpy.alice.call("PATCH", href, parted[8000:], **PART, **{"Upload-Offset": "8000"})[0] == 204
        record.stored[digest_of(parted)] = len(parted)
    check(jumpy, record)


def test_an_upload_whose_sender_died_before_the_clock_went_back_is_free_again(jumpy: Site, clock: Clock) -> None:
    content, record = os.urandom(100_000), Record()
    clock.set(hours_off=DAY)
    href = jumpy.alice.ask_for_upload("vision/classifier", content)
    sender = begin_part(jumpy.servers[0], href, 0, content[:1000], announced=len(content))
    wait_until(lambda: leased(jumpy) == 1)
    jumpy.servers[0].kill()
    sender.close()
    clock.set(hours_off=0)
    jumpy.start_again()
    offset = offset_of(jumpy.servers[0], href)
    assert jumpy.alice.call("PATCH", href, content[offset:], **PART, **{"Upload-Offset": str(offset)})[0] == 204
    record.stored[digest_of(content)] = len(content)
    check(jumpy, record)


def test_who_signed_in_before_the_clock_went_back_stays_signed_in(jumpy: Site, clock: Clock) -> None:
    alice = "from accounts.models import User; alice = User.objects.get()"
    jumpy.keep_house(f"{alice}; alice.set_password({PASSWORD!r}); alice.save()")
    status, answer = jumpy.alice.call("POST", "/auth/login/", {"email": "alice@example.org", "password": PASSWORD})
    assert status == 200
    signed_in = Person(jumpy.servers[0], answer["tokens"]["access"])
    clock.set(hours_off=-DAY)
    assert signed_in.call("GET", f"{MODEL}/")[0] == 200
    status, renewed = signed_in.call("POST", "/auth/token/refresh/", {"refresh": answer["tokens"]["refresh"]})
    assert status == 200
    assert Person(jumpy.servers[0], renewed["access"]).call("GET", f"{MODEL}/")[0] == 200
    clock.set(hours_off=DAY)
    assert Person(jumpy.servers[0], renewed["access"]).call("GET", f"{MODEL}/")[0] == 401, "over"
    assert jumpy.alice.call("GET", f"{MODEL}/")[0] == 200, "an access token without an end"
    status, renewed = signed_in.call("POST", "/auth/token/refresh/", {"refresh": renewed["refresh"]})
    assert status == 200


def leased(site: Site) -> int:
    found: int = site.keep_house("found = Upload.objects.exclude(leased_until=None).count()")
    return found
