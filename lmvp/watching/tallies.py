"""The figures that the server's processes count as they work, summed up over all workers. Labels have few values, always:
a route's pattern, never a path; no name of a project, model or person."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from prometheus_client import Counter, Gauge, Histogram

P = ParamSpec("P")
Answer = TypeVar("Answer")

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

requests = Counter("lmvp_requests", "Requests answered.", ["method", "route", "status"])
request_seconds = Histogram(
    "lmvp_request_seconds",
    "Time to an answer's first byte, without waiting for the request's body.",
    ["method", "route"],
    buckets=SECONDS,
)
bytes_in = Counter("lmvp_received_bytes", "Bytes of requests' bodies that were read.")
bytes_out = Counter("lmvp_sent_bytes", "Bytes of answers' bodies, as announced where that was said.")
uploads = Gauge("lmvp_uploads_in_flight", "Requests whose bytes are coming now.", multiprocess_mode="livesum")
downloads = Gauge("lmvp_downloads_in_flight", "Answers that are streamed now.", multiprocess_mode="livesum")
publishes = Counter("lmvp_publishes", "Versions published.")
storage_errors = Counter("lmvp_storage_errors", "Failures of the disk or bucket that holds the blobs.", ["operation"])
database_connections = Gauge(
    "lmvp_database_connections_in_use", "PostgreSQL connections that threads hold now.", multiprocess_mode="livesum"
)
slow_requests = Counter("lmvp_slow_requests", "Requests that took longer than LMVP_SLOW_REQUEST_MS.")
slow_queries = Counter("lmvp_slow_queries", "Queries that took longer than LMVP_SLOW_QUERY_MS.")


def failures_counted(operate: Callable[P, Answer]) -> Callable[P, Answer]:
    """Count what a function of the store raises, by its name; files that are not there are no failure of the store."""
    failures = storage_errors.labels(operate.__name__)

    @wraps(operate)
    def counted(*args: P.args, **kwargs: P.kwargs) -> Answer:
        try:
            return operate(*args, **kwargs)
        except FileNotFoundError:
            raise
        except Exception:
            failures.inc()
            raise

    return counted
