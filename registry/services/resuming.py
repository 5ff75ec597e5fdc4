"""Uploads that come in parts: each goes on where the last one ended, written by one sender at a time.

The core of tus 1.0 (https://tus.io/protocols/resumable-upload). What came is synced, and then its offset is committed: every
so many bytes, and at the end of a part, however it ends. A sender that is gone leaves a lease that runs out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, suppress

from registry import connections
from registry.errors import Conflict, Gone, Invalid, TooLarge
from registry.models import Upload
from registry.partials import InPieces, Partial, forget_partial, partial_of
from registry.services import uploads
from registry.services.leases import Lease, mismatch, taken
from registry.storage import Lost, Unavailable


def append(*, upload: Upload, offset: int, chunks: Iterable[bytes]) -> Upload:
    """Add bytes to an upload, at the offset where it stands; with the last of them it is checked and stored.

    Whatever came in order is kept, also when the connection breaks. Raises Conflict (offset_mismatch, with the offset to
    go on from), Locked, Gone, Invalid (size_mismatch, digest_mismatch: then the upload begins anew), StorageFull.
    Holds no database connection while bytes come.
    """
    if upload.stored_at and offset == upload.size:
        return upload  # the answer to the last part was lost
    lease = Lease(upload, offset)
    with lease.given_back():
        upload.refresh_from_db(fields=["pieces"])  # now nobody else adds to them
        connections.release()
        with closing(_open(upload, lease, offset)) as partial:
            _write(partial, lease, chunks)
            upload.offset = partial.size
            upload.pieces = partial.noted().get("pieces", [])
            return _finish(upload, partial, lease) if partial.size == upload.size else upload


def _open(upload: Upload, lease: Lease, offset: int) -> Partial | InPieces:
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
        raise mismatch(0) from None


def _write(partial: Partial | InPieces, lease: Lease, chunks: Iterable[bytes]) -> None:
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


def _finish(upload: Upload, partial: Partial | InPieces, lease: Lease) -> Upload:
    try:
        partial.hash_again(meanwhile=lambda: lease.hold(partial))  # a large file takes longer than a lease lasts
        _check(upload, partial, lease)
        with lease.renewed_aside():
            return uploads.finish(upload=upload, incoming=partial)
    except FileNotFoundError:
        if isinstance(partial, InPieces):
            with suppress(Conflict, Gone):  # a piece is gone: all has to come again, unless it is stored
                lease.end(offset=0, pieces=[])
        return _ended_by_another(upload)


def _check(upload: Upload, partial: Partial | InPieces, lease: Lease) -> None:
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
        raise taken(upload)
    return now
