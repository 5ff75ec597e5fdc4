"""Uploads that come in parts: each goes on where the last one ended, written by one sender at a time.

The core of tus 1.0 (https://tus.io/protocols/resumable-upload). What came is synced, and then its offset is committed: every
so many bytes, and at the end of a part, however it ends. A sender that is gone leaves a lease that runs out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from registry import connections
from registry.errors import Conflict, Gone, Invalid, Locked, TooLarge
from registry.models import Upload
from registry.partials import InPieces, Partial, forget_partial, partial_of
from registry.services import uploads
from registry.storage import Lost, Unavailable

COMMITTED_AFTER = 64 * 2**20  # bytes
LEAST_PAUSE = 0.2  # seconds between two renewals aside


class _Lease:
    """One sender's right to write an upload: in the row, until a time that is its own and that it moves on.

    `after_another`: the one before did not give it back, and may still be about to write.
    """

    def __init__(self, upload: Upload, offset: int) -> None:
        self.upload = upload
        self.committed = offset
        self.until = _deadline()
        rows = Upload.objects.filter(pk=upload.pk, offset=offset, stored_at=None)
        self.after_another = not rows.filter(leased_until=None).update(leased_until=self.until)
        if self.after_another and not rows.filter(_over()).update(leased_until=self.until):
            raise _refused(upload, offset)
        self._renewed = time.monotonic()

    def hold(self, partial: Partial | InPieces) -> None:
        """Return when the next bytes may be written; commits and renews where it is time to."""
        if partial.size - self.committed >= COMMITTED_AFTER:
            self.commit(partial)
        elif time.monotonic() - self._renewed >= settings.UPLOAD_LEASE.total_seconds() / 4:
            self._update(_deadline())

    def commit(self, partial: Partial | InPieces, *, and_end: bool = False) -> None:
        """Sync what came, and write down how much that is; `and_end`: let the next sender in."""
        partial.sync()
        self._update(None if and_end else _deadline(), **partial.noted())
        self.committed = partial.size

    def end(self, **also: Any) -> None:
        """Let the next sender in."""
        self._update(None, **also)

    @contextmanager
    def renewed_aside(self) -> Iterator[None]:
        """Renew while something takes long that cannot be asked in between: a store that is far, a file that is copied."""
        ended = threading.Event()
        aside = threading.Thread(target=self._renew_until, args=(ended,), daemon=True)
        aside.start()
        try:
            yield
        finally:
            ended.set()
            aside.join()

    def _renew_until(self, ended: threading.Event) -> None:
        pause = max(LEAST_PAUSE, settings.UPLOAD_LEASE.total_seconds() / 4)
        while not ended.wait(pause):
            with suppress(DatabaseError):  # the next time; and whoever comes back is told
                if not self._moved(_deadline()):
                    return

    def _update(self, until: datetime | None, **also: Any) -> None:
        if not self._moved(until, **also):
            raise _taken(self.upload)

    def _moved(self, until: datetime | None, **also: Any) -> bool:
        try:
            rows = Upload.objects.filter(pk=self.upload.pk, leased_until=self.until, stored_at=None)
            mine = rows.update(leased_until=until, **also)
        finally:
            connections.release()
        if mine:
            self.until, self._renewed = until or self.until, time.monotonic()
        return bool(mine)


def _deadline() -> datetime:
    return timezone.now() + settings.UPLOAD_LEASE


def _over() -> Q:
    """Leases that ran out, and those that nobody takes so far ahead: from before the clock was set back."""
    now = timezone.now()
    return Q(leased_until__lte=now) | Q(leased_until__gt=now + 2 * settings.UPLOAD_LEASE)


def append(*, upload: Upload, offset: int, chunks: Iterable[bytes]) -> Upload:
    """Add bytes to an upload, at the offset where it stands; with the last of them it is checked and stored.

    Whatever came in order is kept, also when the connection breaks. Raises Conflict (offset_mismatch, with the offset to
    go on from), Locked, Gone, Invalid (size_mismatch, digest_mismatch: then the upload begins anew), StorageFull.
    Holds no database connection while bytes come.
    """
    if upload.stored_at and offset == upload.size:
        return upload  # the answer to the last part was lost
    lease = _Lease(upload, offset)
    upload.refresh_from_db(fields=["pieces"])  # now nobody else adds to them
    connections.release()
    partial = _open(upload, lease, offset)
    try:
        _write(partial, lease, chunks)
        upload.offset = partial.size
        upload.pieces = partial.noted().get("pieces", [])
        return _finish(upload, partial, lease) if partial.size == upload.size else upload
    except Unavailable:
        with suppress(Conflict, Gone):  # what was committed is safe: the next sender goes on from there
            lease.end()
        raise
    finally:
        partial.close()


def _open(upload: Upload, lease: _Lease, offset: int) -> Partial | InPieces:
    try:
        with lease.renewed_aside():
            return partial_of(
                str(upload.pk),
                offset=offset,
                pieces=upload.pieces,
                limit=upload.size,
                after_another=lease.after_another,
            )
    except Lost:
        lease.end(offset=0, pieces=[])
        raise _mismatch(0) from None
    except BaseException:
        lease.end()
        raise


def _write(partial: Partial | InPieces, lease: _Lease, chunks: Iterable[bytes]) -> None:
    try:
        for chunk in chunks:
            lease.hold(partial)
            partial.write(chunk)
    except TooLarge:
        lease.commit(partial, and_end=True)
        raise Invalid(
            "size_mismatch", f"{partial.limit:,} bytes were announced and more came. Ask for a new upload, or send all."
        ) from None
    except (Conflict, Gone, Unavailable):
        raise  # somebody else writes now, or the upload was cancelled: nothing of ours is to be committed
    except BaseException:
        lease.commit(partial, and_end=True)
        raise
    lease.commit(partial, and_end=partial.size < partial.limit)


def _finish(upload: Upload, partial: Partial | InPieces, lease: _Lease) -> Upload:
    try:
        partial.hash_again(meanwhile=lambda: lease.hold(partial))  # a large file takes longer than a lease lasts
        _check(upload, partial, lease)
        with lease.renewed_aside():
            return uploads.finish(upload=upload, incoming=partial)
    except (Conflict, Gone, Invalid):
        raise
    except FileNotFoundError:
        if isinstance(partial, InPieces):
            with suppress(Conflict, Gone):  # a piece is gone: all has to come again, unless it is stored
                lease.end(offset=0, pieces=[])
        return _ended_by_another(upload)
    except BaseException:
        lease.end()  # all that came is kept: the next sender ends it
        raise


def _check(upload: Upload, partial: Partial | InPieces, lease: _Lease) -> None:
    try:
        partial.check(sha256=upload.sha256, size=upload.size)
    except Invalid:
        lease.end(offset=0, pieces=[])
        forget_partial(str(upload.pk), upload.pieces)
        raise


def _ended_by_another(upload: Upload) -> Upload:
    """Return the upload that was stored by somebody else meanwhile; raises where it was cancelled or its bytes are lost."""
    now = Upload.objects.filter(pk=upload.pk).exclude(stored_at=None).first()
    if now is None:
        raise _taken(upload)
    return now


def _refused(upload: Upload, offset: int) -> Conflict | Gone | Locked:
    """Say why an upload cannot be written at this offset now."""
    now = Upload.objects.filter(pk=upload.pk).first()
    if now is None:
        return uploads.said_cancelled()
    if now.offset != offset:
        return _mismatch(now.offset)
    return Locked("upload_locked", "Somebody sends to this upload just now. Ask for its offset again in half a minute.")


def _mismatch(offset: int) -> Conflict:
    said = f"This upload stands at {offset:,} bytes. Go on from there."
    return Conflict("offset_mismatch", said, fields={"offset": offset})


def _taken(upload: Upload) -> Conflict | Gone:
    now = Upload.objects.filter(pk=upload.pk).first()
    if now is None:
        forget_partial(str(upload.pk))
        return uploads.said_cancelled()
    return _mismatch(now.offset)
