"""Bytes on their way: announced, received, stored. Says “stored” only of what the caller may read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import User
from lmvp.numerals import whole_number
from registry import connections
from registry.digests import EMPTY, SHA256
from registry.errors import Gone, Invalid, StorageFull, TooLarge
from registry.incoming import Incoming, free_bytes
from registry.models import Blob, Project, RegisteredModel, Upload
from registry.models.content import UploadQuerySet
from registry.partials import forget_partial
from registry.permissions import Action, require
from registry.services import blobs

MOST_FILES = 10_000
SPARE_BYTES = 64 * 2**20  # left free for the database and the logs


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that somebody wants to send: its size in bytes, and its SHA-256 unless it is hashed on the way."""

    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """The answer to one Wanted: stored already (no upload), or the upload to send the bytes to."""

    wanted: Wanted
    upload: Upload | None


def announce(*, actor: User, model: RegisteredModel, files: Sequence[Wanted]) -> list[Offer]:
    """Answer for each file of a model whether its bytes are needed, and open an upload where they are."""
    return announce_to_project(actor=actor, project=model.project, model=model, files=files)


def announce_to_project(
    *, actor: User, project: Project, files: Sequence[Wanted], model: RegisteredModel | None = None
) -> list[Offer]:
    """Answer for each file whether its bytes are needed, and open an upload where they are, or go on with one that was begun.

    Raises Invalid (bad digest, too many), TooLarge, StorageFull (what is missing does not fit on the disk).
    """
    require(actor, Action.UPLOAD, project)
    _check(files)
    stored = _stored(actor, files)
    missing = [file for file in files if file not in stored]
    if sum(file.size for file in missing) > max(0, free_bytes() - SPARE_BYTES):
        raise StorageFull(
            "storage_full", "These files do not fit on the server's disk. Ask its administrator for space."
        )
    begun = _begun(Upload.objects.filter(actor=actor, project=project, model=model), missing)
    offered = [
        begun.pop(file)
        if file in begun
        else Upload(project=project, model=model, actor=actor, size=file.size, sha256=file.sha256)
        for file in missing
    ]
    Upload.objects.bulk_create(upload for upload in offered if upload._state.adding)
    rows = iter(offered)
    return [Offer(file, None if file in stored else next(rows)) for file in files]


def _begun(uploads: UploadQuerySet, files: Sequence[Wanted]) -> dict[Wanted, Upload]:
    """Return, for those of the files of which some bytes came before, the upload to go on with."""
    digests, found = sorted({file.sha256 for file in files if file.sha256}), dict[Wanted, Upload]()
    for start in range(0, len(digests), blobs.BATCH):
        rows = uploads.open().filter(sha256__in=digests[start : start + blobs.BATCH], stored_at=None, offset__gt=0)
        found |= {Wanted(upload.size, upload.sha256): upload for upload in rows.order_by("offset")}
    return found


def _check(files: Sequence[Wanted]) -> None:
    if len(files) > MOST_FILES:
        raise Invalid("too_many_files", f"Ask for at most {MOST_FILES:,} files in one call.")
    for file in files:
        if file.sha256 and not SHA256.fullmatch(file.sha256):
            raise Invalid("invalid_digest", f"{file.sha256!r} is no SHA-256: 64 lower-case hex digits.")
        if file.size > settings.LMVP_MAX_FILE_SIZE:
            raise TooLarge(
                "too_large", f"A file may have {settings.LMVP_MAX_FILE_SIZE:,} bytes here, not {file.size:,}."
            )
        if file.sha256 == EMPTY and file.size:
            raise Invalid("size_mismatch", "This SHA-256 is that of no bytes at all; the size must be 0.")


def _stored(actor: User, files: Sequence[Wanted]) -> set[Wanted]:
    """Return those of the files that the actor may know to be here; they are kept for a while from now on."""
    digests, sizes = sorted({file.sha256 for file in files if file.sha256}), dict[str, int]()
    for start in range(0, len(digests), blobs.BATCH):
        rows = Blob.objects.readable_by(actor, digests[start : start + blobs.BATCH])
        sizes.update(rows.values_list("pk", "size"))
    live = blobs.refresh(digests=sizes)
    return {file for file in files if file.sha256 in live and file.size == sizes[file.sha256]}


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


def finish(*, upload: Upload, incoming: Incoming) -> Upload:
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


def said_cancelled() -> Gone:
    return Gone("upload_cancelled", "This upload was cancelled while its bytes came. Ask for a new one.")


def keep_files(
    *, actor: User, project: Project, files: Iterable[Incoming], model: RegisteredModel | None = None
) -> None:
    """Store files that came together with what names them, as the actor's own uploads."""
    require(actor, Action.UPLOAD, project)
    for incoming in files:
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
