"""Many small files received in one request: all of them, or none. Says nothing of what was here before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.models import User
from lmvp.inserting import insert
from lmvp.prepared import prepared
from registry import connections
from registry.errors import TooLarge
from registry.models import RegisteredModel, Upload
from registry.models.content import upload_deadline
from registry.packs import Pack
from registry.permissions import Action, require
from registry.services import blobs, quotas, room
from registry.tars import Bounds, members


def receive_pack(
    *, actor: User, model: RegisteredModel, chunks: Iterable[bytes], announced: int = 0
) -> list[tuple[str, int]]:
    """Take a tar of files named by their digest, as the actor's own uploads; return digest and size of each, in order.

    `announced` is its length, where that is known. Holds no database connection while bytes come. Raises Invalid
    (invalid_pack, digest_mismatch, too_many_files, size_mismatch), TooLarge, StorageFull; nothing is kept then.
    """
    require(actor, Action.UPLOAD, model.project)
    _refuse_too_large(announced)
    room.require_for_body(actor=actor, project=model.project, size=announced)
    connections.release()
    bounds = Bounds(settings.LMVP_PACK_FILES, settings.LMVP_PACK_FILE_SIZE, settings.LMVP_PACK_SIZE)
    with Pack() as pack:
        pack.receive(members(chunks, bounds))
        require(actor, Action.UPLOAD, model.project)  # again: who was removed while the files came brings none
        limits = quotas.quotas_of(actor=actor, project=model.project)
        quotas.require_for(limits, pack.sizes)
        blobs.keep_all(pack=pack)
        with transaction.atomic():
            quotas.lock(limits)
            quotas.require_for(limits, pack.sizes)  # again: another may have been quicker
            _note(actor, model, pack.sizes)
    return list(pack.sizes.items())


def _refuse_too_large(size: int) -> None:
    if size > settings.LMVP_PACK_SIZE:
        raise TooLarge("too_large", f"A pack has at most {settings.LMVP_PACK_SIZE:,} bytes here. Send smaller ones.")


def _note(actor: User, model: RegisteredModel, sizes: Mapping[str, int]) -> None:
    """Let the files be the actor's uploads: those that were announced and not begun, and new ones for the others."""
    now = timezone.now()
    fulfilled = _announced(actor, model, sizes, now)
    pks = list(fulfilled.values())
    for start in range(0, len(pks), blobs.BATCH):
        rows = Upload.objects.filter(pk__in=pks[start : start + blobs.BATCH])
        rows.update(stored_at=now, offset=F("size"))
    about = {"project_id": model.project_id, "model_id": model.pk, "actor_id": actor.pk}
    times = {"stored_at": now, "alive_at": now, "expires_at": upload_deadline()}
    rest = [(digest, size) for digest, size in sizes.items() if digest not in fulfilled]
    insert(*(Upload(**about, **times, size=size, offset=size, sha256=digest) for digest, size in rest))


def _announced(actor: User, model: RegisteredModel, sizes: Mapping[str, int], now: datetime) -> dict[str, UUID]:
    """Return the uploads that wait for exactly these files, by digest. Locked: nobody cancels them now."""
    digests, found = sorted(sizes), dict[str, UUID]()
    for start in range(0, len(digests), blobs.BATCH):
        rows = _waiting(digests[start : start + blobs.BATCH], actor.pk, model.pk, now)
        found |= {digest: pk for pk, digest, size in rows if size == sizes[digest]}
    return found


@prepared
def _waiting(digests: list[str], actor: int, model: int, now: datetime) -> QuerySet[Any, tuple[UUID, str, int]]:
    waiting = Upload.objects.open(now).filter(actor=actor, model=model, stored_at=None, offset=0, leased_until=None)
    held = waiting.filter(sha256__in=digests).order_by("pk").select_for_update()
    return held.values_list("pk", "sha256", "size")
