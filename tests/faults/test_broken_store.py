"""The S3 store gone, silent, slow, answering 500, cutting what it sends and what it is sent, under two servers that share it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.broken_store import BrokenStore, broken_store
from tests.faults import length
from tests.faults.clients import Record, clients_at_work, until
from tests.faults.invariants import check
from tests.faults.sites import Site, running_site
from tests.s3 import S3, running_s3
from tests.servers import wait_until

ROUNDS = length.of(short=1, long=8)
MET = {"gone": 12, "500": 12, "cut": 12, "torn": 12, "slow": 4, "silent": 4}  # connections that meet it before it ends


@dataclass
class Bucket:
    """A site whose servers keep their files in one bucket, over a line that may fail."""

    site: Site
    line: BrokenStore
    s3: S3


@pytest.fixture
def bucket(tmp_path: Path, database: dict[str, str]) -> Iterator[Bucket]:
    """Clients reach the servers alone."""
    with running_bucket(tmp_path, database) as one:
        yield one


@pytest.fixture
def public_bucket(tmp_path: Path, database: dict[str, str]) -> Iterator[Bucket]:
    """Clients reach the store too, over the same line: large files go straight to it, and come from it."""
    with running_bucket(tmp_path, database, public=True) as one:
        one.line.pause = 0.005
        yield one


@contextmanager
def running_bucket(tmp_path: Path, database: dict[str, str], *, public: bool = False) -> Iterator[Bucket]:
    with running_s3(tmp_path / "s3") as s3, broken_store(urlsplit(s3.url).port or 0) as line:
        env = {**database, **s3.env, "AWS_S3_ENDPOINT_URL": line.url}
        if public:
            env["S3_PUBLIC_ENDPOINT_URL"] = line.url.replace("127.0.0.1", "localhost")
        with running_site(tmp_path, env, servers=2) as site:
            yield Bucket(site, line, s3)


def break_in_turn(bucket: Bucket, *, past_us: bool = False) -> Record:
    """Let the line fail in all its ways under load; in between, the work goes on."""
    dice, record, line = length.dice(), Record(), bucket.line
    site = bucket.site
    with clients_at_work(site.alice, site.servers, dice, record=record, past_us=past_us):
        for kind in [kind for _ in range(ROUNDS) for kind in dice.sample(list(MET), len(MET))]:
            done = record.done
            until(record, lambda done=done: record.done >= done + 8)
            line.cut_after = int(10 ** dice.uniform(2, 5))  # from the head of an answer to most of a file
            failed = line.failed
            line.fail(kind)
            until(record, lambda enough=failed + MET[kind]: line.failed >= enough)
            threading.Event().wait(dice.uniform(0, 0.5))
            line.mend()
        done = record.done
        until(record, lambda: record.done >= done + 8 and (large_published(record) or not past_us))
    print(f"{ROUNDS} times each of {', '.join(MET)}, {line.failed} connections: {record.told()}")  # noqa: T201
    return record


def large_published(record: Record) -> int:
    return sum("large/weights.bin" in record.begun[message] for message in list(record.published))


def check_in_bucket(bucket: Bucket, record: Record) -> None:
    under_way = "from django.utils.timezone import now; found = Upload.objects.filter(leased_until__gt=now()).count()"
    wait_until(
        lambda: bucket.site.keep_house(under_way) == 0
    )  # what was read back last; senders that are gone leave a lease
    check(bucket.site, record)
    assert bucket.s3.objects("staging") == []
    assert bucket.s3.objects("incoming") == []


def test_a_store_that_fails_loses_nothing_that_was_told(bucket: Bucket) -> None:
    record = break_in_turn(bucket)
    assert record.excused, "somebody was told that the store is away"
    check_in_bucket(bucket, record)


def test_a_store_that_fails_whoever_brings_files_to_it(public_bucket: Bucket) -> None:
    record = break_in_turn(public_bucket, past_us=True)
    print(f"{large_published(record)} versions with large files")  # noqa: T201
    check_in_bucket(public_bucket, record)
