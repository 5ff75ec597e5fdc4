"""Says which queries were slow: their SQL with the places of the values, never the values."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings

from lmvp.watching import tallies

logger = logging.getLogger("lmvp.slow")
MOST_CHARACTERS = 2000


def note_slow(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """A wrapper for connection.execute_wrapper."""
    started = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        ms = (time.perf_counter() - started) * 1000
        if ms >= settings.SLOW_QUERY_MS > 0:
            tallies.slow_queries.inc()
            facts = {"ms": round(ms, 1), "sql": " ".join(str(sql).split())[:MOST_CHARACTERS]}
            logger.warning("slow query: %(ms)s ms: %(sql)s", facts, extra=facts)
