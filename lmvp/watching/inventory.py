"""What there is, asked of the database when Prometheus asks: kept for a while, the longer the dearer it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from django.core.cache import cache
from django.db import Error, connection
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from registry.models import Blob, Upload, Version
from registry.services.garbage import LAST_RUN

KEPT = 15.0  # seconds at least
SHARE = 0.01  # of the time, at most, goes into asking

COUNTS = """
    SELECT state, count(*), coalesce(sum(size), 0) FROM registry_blob GROUP BY state
"""
TRASHED = """
    SELECT (SELECT count(*) FROM registry_version WHERE trashed_at IS NOT NULL),
           (SELECT count(*) FROM registry_registeredmodel WHERE trashed_at IS NOT NULL),
           (SELECT count(*) FROM registry_project WHERE trashed_at IS NOT NULL)
"""


class Inventory:
    """A collector for prometheus_client; each process has one."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._until, self._found = 0.0, list[Metric]()

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> list[Metric]:
        with self._asking:
            started = time.monotonic()
            if started >= self._until:
                self._found = list(_ask())
                took = time.monotonic() - started
                self._until = time.monotonic() + max(KEPT, took / SHARE)
            return self._found


def _ask() -> Iterator[Metric]:
    up = GaugeMetricFamily("lmvp_database_up", "Whether the database answered.", value=1)
    try:
        yield from [*_blobs(), _uploads(), _versions(), _trash(), *_garbage()]
    except Error:
        up = GaugeMetricFamily("lmvp_database_up", "Whether the database answered.", value=0)
    yield up


def _blobs() -> Iterator[Metric]:
    count = GaugeMetricFamily("lmvp_blobs", "Blobs by state.", labels=["state"])
    size = GaugeMetricFamily("lmvp_blob_bytes", "Bytes of blobs by state.", labels=["state"])
    with connection.cursor() as cursor:
        cursor.execute(COUNTS)
        found = {state: (number, total) for state, number, total in cursor.fetchall()}
    for state in Blob.State.values:
        number, total = found.get(state, (0, 0))
        count.add_metric([state], number)
        size.add_metric([state], float(total))
    yield from (count, size)


def _uploads() -> Metric:
    number = Upload.objects.filter(stored_at=None, expires_at__gt=timezone.now()).count()
    return GaugeMetricFamily("lmvp_uploads_open", "Uploads announced and not finished.", value=number)


def _versions() -> Metric:
    return GaugeMetricFamily("lmvp_versions", "Versions, those in the trash too.", value=Version.objects.count())


def _trash() -> Metric:
    family = GaugeMetricFamily("lmvp_trash_rows", "What is in the trash.", labels=["kind"])
    with connection.cursor() as cursor:
        cursor.execute(TRASHED)
        for kind, number in zip(("version", "model", "project"), cursor.fetchone(), strict=True):
            family.add_metric([kind], number)
    return family


def _garbage() -> Iterator[Metric]:
    last = cache.get(LAST_RUN) or {"at": 0, "files": 0, "bytes": 0}
    for name, words, key in (
        ("lmvp_garbage_last_run_timestamp_seconds", "When garbage was last collected; 0: never.", "at"),
        ("lmvp_garbage_last_run_freed_files", "Files that the last run deleted.", "files"),
        ("lmvp_garbage_last_run_freed_bytes", "Bytes that the last run deleted.", "bytes"),
    ):
        yield GaugeMetricFamily(name, words, value=last[key])
