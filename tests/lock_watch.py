"""Whom a migration would keep waiting, seen while it runs on PostgreSQL: after each statement, which locks the transaction holds,
and how many rows of the growing tables were read or written under them. Times are not measured: what is proportional
to the rows is too long, however few there are here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from typing import Any

from django.db import connection

from tests.explaining import BIG

# Every mode that the ROW EXCLUSIVE lock of an INSERT, UPDATE or DELETE waits for.
STOPPING = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
MOST_CHANGED = 1000  # rows in one transaction: so long somebody waits for one of them
ON_ITS_OWN = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)  # is not run in a transaction, and stops nobody

LOCKED = """
    SELECT relname FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    WHERE pid = pg_backend_pid() AND granted AND mode = ANY(%s) AND relname = ANY(%s)
"""
WORK = """
    SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0), n_tup_ins + n_tup_upd + n_tup_del
    FROM pg_stat_xact_user_tables WHERE relname = ANY(%s)
"""


class Watch:
    """What stopped writers: a line for each statement. `locked` are the growing tables that were locked at all."""

    def __init__(self, tables: Collection[str]) -> None:
        self.tables = sorted(tables)
        self.faults: list[str] = []
        self.locked: set[str] = set()
        self._held = self._locks()  # by what the transaction did before
        self._transaction: Any = None
        self._changed = Counter[str]()  # in this transaction

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if ON_ITS_OWN.search(sql):
            return execute(sql, params, many, context)
        alone = not connection.in_atomic_block  # its locks would be gone before anybody could look
        if alone:
            _ask("BEGIN")
        try:
            before = self._work()
            result = execute(sql, params, many, context)
            self._look(sql, *(after - since for after, since in zip(self._work(), before, strict=True)))
        finally:
            if alone:
                _ask("COMMIT")
        return result

    def _look(self, sql: str, read: Counter[str], changed: Counter[str]) -> None:
        locked = self._locks() - self._held
        self.locked |= locked
        if locked and (read or changed):
            gone_through = _listed({*read, *changed})
            self.faults.append(
                f"writers of {_listed(locked)} wait while rows of {gone_through} are gone through: {sql}"
            )
        [(began,)] = _ask("SELECT transaction_timestamp()")
        if began != self._transaction:
            self._transaction, self._changed = began, Counter()
        self._changed += changed
        if changed and (most := max(self._changed.values())) > MOST_CHANGED:
            self.faults.append(f"{most} rows changed in one transaction, of at most {MOST_CHANGED}: {sql}")

    def _locks(self) -> set[str]:
        return {table for (table,) in _ask(LOCKED, [list(STOPPING), self.tables])}

    def _work(self) -> tuple[Counter[str], Counter[str]]:
        """Return how many rows of each table were read and were changed until now."""
        rows = _ask(WORK, [self.tables])
        return Counter({table: read for table, read, _ in rows}), Counter({table: done for table, _, done in rows})


@contextmanager
def watched(tables: Collection[str] = BIG) -> Iterator[Watch]:
    """Watch what this connection does inside."""
    watch = Watch(tables)
    with connection.execute_wrapper(watch):
        yield watch


def _ask(sql: str, params: Any = None) -> list[tuple[Any, ...]]:
    with closing(connection.create_cursor()) as cursor:  # below the wrappers
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def _listed(tables: Any) -> str:
    return ", ".join(sorted(tables))
