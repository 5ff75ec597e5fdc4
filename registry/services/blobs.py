"""Keeping bytes: first the synced file under its digest, then the row. A live row is the only promise that bytes are there."""

from __future__ import annotations

import time
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from registry import connections
from registry.errors import Busy
from registry.models import Blob
from registry.storage import Incoming

BATCH = 500
PATIENCE = 30.0  # seconds that an upload waits for the collector to finish deleting the same bytes


def keep(*, incoming: Incoming) -> Blob:
    """Make the blob of bytes that have arrived. A live row already there is success; bytes being deleted are awaited."""
    deadline = time.monotonic() + PATIENCE
    while True:
        blob = Blob.objects.filter(pk=incoming.sha256).first()
        if blob is None:
            return _store(incoming)
        if blob.state == Blob.State.LIVE and refresh(digests=[blob.pk]):
            return blob
        if time.monotonic() > deadline:
            raise Busy("being_deleted", "The same bytes are just being deleted here. Send the file again in a minute.")
        connections.release()
        time.sleep(0.1)


def _store(incoming: Incoming) -> Blob:
    connections.release()  # syncing a large file takes seconds
    incoming.store()
    blob, _ = Blob.objects.get_or_create(pk=incoming.sha256, defaults={"size": incoming.size})
    return blob


def refresh(*, digests: Iterable[str]) -> set[str]:
    """Note, under the rows' locks, that these blobs are in use now; return those that are live."""
    wanted, live = sorted(set(digests)), set[str]()
    with transaction.atomic(savepoint=False):
        for start in range(0, len(wanted), BATCH):
            rows = Blob.objects.live().filter(pk__in=wanted[start : start + BATCH]).order_by("pk")
            found = list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
            Blob.objects.filter(pk__in=found).update(used_at=timezone.now())
            live.update(found)
    return live
