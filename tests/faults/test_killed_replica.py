"""One of two replicas killed while clients work, with nginx in front, and with clients that go to the other themselves."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import length
from tests.faults.clients import Record, clients_at_work, until
from tests.faults.invariants import check
from tests.faults.sites import Site, running_site
from tests.servers import Server
from tests.test_nginx import NGINX, running_nginx

KILLS = length.of(short=2, long=30)


@pytest.fixture
def pair(tmp_path: Path, database: dict[str, str]) -> Iterator[Site]:
    shared = {"LMVP_PROXIES": "1", "LMVP_ACCEL_REDIRECT": "/.blobs/", **database}
    with running_site(tmp_path, shared, servers=2) as site:
        yield site


def kill_in_turn(site: Site, fronts: list[Server]) -> Record:
    """Kill one replica after the other under load; while one is down, the work goes on."""
    dice, record = length.dice(), Record()
    with clients_at_work(site.alice, fronts, dice, record=record):
        for kill in range(KILLS):
            threading.Event().wait(dice.uniform(0.3, 1.2))
            site.servers[kill % 2].kill()
            done = record.done
            until(record, lambda done=done: record.done > done + 8)
            site.start_again(kill % 2)
    print(f"{KILLS} kills: {record.told()}")  # noqa: T201
    return record


@pytest.mark.skipif(NGINX is None and "LMVP_REQUIRE_SERVICES" not in os.environ, reason="needs nginx")
def test_a_killed_replica_behind_nginx(pair: Site, tmp_path: Path) -> None:
    with running_nginx(tmp_path, pair.servers, tmp_path / "var" / "blobs") as front:
        record = kill_in_turn(pair, [front])
        pair.alice = replace(pair.alice, server=front)
        check(pair, record)


def test_a_killed_replica_whose_clients_go_to_the_other(tmp_path: Path, database: dict[str, str]) -> None:
    with running_site(tmp_path, database, servers=2) as site:
        check(site, kill_in_turn(site, site.servers))
