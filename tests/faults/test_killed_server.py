"""The server, master and workers, killed at random moments of uploads and publishes, and started again each time."""

from __future__ import annotations

import threading

from tests.faults import length
from tests.faults.clients import Record, clients_at_work, until
from tests.faults.invariants import check
from tests.faults.sites import Site

KILLS = length.of(short=10, long=100)  # that met requests under way
CUT = length.of(short=20, long=200)  # requests
PUBLISHED = length.of(short=10, long=100)
LATEST = 60  # answers between a start and the next kill: by work done, not by time, on a slow machine too


def test_kills_at_random_moments_lose_nothing_that_was_told(site: Site) -> None:
    dice, record, kills, met = length.dice(), Record(), 0, 0
    while met < KILLS or record.cut < CUT or len(record.published) < PUBLISHED:
        assert kills < 5 * KILLS, record.told()
        cut = record.cut
        with clients_at_work(site.alice, site.servers, dice, record=record, block=kills):
            enough = record.answered + dice.randint(0, LATEST)
            until(record, lambda enough=enough: record.answered >= enough)
            threading.Event().wait(dice.uniform(0.005, 0.05))
            site.servers[0].kill()
        site.start_again()
        kills, met = kills + 1, met + (record.cut > cut)
    print(f"{kills} kills, {met} of them in the middle of work: {record.told()}")  # noqa: T201
    check(site, record)
