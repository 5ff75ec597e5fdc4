"""Django's PostgreSQL backend, holding at most DATABASE_CONNECTIONS connections per process; further threads wait."""

from __future__ import annotations

import os
import threading
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from django.db.utils import OperationalError

PATIENCE = 30.0  # seconds until a thread without a connection gives up, and its request answers 503

_gate = threading.BoundedSemaphore(settings.DATABASE_CONNECTIONS)


def _fresh_gate() -> None:
    global _gate
    _gate = threading.BoundedSemaphore(settings.DATABASE_CONNECTIONS)


os.register_at_fork(after_in_child=_fresh_gate)  # a worker counts its own


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        gate = _gate
        if not gate.acquire(timeout=PATIENCE):
            raise OperationalError("every database connection of this process is in use")
        try:
            connection = super().get_new_connection(conn_params)
        except BaseException:
            gate.release()
            raise
        self._held_gate = gate
        return connection

    def _close(self) -> None:
        try:
            super()._close()
        finally:
            gate, self._held_gate = getattr(self, "_held_gate", None), None
            if gate is not None:
                gate.release()
