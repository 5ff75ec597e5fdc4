"""Django's SQLite backend. In the server's workers a connection that is given back is kept for the next request: opening
one (its pragmas, Django's own functions, the schema read anew) takes longer than most queries do. Writers stand in line."""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from lmvp.sqlite3.turns import Line, line_of

MOST_IDLE = 4  # in each process; every one keeps pages of its own in memory
PATIENCE = 30.0  # seconds, where the settings do not say

_idle: deque[tuple[dict[str, Any], Any]] | None = None  # None: what is given back is closed


def keep_connections() -> None:
    """From now on, keep the connections that this process gives back."""
    global _idle
    _idle = deque()


def _afresh() -> None:
    global _idle
    _idle = None


os.register_at_fork(after_in_child=_afresh)  # SQLite's connections do not survive a fork


class DatabaseWrapper(base.DatabaseWrapper):
    _turn: Line | None = None  # while this connection has it

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        self._opened_with = conn_params
        with suppress(IndexError):
            params, connection = _idle.pop() if _idle else ({}, None)  # the last one given back: its pages are fresh
            if params == conn_params:
                return connection
        return super().get_new_connection(conn_params)

    def _start_transaction_under_autocommit(self) -> None:
        self._take_turn()
        try:
            super()._start_transaction_under_autocommit()
        except BaseException:
            self._give_turn()
            raise

    def _commit(self) -> None:
        try:
            super()._commit()
        finally:
            self._give_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()
        finally:
            self._give_turn()

    def _close(self) -> None:
        try:
            if _idle is None or len(_idle) >= MOST_IDLE or self.connection.in_transaction:
                super()._close()
            else:
                _idle.append((self._opened_with, self.connection))
        finally:
            self._give_turn()

    def _take_turn(self) -> None:
        if self._turn or self.is_in_memory_db():
            return
        line = line_of(str(self.settings_dict["NAME"]))
        if not line.wait(self.settings_dict["OPTIONS"].get("timeout", PATIENCE)):
            raise OperationalError("database is locked")
        self._turn = line

    def _give_turn(self) -> None:
        line, self._turn = self._turn, None
        if line:
            line.next()
