"""Uploads that come in parts: each goes on where the last one ended, written by one sender at a time.

The core of tus 1.0 (https://tus.io/protocols/resumable-upload). What came is synced, and then its offset is committed: every
so many bytes, and at the end of a part, however it ends. A sender that is gone leaves a lease that runs out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from registry import connections
from registry.errors import Conflict, Gone, Invalid, Locked, TooLarge
from registry.models import Upload
from registry.partials import InPieces, Partial, forget_partial, partial_of
from registry.services import uploads
from registry.storage import Lost, Unavailable

COMMITTED_AFTER = 64 * 2**20  # bytes


class _Lease:
    """One sender's right to write an upload: in the row, until a time that is its own and that it moves on."""

    def __init__(self, upload: Upload, offset: int) -> None:
        self.upload = upload
        self.committed = offset
        self.until = _deadline()
        free = Q(leased_until=None) | Q(leased_until__lte=timezone.now())
        rows = Upload.objects.filter(free, pk=upload.pk, offset=offset, stored_at=None)
        if not rows.update(leased_until=self.until):
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

    def end(self) -> None:
        """Let the next sender in, at what was committed."""
        self._update(None)

    def _update(self, until: datetime | None, **also: Any) -> None:
        rows = Upload.objects.filter(pk=self.upload.pk, leased_until=self.until)
        mine = rows.update(leased_until=until, **also)
        connections.release()
        if not mine:
            raise _taken(self.upload)
        self.until, self._renewed = until or self.until, time.monotonic()


def _deadline() -> datetime:
    return timezone.now() + settings.UPLOAD_LEASE


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
    partial = _open(upload, offset)
    try:
        _write(partial, lease, chunks)
        upload.offset = partial.size
        upload.pieces = partial.noted().get("pieces", [])
        if partial.size == upload.size:
            _finish(upload, partial, lease)
    except Unavailable:
        lease.end()
        raise
    finally:
        partial.close()
    return upload


def _open(upload: Upload, offset: int) -> Partial | InPieces:
    try:
        return partial_of(str(upload.pk), offset=offset, pieces=upload.pieces, limit=upload.size)
    except Lost:
        _begin_anew(upload)
        raise _mismatch(0) from None


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


def _finish(upload: Upload, partial: Partial | InPieces, lease: _Lease) -> None:
    try:
        partial.hash_again(meanwhile=lambda: lease.hold(partial))  # a large file takes longer than a lease lasts
        partial.check(sha256=upload.sha256, size=upload.size)
    except FileNotFoundError:  # a piece is gone
        _begin_anew(upload)
        raise _mismatch(0) from None
    except Invalid:
        _begin_anew(upload)
        raise
    uploads.finish(upload=upload, incoming=partial)


def _begin_anew(upload: Upload) -> None:
    Upload.objects.filter(pk=upload.pk).update(offset=0, pieces=[], leased_until=None)
    forget_partial(str(upload.pk), upload.pieces)


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
