"""The disk of PostgreSQL's tables full in the middle of work: 507 to whoever writes, reading goes on, all well when there is space."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.faults import length
from tests.faults.clients import MODEL, Record, clients_at_work, until
from tests.faults.clusters import own_cluster
from tests.faults.disks import filled
from tests.faults.invariants import check
from tests.faults.sites import running_site

TIMES = length.of(short=1, long=10)
DISK = 160  # MiB: what initdb and our migrations write, and some


def test_a_database_whose_disk_fills_up_says_so_and_loses_nothing_that_was_told(tmp_path: Path) -> None:
    dice, record = length.dice(), Record()
    with (
        own_cluster(mebibytes=DISK) as cluster,
        running_site(tmp_path, {"DATABASE_URL": cluster.url}) as site,
    ):
        with clients_at_work(site.alice, site.servers, dice, record=record):
            for _ in range(TIMES):
                done, refused = record.done, record.refused["storage_full"]
                until(record, lambda done=done: record.done > done + 8)
                with filled(cluster.directory / "data"):
                    until(record, lambda refused=refused: record.refused["storage_full"] > refused + 20)
                    assert site.alice.call("GET", f"{MODEL}/versions/")[0] == 200, "reading goes on"
                threading.Event().wait(dice.uniform(0, 0.3))
        print(f"{TIMES} times full: {record.told()}, {dict(record.refused)}")  # noqa: T201
        assert record.refused.keys() <= {"storage_full", "upload_locked"}, "it never was away"
        check(site, record)
