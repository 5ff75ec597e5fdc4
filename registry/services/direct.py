"""Uploads that their senders bring to the bucket themselves, where they reach it. Nothing that came is kept before it is sure.

Sure is what the store has verified itself (a small file, sent at once), or what was read back here, in the background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from registry import connections, storage
from registry.errors import Conflict, Invalid
from registry.models import Upload
from registry.services import staged
from registry.services.leases import said_cancelled
from registry.stores.beside import at_once

LEAST = 8 * 2**20  # bytes; smaller files go through the server, which hashes them as they come


@dataclass(frozen=True, slots=True)
class Way:
    """Where the bytes of an upload are sent, past us: at once to `href` with `headers`, or in parts."""

    href: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[storage.Part] = ()


def goes_past_us(size: int) -> bool:
    return size >= LEAST and storage.staging() is not None


def ways(opened: Sequence[Upload]) -> dict[UUID, Way]:
    """Return the way of each upload, new or begun; what the store calls it is noted, in rows that are there already.

    Holds no database connection. Raises Unavailable.
    """
    staging = storage.staging()
    if not opened or staging is None:
        return {}
    connections.release()
    return dict(zip([upload.pk for upload in opened], at_once(lambda one: _way(staging, one), opened), strict=True))


def _way(staging: storage.Staging, upload: Upload) -> Way:
    name, seconds = str(upload.pk), _seconds_left(upload)
    if not upload.store_upload and staging.takes_at_once(size=upload.size, sha256=upload.sha256):
        return Way(*staging.address(name, size=upload.size, sha256=upload.sha256, seconds=seconds))
    if upload.store_upload:
        try:
            return Way(parts=staging.parts(name, upload.store_upload, size=upload.size, seconds=seconds))
        except FileNotFoundError:
            if _came_whole(staging, upload):
                return Way()  # joined before: it is to be completed
    upload.store_upload = staging.begin(name)
    if not upload._state.adding:
        Upload.objects.filter(pk=upload.pk).update(store_upload=upload.store_upload)
        connections.release()
    return Way(parts=staging.parts(name, upload.store_upload, size=upload.size, seconds=seconds))


def _seconds_left(upload: Upload) -> int:
    return max(1, int((upload.expires_at - timezone.now()).total_seconds()))


def _came_whole(staging: storage.Staging, upload: Upload) -> bool:
    with suppress(FileNotFoundError):
        return staging.size_of(str(upload.pk)) == upload.size
    return False


def complete(*, upload: Upload, etags: Mapping[int, str]) -> Upload:
    """Take what a sender has brought to the bucket: stored, or being read back (`verifying_at`). Repeat it to hear the end.

    `etags`: what the store answered to each part, where the sender knows. Raises Conflict (nothing_sent, parts_missing with
    their numbers), Invalid (digest_mismatch, size_mismatch, not_direct), Unavailable.
    """
    staging = storage.staging()
    if upload.stored_at:
        return upload
    if upload.refused:
        raise staged.refusal(upload)
    if staging is None:
        raise Invalid("not_direct", "The bytes of this upload come to this server: send them to its `href`.")
    connections.release()
    if upload.store_upload:
        _join(staging, upload, etags)
    try:
        size = staging.size_of(str(upload.pk))
    except FileNotFoundError:
        return _ended_meanwhile(upload)
    if size != upload.size:
        raise staged.refused(staging, upload, "size_mismatch")
    if upload.sha256 and not upload.store_upload and staging.is_sure(str(upload.pk), sha256=upload.sha256):
        return staged.keep(staging, upload, upload.sha256)
    if not upload.store_upload:
        raise staged.refused(staging, upload, "unverified")
    return _verified_aside(upload)


def _join(staging: storage.Staging, upload: Upload, etags: Mapping[int, str]) -> None:
    with suppress(FileNotFoundError):  # joined before
        wrong = staging.join(str(upload.pk), upload.store_upload, size=upload.size, etags=etags)
        if wrong:
            said = f"{len(wrong):,} parts are not there, or are others than you say. Send them again, and complete it then."
            raise Conflict("parts_missing", said, fields={"parts": wrong})


def _ended_meanwhile(upload: Upload) -> Upload:
    """Return an upload of which nothing stands at the store any more, because it was kept a moment ago; else Conflict."""
    now = _now(upload)
    if not now.stored_at:
        said = "Nothing has come to the store yet. Send the bytes first; if you did, ask for a new upload."
        raise Conflict("nothing_sent", said)
    return now


def _now(upload: Upload) -> Upload:
    """Return an upload as it is by now; Gone when it was cancelled, Invalid when what came was refused."""
    current = Upload.objects.filter(pk=upload.pk).first()
    if current is None:
        raise said_cancelled()
    if current.refused:
        raise staged.refusal(current)
    return current


def _verified_aside(upload: Upload) -> Upload:
    """Let what came be read back in the background; again, when nobody has been at it for long."""
    now = timezone.now()
    asked, held = upload.verifying_at, upload.leased_until and upload.leased_until > now
    stale = asked is None or (asked < now - settings.UPLOAD_LEASE and not held)
    seen = Upload.objects.filter(pk=upload.pk, verifying_at=asked, stored_at=None, refused="")
    if stale and seen.update(verifying_at=now):
        staged.verify_upload.using(backend=settings.TASKS_ASIDE).enqueue(upload=str(upload.pk))
    return _now(upload)
