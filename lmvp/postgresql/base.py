"""Django's PostgreSQL backend, holding at most DATABASE_CONNECTIONS connections per process; further threads wait.

In the server's workers a connection that is given back is kept for the next request: opening one costs more than most
requests do. Nothing here may leave state in a session (SET, session advisory locks, temporary tables) but the statements
of plans.py, and those only where no PgBouncer hands the session to others.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from django.db.utils import OperationalError
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from lmvp.postgresql import plans
from lmvp.watching import tallies

PATIENCE = 30.0  # seconds until a thread without a connection gives up, and its request answers 503


class Connections:
    """The connections of one process: how many may be open, and those that nobody uses now."""

    def __init__(self, *, keeping: bool = False) -> None:
        self.gate = threading.BoundedSemaphore(settings.DATABASE_CONNECTIONS)
        self.keeping = keeping
        self._idle: deque[tuple[dict[str, Any], Any]] = deque()

    def take(self, params: dict[str, Any]) -> Any | None:
        """Return the one that was given back last, if it still lives and leads to the same place; else None."""
        try:
            asked, connection = self._idle.pop()
        except IndexError:
            return None
        if asked == params and _lives(connection):
            return connection
        connection.close()
        return self.take(params)

    def give_back(self, params: dict[str, Any], connection: Any) -> None:
        if self.keeping and _is_as_new(connection):
            self._idle.append((params, connection))
        else:
            connection.close()


def _is_as_new(connection: Any) -> bool:
    if connection.closed or connection.get_transaction_status() != TRANSACTION_STATUS_IDLE:
        return False
    return not connection.is_old


def _lives(connection: Any) -> bool:
    """Whether the server has said nothing since: all that it says to an idle connection is good-bye."""
    if connection.closed:
        return False
    heard = select.poll()  # select() knows no descriptor above 1,023, and slow transfers take many
    heard.register(connection, select.POLLIN)
    return not heard.poll(0)


_connections = Connections()


def keep_connections() -> None:
    """From now on this process answers requests: it keeps the connections that it opens and gives back, they go through
    PgBouncer where there is one, and no statement may take longer than STATEMENT_TIMEOUT."""
    global _connections
    _connections = Connections(keeping=True)
    if settings.PGBOUNCER:  # a cursor of the server would outlive its transaction
        connections.settings[DEFAULT_DB_ALIAS]["DISABLE_SERVER_SIDE_CURSORS"] = True


def _afresh() -> None:
    global _connections
    _connections = Connections()


os.register_at_fork(after_in_child=_afresh)  # a worker counts its own; the master keeps none


def _through_pgbouncer() -> dict[str, Any]:
    said = settings.PGBOUNCER
    names = {"host": "HOST", "port": "PORT", "dbname": "NAME", "user": "USER", "password": "PASSWORD"}
    return {name: said[key] for name, key in names.items() if said.get(key)}


def _bounds() -> str:
    """Say as a startup parameter how long a statement may take, and half of it for its locks: a session's own SET would
    be state that PgBouncer hands to others."""
    ms = settings.STATEMENT_TIMEOUT * 1000
    return f"-c statement_timeout={ms} -c lock_timeout={ms // 2}"


class DatabaseWrapper(base.DatabaseWrapper):
    direct = False  # for what needs a session of its own, past PgBouncer

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        params["connection_factory"] = plans.Session
        if not _connections.keeping:
            return params
        if settings.PGBOUNCER and not self.direct:
            return params | _through_pgbouncer()
        return params | {"options": f"{params.get('options', '')} {_bounds()}".strip()}

    execute_by_name = staticmethod(plans.execute_by_name)

    def for_session(self) -> DatabaseWrapper:
        """Return another connection to the same database, whose session lasts: for advisory locks."""
        own: DatabaseWrapper = self.copy()
        own.direct = True
        return own

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        held = _connections
        if not held.gate.acquire(timeout=PATIENCE):
            raise OperationalError("every database connection of this process is in use")
        try:
            connection = held.take(conn_params) or super().get_new_connection(conn_params)
            connection.keeps_plans = held.keeping and not settings.PGBOUNCER  # which hands sessions to others
            self.isolation_level = IsolationLevel.READ_COMMITTED
        except BaseException:
            held.gate.release()
            raise
        self._held = held, conn_params
        tallies.database_connections.inc()
        return connection

    def _close(self) -> None:
        held, params = getattr(self, "_held", (None, {}))
        self._held = None, {}
        if held is None:
            super()._close()
            return
        try:
            with self.wrap_database_errors:
                if self.direct:  # its session may hold locks
                    self.connection.close()
                else:
                    held.give_back(params, self.connection)
        finally:
            held.gate.release()
            tallies.database_connections.dec()
