"""The disk full in the middle of work: 507 to whoever brings bytes, nothing half-done kept, and all well when there is space."""

from __future__ import annotations

import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults import length
from tests.faults.clients import BYTES, Record, clients_at_work, until
from tests.faults.disks import filled, small_disk
from tests.faults.invariants import check
from tests.faults.sites import Site, running_site
from tests.servers import wait_until
from tests.tars import digest_of
from tests.test_killed import begin_put

TIMES = length.of(short=2, long=20)
SIZE = 8 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", mebibytes=400) as place:
        yield place


def answered(connection: socket.socket) -> bytes:
    """Return the whole answer to a request that was begun by hand."""
    said = b""
    while piece := connection.recv(65536):
        said += piece
    return said


def test_a_disk_that_fills_up_under_load_loses_nothing_that_was_told(
    disk: Path, tmp_path: Path, database: dict[str, str]
) -> None:
    """SQLite stands on it as well."""
    dice, record = length.dice(), Record()
    with running_site(tmp_path, {"LMVP_DATA_DIR": str(disk / "var"), **database}) as site:
        with clients_at_work(site.alice, site.servers, dice, record=record):
            for _ in range(TIMES):
                done, excused = record.done, record.excused
                until(record, lambda done=done: record.done > done + 8)
                with filled(disk):
                    until(record, lambda excused=excused: record.excused > excused + 20)
                threading.Event().wait(dice.uniform(0, 0.3))
        print(f"{TIMES} times full: {record.told()}")  # noqa: T201
        check(site, record)


def test_an_upload_that_meets_the_full_disk_is_told_so_and_works_when_there_is_space(
    disk: Path, tmp_path: Path, database: dict[str, str]
) -> None:
    content, record = os.urandom(SIZE), Record()
    with running_site(tmp_path, {"LMVP_DATA_DIR": str(disk / "var"), **database}) as site:
        href = site.alice.ask_for_upload("vision/classifier", content)
        with begin_put(site.servers[0], href, SIZE, content[: SIZE // 2]) as sender:
            wait_until(lambda: incoming_bytes(site) >= SIZE // 4)
            with filled(disk):
                sender.settimeout(30)
                with suppress(OSError):  # refused before all was sent
                    sender.sendall(content[SIZE // 2 :])
                assert b" 507 " in answered(sender).split(b"\r\n", 1)[0]
                wait_until(lambda: incoming_bytes(site) == 0)
                assert site.servers[0].status("/healthz") == 200
        assert site.alice.call("PUT", href, content, **BYTES)[0] == 200
        record.stored[digest_of(content)] = SIZE
        check(site, record)


def test_files_that_may_not_grow_are_told_like_a_full_disk(site: Site) -> None:
    """Needs no right to mount: a bound on the size of files fails in the middle too (EFBIG)."""
    content, record = os.urandom(SIZE), Record()
    href = site.alice.ask_for_upload("vision/classifier", content)
    set_bound(site, SIZE // 2)
    status, answer = site.alice.call("PUT", href, content, **BYTES)
    assert (status, answer["error"]["code"]) == (507, "storage_full")
    assert incoming_bytes(site) == 0
    set_bound(site, resource.RLIM_INFINITY)
    assert site.alice.call("PUT", href, content, **BYTES)[0] == 200
    record.stored[digest_of(content)] = SIZE
    check(site, record)


def set_bound(site: Site, most: int) -> None:
    for worker in site.servers[0].workers():
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def incoming_bytes(site: Site) -> int:
    return sum(path.stat().st_size for path in (site.servers[0].data_dir / "incoming").glob("*.part"))
