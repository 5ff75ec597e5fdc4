"""One run at a time of a piece of housekeeping, on however many machines: a lock that ends with its process."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.db import Error, connection

from registry.errors import Conflict

LOCKS = {"collect": 0x6C6D7671, "verify": 0x6C6D7672}  # in PostgreSQL's one namespace of advisory locks


@contextmanager
def run_alone(work: str) -> Iterator[None]:
    """Hold the lock of this work; Conflict (another_run) when somebody else does."""
    if connection.vendor == "postgresql":
        with _advisory_lock(work):
            yield
        return
    settings.LMVP_DATA_DIR.mkdir(parents=True, exist_ok=True)
    with open(settings.LMVP_DATA_DIR / f"{work}.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _another(work) from None
        yield


@contextmanager
def _advisory_lock(work: str) -> Iterator[None]:
    own: Any = connection  # a connection of its own: the other one is given back while files are read
    own = own.for_session()
    try:
        if not _asked(own, "pg_try_advisory_lock", work):
            raise _another(work)
        try:
            yield
        finally:
            # Said, not left to the end of the session: the server notices that a moment later, and the next run is here now.
            with suppress(Error):
                _asked(own, "pg_advisory_unlock", work)
    finally:
        own.close()


def _asked(own: Any, function: str, work: str) -> bool:
    with own.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [LOCKS[work]])
        answer: bool = cursor.fetchone()[0]
    return answer


def _another(work: str) -> Conflict:
    return Conflict("another_run", f"Another run ({work}) is going on. Wait for its end, or leave it to that one.")
