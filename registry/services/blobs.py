"""Keeping bytes: first the synced file under its digest, then the row. A live row is the only promise that bytes are there."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from lmvp.inserting import insert
from lmvp.prepared import prepared, prepared_update
from registry import connections
from registry.errors import Busy
from registry.models import Blob
from registry.packs import Pack
from registry.services import activation, events
from registry.storage import all_exist, blob_exists

BATCH = 500
PATIENCE = 30.0  # seconds that an upload waits for the collector to finish deleting the same bytes


class Arrived(Protocol):
    """A file whose bytes are all here, hashed: of an upload, a form or a pack."""

    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    def store(self) -> str: ...


def keep(*, incoming: Arrived) -> Blob:
    """Make the blob of bytes that have arrived. A live row already there is success; bytes being deleted are awaited.

    Bytes that were found damaged or missing are healed by the ones that arrived.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        blob = Blob.objects.filter(pk=incoming.sha256).first()
        if blob is None and (blob := _store(incoming)):
            return blob
        if blob and blob.state == Blob.State.LIVE and refresh(digests=[blob.pk]):
            return blob
        if blob and blob.state == Blob.State.DAMAGED and _heal(incoming):
            return Blob.objects.get(pk=blob.pk)
        if time.monotonic() > deadline:
            raise Busy("being_deleted", "The same bytes are just being deleted here. Send the file again in a minute.")
        connections.release()
        time.sleep(0.1)


def _store(incoming: Arrived) -> Blob | None:
    """Store the bytes and make their row. None where that has to be looked at, or done, again.

    The collector may take these bytes for an orphaned file before their row is there: then its own row is there, or, when
    it is through, no file any more. Once our row is there it leaves them alone.
    """
    connections.release()  # syncing a large file takes seconds
    incoming.store()
    with suppress(IntegrityError), transaction.atomic():  # there is a row of somebody else's, or was a moment ago
        blob = Blob.objects.create(pk=incoming.sha256, size=incoming.size)
        if blob_exists(blob.pk):
            return blob
        transaction.set_rollback(True)
    return None


def keep_all(*, pack: Pack) -> None:
    """Make the blobs of all files of a pack: one sync and one transaction for those that are not here.

    What is being deleted or was damaged is awaited or healed one by one: that is rare.
    """
    deadline = time.monotonic() + PATIENCE
    left = set(pack.sizes) - refresh(digests=pack.sizes)
    while left:
        met = _met(left)
        for digest in sorted(met):
            keep(incoming=pack.file(digest))
        left -= met
        if not left or _store_all(pack, left):
            return
        if time.monotonic() > deadline:
            raise Busy(
                "being_deleted", "Others send or delete the same files just now. Send the pack again in a minute."
            )
        left -= refresh(digests=left)


def _met(digests: set[str]) -> set[str]:
    """Return those of the digests that have a row."""
    wanted, found = sorted(digests), set[str]()
    for start in range(0, len(wanted), BATCH):
        found.update(Blob.objects.filter(pk__in=wanted[start : start + BATCH]).values_list("pk", flat=True))
    return found


def _store_all(pack: Pack, digests: set[str]) -> bool:
    """Store files and make their rows, as `_store` does; False, and no row, where one of them has to be looked at again."""
    connections.release()
    pack.store(digests)
    now = timezone.now()
    # In order: two packs do not wait for each other crosswise.
    rows = [Blob(pk=digest, size=pack.sizes[digest], used_at=now) for digest in sorted(digests)]
    with suppress(IntegrityError), transaction.atomic():
        insert(*rows)
        if all_exist(digests):
            return True
        transaction.set_rollback(True)
    return False


def _heal(incoming: Arrived) -> bool:
    """Store the bytes again for a row that has none, and make it live; False when it has changed meanwhile."""
    connections.release()
    incoming.store()
    with transaction.atomic():
        row = Blob.objects.filter(pk=incoming.sha256, state=Blob.State.DAMAGED).select_for_update(no_key=True).first()
        # Whoever sets damaged bytes aside holds this lock: from here on what stands there is what just arrived.
        if row is None or not blob_exists(row.pk):
            return False
        make_live(row)
    return True


def make_live(row: Blob) -> None:
    """Let a damaged blob be used again, whose bytes stand in the store; in the transaction that locked its row."""
    row.state, row.used_at, row.verified_at = Blob.State.LIVE, timezone.now(), None
    row.save(update_fields=["state", "used_at", "verified_at"])
    events.record(actor=None, action="blob.healed", project=None, subject=row.pk)
    activation.healed(digest=row.pk)


def refuse_damaged(digests: Iterable[str]) -> None:
    """Raise Busy (blob_damaged) when the bytes of one of these are known to be damaged or missing."""
    damaged = Blob.objects.filter(state=Blob.State.DAMAGED).values_list("pk", flat=True)
    if not set(damaged).isdisjoint(digests):
        raise said_damaged()


def said_damaged() -> Busy:
    return Busy(
        "blob_damaged",
        "The bytes of a file of this version are damaged or missing on the server. Upload the same file again to heal"
        " it (publish it anew), or ask the administrator for the backup.",
    )


def refresh(*, digests: Iterable[str]) -> set[str]:
    """Note, under the rows' locks, that these blobs are in use now; return those that are live."""
    wanted, live = sorted(set(digests)), set[str]()
    with transaction.atomic(savepoint=False):
        for start in range(0, len(wanted), BATCH):
            found = [digest for (digest,) in _locked(wanted[start : start + BATCH])]
            if found:
                _note_use(found, timezone.now())
            live.update(found)
    return live


@prepared
def _locked(digests: list[str]) -> QuerySet[Any, tuple[str]]:
    return Blob.objects.live().filter(pk__in=digests).order_by("pk").select_for_update(no_key=True).values_list("pk")


@prepared_update
def _note_use(digests: list[str], now: datetime) -> tuple[QuerySet[Blob], dict[str, Any]]:
    return Blob.objects.filter(pk__in=digests), {"used_at": now}
