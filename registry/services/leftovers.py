"""What senders left behind: files here, pieces and staged bytes in a bucket, whose upload has ended or is forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from uuid import UUID

from registry import incoming, storage
from registry.models import Upload
from registry.services.budget import Budget

LOOKED_AT_ONCE = 500


def forgotten(*, before: datetime, cutoff: datetime, rehearsal: bool, budget: Budget) -> Iterator[int]:
    """Forget (a rehearsal: only find) what was last written `before`; yields the bytes of each.

    What an upload says of that has not expired at the `cutoff` is left alone.
    """
    for path in incoming.abandoned(before.timestamp()):
        if not _is_promised(path.name, cutoff):
            yield incoming.bytes_of(path)
            if not rehearsal:
                incoming.forget_abandoned(path)
    yield from _pieces(before, cutoff, rehearsal, budget)
    yield from _staged(before, cutoff, rehearsal, budget)


def _is_promised(name: str, cutoff: datetime) -> bool:
    """Whether an upload that is not forgotten yet says of these bytes that they are safe."""
    try:
        upload = UUID(name.partition(".")[0])
    except ValueError:
        return False
    return Upload.objects.filter(pk=upload, stored_at=None, expires_at__gt=cutoff).exists()


def _pieces(before: datetime, cutoff: datetime, rehearsal: bool, budget: Budget) -> Iterator[int]:
    """Pieces in a bucket whose upload has ended, or whose sender was late with them."""
    store = storage.shared()
    old = _old(store.pieces(), before) if store else iter(())
    while store and not budget.is_spent() and (some := list(islice(old, LOOKED_AT_ONCE))):
        rows = Upload.objects.filter(pk__in=_keys(some), expires_at__gt=cutoff)
        named = {(str(pk), name) for pk, pieces in rows.values_list("pk", "pieces") for name, _ in pieces}
        for piece in some:
            if (piece.upload, piece.name) not in named:
                yield piece.size
                if not rehearsal:
                    store.forget_piece(piece.upload, piece.name)


def _staged(before: datetime, cutoff: datetime, rehearsal: bool, budget: Budget) -> Iterator[int]:
    """What senders brought to a bucket themselves, whole or in parts, for uploads that have ended."""
    staging = storage.bucket_staging()
    old = _old(staging.leftovers(), before) if staging else iter(())
    while staging and not budget.is_spent() and (some := list(islice(old, LOOKED_AT_ONCE))):
        rows = Upload.objects.filter(pk__in=_keys(some), stored_at=None, refused="", expires_at__gt=cutoff)
        awaited = {
            (str(pk), name)
            for pk, store_upload in rows.values_list("pk", "store_upload")
            for name in ("", store_upload)
        }
        for piece in some:
            if (piece.upload, piece.name) not in awaited:
                yield piece.size
                if not rehearsal and piece.name:
                    staging.abort(piece.upload, piece.name)
                elif not rehearsal:
                    staging.forget(piece.upload)


def _old(pieces: Iterable[storage.Piece], before: datetime) -> Iterator[storage.Piece]:
    return (piece for piece in pieces if piece.written_at < before.timestamp())


def _keys(pieces: Iterable[storage.Piece]) -> set[UUID]:
    """Return the uploads that these name; what is called otherwise belongs to none."""
    found = set()
    for piece in pieces:
        try:
            found.add(UUID(piece.upload))
        except ValueError:
            continue
    return found
