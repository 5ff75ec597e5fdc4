"""PostgreSQL stopped at once and started again while clients work: the servers go on by themselves."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.faults import length
from tests.faults.clients import Record, clients_at_work, until
from tests.faults.clusters import own_cluster
from tests.faults.invariants import check
from tests.faults.sites import running_site

RESTARTS = length.of(short=3, long=30)


def test_a_restarted_database_loses_nothing_and_needs_nobody(tmp_path: Path) -> None:
    dice, record = length.dice(), Record()
    with own_cluster() as cluster, running_site(tmp_path, {"DATABASE_URL": cluster.url}) as site:
        with clients_at_work(site.alice, site.servers, dice, record=record):
            for _ in range(RESTARTS):
                done = record.done
                threading.Event().wait(dice.uniform(0.3, 1.5))
                cluster.stop()
                threading.Event().wait(dice.uniform(0, 0.5))
                assert site.servers[0].status("/healthz") == 200, "the processes live"
                cluster.start()
                until(record, lambda done=done: record.done > done + 8)
        print(f"{RESTARTS} restarts: {record.told()}")  # noqa: T201
        assert record.excused, "somebody was told that the database is away"
        check(site, record)
