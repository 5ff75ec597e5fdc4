"""What came straight to the bucket: read back, and kept as a blob or refused. Until then nobody is served from it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from django_tasks import task

from registry import connections, storage
from registry.errors import Conflict, Gone, Invalid, Locked
from registry.models import Upload
from registry.services import uploads
from registry.services.leases import Lease


@task()
def verify_upload(*, upload: str) -> None:
    """Read back what came for an upload, in the background."""
    verify(upload_id=upload)


def verify(*, upload_id: str) -> None:
    """Read back what came, and keep it if it is what was announced. Quiet where another does so, or it has ended.

    One at a time, by the upload's lease; what was cut off is done again when the sender asks.
    """
    staging = storage.staging()
    upload = Upload.objects.filter(pk=upload_id, stored_at=None, refused="").first()
    if staging is None or upload is None:
        return
    try:
        lease = Lease(upload, upload.offset)
    except (Conflict, Gone, Locked):
        return
    connections.release()
    try:
        with lease.renewed_aside():
            digest = staging.digest_of(upload_id)
            if upload.sha256 in ("", digest):
                keep(staging, upload, digest)
            else:
                refused(staging, upload, "digest_mismatch")
    except Gone:  # cancelled meanwhile
        return
    except BaseException:
        with suppress(Conflict, Gone):
            lease.end(verifying_at=None)  # whoever asks next has it done again, at once
        raise


@dataclass(frozen=True, slots=True)
class _Staged:
    """Verified bytes that stand in the bucket, as blobs.keep takes them."""

    staging: storage.Staging
    upload: str
    sha256: str
    size: int

    def store(self) -> str:
        self.staging.give_key(self.upload, self.sha256)
        return self.sha256


def keep(staging: storage.Staging, upload: Upload, digest: str) -> Upload:
    """Make what came the blob of this digest, which is known to be its own."""
    name = str(upload.pk)
    try:
        return uploads.finish(upload=upload, incoming=_Staged(staging, name, digest, upload.size))
    finally:
        connections.release()
        if upload.stored_at:
            with suppress(storage.Unavailable):  # else it is garbage later
                staging.forget(name)


def refused(staging: storage.Staging, upload: Upload, code: str) -> Invalid:
    """Forget what came, and let whoever asks know why."""
    Upload.objects.filter(pk=upload.pk, stored_at=None).update(refused=code, leased_until=None)
    connections.release()
    upload.refused = code
    with suppress(storage.Unavailable):
        staging.forget(str(upload.pk), upload.store_upload)
    return refusal(upload)


def refusal(upload: Upload) -> Invalid:
    """Return why what came for an upload is not kept."""
    said = {
        "digest_mismatch": f"The bytes that came to the store have another SHA-256 than {upload.sha256}. The file changed"
        " or was damaged on the way: hash it, and ask for a new upload.",
        "size_mismatch": f"{upload.size:,} bytes were announced, and others came to the store. Ask for a new upload.",
        "unverified": "The store did not verify the bytes as it used to. Ask for a new upload.",
    }
    return Invalid(upload.refused, said[upload.refused])
