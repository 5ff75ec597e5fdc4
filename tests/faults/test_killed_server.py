"""The server, master and workers, killed at random moments of uploads and publishes, and started again each time."""

from __future__ import annotations

import threading

from tests.faults import length
from tests.faults.clients import Record, clients_at_work
from tests.faults.invariants import check
from tests.faults.sites import Site

CUT = length.of(short=20, long=200)  # requests that a kill cut in the middle
LONGEST = 1.2  # seconds until the next kill


def test_kills_at_random_moments_lose_nothing_that_was_told(site: Site) -> None:
    dice, record, kills = length.dice(), Record(), 0
    while record.cut < CUT:
        with clients_at_work(site.alice, site.servers, dice, record=record, block=kills):
            threading.Event().wait(dice.uniform(0.02, LONGEST))
            site.servers[0].kill()
        site.start_again()
        kills += 1
    print(f"{kills} kills: {record.told()}")  # noqa: T201
    assert record.published, "something was done in between"
    check(site, record)
