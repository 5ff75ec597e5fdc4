"""Bytes on their way: whose they are, received, stored, cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import User
from lmvp.numerals import whole_number
from registry import connections, storage
from registry.errors import Gone, Invalid, TooLarge
from registry.incoming import Incoming
from registry.models import Project, RegisteredModel, Upload
from registry.partials import forget_partial
from registry.permissions import Action, require
from registry.services import blobs, quotas
from registry.services.leases import said_cancelled


def find_upload(
    *, actor: User | None, upload_id: str, signature: str = "", expires: str = "", action: Action = Action.UPLOAD
) -> Upload:
    """Return an upload that the caller may write (or `action`): its own, or by a signed address; else Upload.DoesNotExist."""
    upload = Upload.objects.select_related("actor", "project").get(pk=upload_id)
    signed = bool(signature) and _signature_holds(upload_id, signature, expires)
    if not upload.actor.is_active or (not signed and (actor is None or actor.pk != upload.actor_id)):
        raise Upload.DoesNotExist
    if upload.expires_at <= timezone.now():
        raise Gone("upload_expired", "This upload has expired. Ask for a new one.")
    try:
        require(upload.actor if signed or actor is None else actor, action, upload.project)
    except ObjectDoesNotExist:
        raise Upload.DoesNotExist from None
    return upload


def receive(*, upload: Upload, chunks: Iterable[bytes]) -> Upload:
    """Take the bytes of an upload, whole and as announced; the blob and then the upload's row are written.

    Holds no database connection while bytes come. Raises Invalid (size_mismatch, digest_mismatch), TooLarge,
    StorageFull; nothing is kept then.
    """
    connections.release()
    with Incoming(limit=upload.size) as incoming:
        try:
            incoming.write_all(chunks)
        except TooLarge:
            raise Invalid(
                "size_mismatch",
                f"{upload.size:,} bytes were announced and more came. Ask for a new upload, or send all.",
            ) from None
        incoming.check(sha256=upload.sha256, size=upload.size)
        return finish(upload=upload, incoming=incoming)


def finish(*, upload: Upload, incoming: blobs.Arrived) -> Upload:
    """Store the bytes of an upload that are all there and checked: the blob, and then the upload's row."""
    blob = blobs.keep(incoming=incoming)
    upload.sha256, upload.offset, upload.stored_at = blob.pk, blob.size, timezone.now()
    found = {"sha256": upload.sha256, "offset": upload.offset, "stored_at": upload.stored_at, "leased_until": None}
    found["pieces"] = []
    there = Upload.objects.filter(pk=upload.pk).update(**found)
    forget_partial(
        str(upload.pk), upload.pieces
    )  # behind the row: without it, and not stored, all would have to come again
    if not there:
        raise said_cancelled()
    return upload


def keep_files(
    *, actor: User, project: Project, files: Iterable[Incoming], model: RegisteredModel | None = None
) -> None:
    """Store files that came together with what names them, as the actor's own uploads. StorageFull over a quota."""
    require(actor, Action.UPLOAD, project)
    arrived = list(files)
    sizes = {incoming.sha256: incoming.size for incoming in arrived}
    quotas.require_for(quotas.quotas_of(actor=actor, project=project), sizes)
    for incoming in arrived:
        blob = blobs.keep(incoming=incoming)
        Upload.objects.create(
            project=project,
            model=model,
            actor=actor,
            size=blob.size,
            offset=blob.size,
            sha256=blob.pk,
            stored_at=timezone.now(),
        )


def cancel(*, upload: Upload) -> None:
    """Forget an upload, and what came of it."""
    name = str(upload.pk)
    with transaction.atomic():
        upload.delete()
    forget_partial(name, upload.pieces)
    if staging := storage.staging():
        with suppress(storage.Unavailable):  # then it is garbage later
            staging.forget(name, upload.store_upload)


def sign(upload: Upload) -> dict[str, str]:
    """Return the query that lets whoever has it send this upload's bytes until it expires."""
    expires = str(int(upload.expires_at.timestamp()))
    return {"expires": expires, "signature": _signature(str(upload.pk), expires)}


def _signature(upload_id: str, expires: str) -> str:
    return salted_hmac("registry.uploads", f"PUT {upload_id} {expires}", algorithm="sha256").hexdigest()


def _signature_holds(upload_id: str, signature: str, expires: str) -> bool:
    if not constant_time_compare(signature, _signature(str(upload_id), expires)):
        return False
    return (whole_number(expires) or 0) > timezone.now().timestamp()
