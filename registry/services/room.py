"""Room for what is announced or sent: on the disk, where what others announced counts as taken, and within the quotas.

Asked before a byte comes. An announcement keeps its room for UPLOAD_ROOM_KEPT, and then for as long as bytes of it come.
With a bucket files only pass through the disk of this machine, and what others announced takes no room there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from lmvp.inserting import insert
from registry import storage
from registry.errors import StorageFull
from registry.incoming import free_bytes
from registry.models import Project, Upload
from registry.services import quotas
from registry.sizes import readable

SPARE_BYTES = 64 * 2**20  # left free for the database and the logs
SMALL = 16 * 2**20  # bytes of a body that the spare ones hold anyway, and that are not files: names and headers
DISK_LOCK = 0x6C6D7673  # in PostgreSQL's one namespace of advisory locks, beside those of alone.py


def open_uploads(*, actor: User, project: Project, uploads: Sequence[Upload], past: Collection[UUID] = ()) -> None:
    """Write the rows of uploads, new or begun: their bytes have room from now on. StorageFull, and no row, otherwise.

    Those whose keys are in `past` go past us, and need no room on this disk.
    """
    here, fresh = _to_come(uploads, past), _fresh(uploads)
    begun = [upload for upload in uploads if not upload._state.adding]
    if not uploads:
        return
    _require_disk(here)
    limits = quotas.quotas_of(actor=actor, project=project)
    with transaction.atomic():
        quotas.lock(limits)
        quotas.require_for(limits, _sizes(fresh), unnamed=_unnamed(fresh))
        insert(*fresh)
        woken = _wake(begun)
    # Looked at when our own are there for all to see: of several at once, the last one sees them all, without a lock.
    if here and (fresh or woken) and storage.is_on_disk() and _is_overbooked():
        _give_back(fresh, woken, here)


def require(*, actor: User, project: Project, uploads: Sequence[Upload], past: Collection[UUID] = ()) -> None:
    """Return when there seems to be room for uploads that open_uploads will be asked for; StorageFull otherwise."""
    _require_disk(_to_come(uploads, past))
    fresh = _fresh(uploads)
    limits = quotas.quotas_of(actor=actor, project=project)
    quotas.require_for(limits, _sizes(fresh), unnamed=_unnamed(fresh))


def require_for_body(*, actor: User, project: Project | None, size: int) -> None:
    """Return when a form or pack of so many bytes (0: not known) may come; StorageFull otherwise."""
    large = size > SMALL
    _require_disk(size, but_of=actor if large and storage.is_on_disk() else None)
    if large:
        quotas.require_for_body(quotas.quotas_of(actor=actor, project=project), actor=actor, size=size, spare=SMALL)


def _fresh(uploads: Sequence[Upload]) -> list[Upload]:
    return [upload for upload in uploads if upload._state.adding]


def _to_come(uploads: Sequence[Upload], past: Collection[UUID]) -> int:
    return sum(upload.size - upload.offset for upload in uploads if upload.pk not in past)


def _sizes(uploads: Sequence[Upload]) -> Mapping[str, int]:
    sizes = dict[str, int]()
    for upload in uploads:
        if upload.sha256:
            sizes[upload.sha256] = max(upload.size, sizes.get(upload.sha256, 0))
    return sizes


def _unnamed(uploads: Sequence[Upload]) -> int:
    return sum(upload.size for upload in uploads if not upload.sha256)


def _wake(begun: Sequence[Upload]) -> list[UUID]:
    """Let uploads that one goes on with have room again; return the keys of those that had none any more."""
    now = timezone.now()
    asleep = [upload.pk for upload in begun if upload.alive_at <= now - settings.UPLOAD_ROOM_KEPT]
    if asleep:
        Upload.objects.filter(pk__in=asleep).update(alive_at=now)
    return asleep


# --- The disk


def _require_disk(size: int, *, but_of: User | None = None) -> None:
    """Refuse what does not fit; `but_of`: beside what all but this user announced."""
    free = _free()
    if but_of:
        free -= Upload.objects.bytes_to_come(room=free - size, but_of=but_of.pk)
    if size > free:
        raise _full(size)


def _free() -> int:
    return max(0, free_bytes() - SPARE_BYTES)


def _is_overbooked() -> bool:
    free = _free()
    return Upload.objects.bytes_to_come(room=free) > free


def _give_back(fresh: Sequence[Upload], woken: Sequence[UUID], size: int) -> None:
    """Take rows back when more is announced than fits, and refuse: one announcer at a time, so that what fits then stays."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DISK_LOCK])
        if not _is_overbooked():
            return
        Upload.objects.filter(pk__in=[upload.pk for upload in fresh]).delete()
        Upload.objects.filter(pk__in=woken).update(alive_at=F("created_at"))
    raise _full(size)


def _full(size: int) -> StorageFull:
    said = f"The server's disk has no room for these {readable(size)}, beside what others are sending."
    return StorageFull("storage_full", f"{said} Try again later, or ask {quotas.whom_to_ask()} for space.")
