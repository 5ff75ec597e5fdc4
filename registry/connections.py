"""Giving the database connection back before bytes travel, so that slow transfers hold none."""

from __future__ import annotations

from django.db import connections


def release() -> None:
    """Close this thread's database connections; the next query opens one again. Never inside a transaction."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
