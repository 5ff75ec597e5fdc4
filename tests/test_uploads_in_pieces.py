"""Uploads in parts where replicas share a bucket: any of them goes on where another one ended, or was killed."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from registry.errors import Conflict, Invalid
from registry.models import Blob, Upload
from registry.services import garbage, resuming, uploads
from registry.services.announcing import Wanted, announce
from registry.storage import key_of
from tests.s3 import S3

pytestmark = pytest.mark.django_db
BYTES = os.urandom(300_000)
SHA256 = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture
def upload(cast, in_bucket: S3) -> Upload:
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[Wanted(len(BYTES), SHA256)])
    assert offer.upload
    return offer.upload


def at_another_replica(upload: Upload, settings, tmp_path: Path) -> Upload:
    """Nothing is shared but the database and the bucket."""
    settings.INCOMING_DIR = tmp_path / f"incoming-{time.monotonic_ns()}"
    return Upload.objects.select_related("project", "actor").get(pk=upload.pk)


def append(upload: Upload, start: int, end: int) -> Upload:
    return resuming.append(
        upload=upload, offset=start, chunks=[BYTES[start : (start + end) // 2], BYTES[(start + end) // 2 : end]]
    )


def test_every_part_at_another_replica(upload: Upload, in_bucket: S3, settings, tmp_path: Path) -> None:
    for start in range(0, len(BYTES), 100_000):
        append(upload, start, start + 100_000)
        assert list(settings.INCOMING_DIR.iterdir()) == [], "nothing stays on a replica"
        upload = at_another_replica(upload, settings, tmp_path)
    assert upload.stored_at
    assert in_bucket.objects() == [key_of(SHA256)], "and no piece in the bucket"
    assert (in_bucket.bucket / key_of(SHA256)).read_bytes() == BYTES


def test_a_broken_line_keeps_what_came(upload: Upload, settings, tmp_path: Path) -> None:
    def broken():
        yield BYTES[:70_000]
        raise OSError("the line broke")

    with pytest.raises(OSError, match="broke"):
        resuming.append(upload=upload, offset=0, chunks=broken())
    upload = at_another_replica(upload, settings, tmp_path)
    assert (upload.offset, upload.leased_until) == (70_000, None)
    append(upload, 70_000, len(BYTES))
    assert Blob.objects.get().pk == SHA256


def test_a_sender_that_was_late_changes_no_byte(upload: Upload, in_bucket: S3, settings, tmp_path: Path) -> None:
    """It lost its lease while it slept: another replica went on from the same offset."""

    def late():
        yield b"x" * 50_000
        settings.UPLOAD_LEASE = timedelta(seconds=30)
        Upload.objects.update(leased_until=None)
        append(at_another_replica(upload, settings, tmp_path), 0, 100_000)

    with pytest.raises(Conflict) as refused:
        resuming.append(upload=upload, offset=0, chunks=late())
    assert refused.value.fields == {"offset": 100_000}
    append(at_another_replica(upload, settings, tmp_path), 100_000, len(BYTES))
    assert (in_bucket.bucket / key_of(SHA256)).read_bytes() == BYTES


def test_other_bytes_than_announced_leave_nothing(upload: Upload, in_bucket: S3) -> None:
    resuming.append(upload=upload, offset=0, chunks=[BYTES[1:100_001]])
    with pytest.raises(Invalid) as refused:
        append(Upload.objects.get(), 100_000, len(BYTES))
    assert refused.value.code == "digest_mismatch"
    row = Upload.objects.get()
    assert (row.offset, row.pieces, row.leased_until) == (0, [], None)
    assert in_bucket.objects() == []
    append(row, 0, len(BYTES))
    assert Blob.objects.get().pk == SHA256


def test_pieces_that_are_gone_are_asked_for_again(upload: Upload, in_bucket: S3) -> None:
    append(upload, 0, 100_000)
    in_bucket.empty()
    with pytest.raises(Conflict) as refused:
        append(Upload.objects.get(), 100_000, len(BYTES))
    assert (refused.value.code, refused.value.fields) == ("offset_mismatch", {"offset": 0})
    append(Upload.objects.get(), 0, len(BYTES))
    assert Blob.objects.get().pk == SHA256


def test_cancelling_forgets_the_pieces(upload: Upload, in_bucket: S3) -> None:
    append(upload, 0, 100_000)
    assert len(in_bucket.objects("incoming")) == 1
    uploads.cancel(upload=Upload.objects.get())
    assert in_bucket.objects() == []


def test_a_file_put_at_once_takes_the_pieces_along(upload: Upload, in_bucket: S3) -> None:
    append(upload, 0, 100_000)
    uploads.receive(upload=Upload.objects.get(), chunks=[BYTES])
    assert in_bucket.objects() == [key_of(SHA256)]


def test_pieces_that_nobody_needs_are_garbage(upload: Upload, in_bucket: S3) -> None:
    append(upload, 0, 100_000)
    (needed,) = in_bucket.objects("incoming")
    stray = in_bucket.bucket / "incoming" / str(upload.pk) / "000000000000000-late"
    stray.write_bytes(b"late")
    days_ago = time.time() - timedelta(days=3).total_seconds()
    for path in (in_bucket.bucket / needed, stray):
        os.utime(path, (days_ago, days_ago))
    assert garbage.collect(rehearsal=True).abandoned.count == 1
    assert garbage.collect().abandoned.count == 1
    assert in_bucket.objects() == [needed]
    Upload.objects.update(expires_at=timezone.now() - timedelta(days=3))
    garbage.collect()
    assert in_bucket.objects() == []
