"""Bytes that somebody wants to send: which of them are needed, and where they go. Says “stored” only of what the caller may read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from registry.digests import EMPTY, SHA256
from registry.errors import Invalid, TooLarge
from registry.models import Blob, Project, RegisteredModel, Upload
from registry.models.content import UploadQuerySet, upload_deadline
from registry.permissions import Action, require
from registry.services import blobs, direct, room

MOST_FILES = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that somebody wants to send: its size in bytes, and its SHA-256 unless it is hashed on the way."""

    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """The answer to one Wanted: stored already (no upload), or the upload to send the bytes to.

    `way`: where they go, when that is not to this server.
    """

    wanted: Wanted
    upload: Upload | None
    way: direct.Way | None = None


def announce(*, actor: User, model: RegisteredModel, files: Sequence[Wanted], past_us: bool = False) -> list[Offer]:
    """Answer for each file of a model whether its bytes are needed, and open an upload where they are."""
    return announce_to_project(actor=actor, project=model.project, model=model, files=files, past_us=past_us)


def announce_to_project(
    *,
    actor: User,
    project: Project,
    files: Sequence[Wanted],
    model: RegisteredModel | None = None,
    past_us: bool = False,
) -> list[Offer]:
    """Answer for each file whether its bytes are needed, and open an upload where they are, or go on with one that was begun.

    `past_us`: large files go to the bucket itself, where senders reach it (S3_PUBLIC_ENDPOINT_URL). Raises Invalid (bad
    digest, too many), TooLarge, StorageFull (what is missing does not fit on the disk, or into a quota), Unavailable.
    """
    require(actor, Action.UPLOAD, project)
    _check(files)
    stored = _stored(actor, files)
    missing = [file for file in files if file not in stored]
    past = {file for file in missing if past_us and direct.goes_past_us(file.size)}
    uploads = Upload.objects.filter(actor=actor, project=project, model=model)
    begun = _begun(uploads, missing, past)
    about = {"project": project, "model": model, "actor": actor}
    times = {"alive_at": timezone.now(), "expires_at": upload_deadline()}
    offered = [
        begun.pop(file) if file in begun else Upload(**about, **times, size=file.size, sha256=file.sha256)
        for file in missing
    ]
    passing = {upload.pk: upload for upload, file in zip(offered, missing, strict=True) if file in past}
    if passing:  # before the store is asked; and again when the rows are written
        room.require(actor=actor, project=project, uploads=offered, past=passing)
    ways = direct.ways(list(passing.values()))
    room.open_uploads(actor=actor, project=project, uploads=offered, past=passing)
    rows = iter(offered)
    return [
        Offer(file, None) if file in stored else Offer(file, upload := next(rows), ways.get(upload.pk))
        for file in files
    ]


def _begun(uploads: UploadQuerySet, files: Sequence[Wanted], past: Collection[Wanted]) -> dict[Wanted, Upload]:
    """Return, for those of the files of which some bytes came before, the upload to go on with.

    Which of them go `past` us, and which came here, are not mixed.
    """
    digests, found = sorted({file.sha256 for file in files if file.sha256}), dict[Wanted, Upload]()
    for start in range(0, len(digests), blobs.BATCH):
        rows = uploads.unfinished().filter(sha256__in=digests[start : start + blobs.BATCH])
        for upload in rows.order_by("offset", "created_at"):
            file = Wanted(upload.size, upload.sha256)
            if bool(upload.store_upload) == (file in past):
                found[file] = upload
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
