"""One process migrates, others wait for it: servers that start at once, and `manage.py migrate` beside them."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import Error, connection

LOCK = 0x6C6D7670  # "lmvp", in PostgreSQL's one namespace of advisory locks
PAUSE = 0.1  # seconds between two questions whether it is free

logger = logging.getLogger(__name__)
_held = False


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process migrates this database, and keep others waiting; in a block of this process's own, too."""
    global _held
    if _held:
        yield
        return
    with _locked() if connection.vendor == "postgresql" else _locked_by_a_file():
        _held = True
        try:
            yield
        finally:
            _held = False


@contextmanager
def _locked() -> Iterator[None]:
    # Asked for again and again: a statement that waits for it would hold a snapshot, for whose end an index that is built
    # without a lock waits, and so both for each other.
    if not _asked("pg_try_advisory_lock"):
        logger.info("Waiting for another process that migrates the database")
        while not _asked("pg_try_advisory_lock"):
            time.sleep(PAUSE)
    try:
        yield
    finally:
        with suppress(Error):  # a migration broke the connection: then it is free, too
            _asked("pg_advisory_unlock")


def _asked(function: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [LOCK])
        answer: bool = cursor.fetchone()[0]
    return answer


@contextmanager
def _locked_by_a_file() -> Iterator[None]:
    settings.LMVP_DATA_DIR.mkdir(parents=True, exist_ok=True)
    with open(settings.LMVP_DATA_DIR / "migrate.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
