"""Uploads that come in parts: they go on where they ended, whoever was killed, and one sender writes at a time."""

from __future__ import annotations

import errno
import hashlib
import os
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from registry import partials
from registry.errors import Conflict, Invalid, Locked
from registry.models import Blob, Upload
from registry.services import resuming, uploads
from registry.services.announcing import Wanted, announce
from registry.storage import open_blob
from tests.cast import client_of

pytestmark = pytest.mark.django_db
BYTES = bytes(range(256)) * 40
SHA256 = hashlib.sha256(BYTES).hexdigest()
TUS = "application/offset+octet-stream"


@pytest.fixture
def upload(cast) -> Upload:
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[Wanted(len(BYTES), SHA256)])
    assert offer.upload
    return offer.upload


def patch(api, upload: Upload, offset: object, body: bytes, **headers: str):
    return api.patch(
        f"/v1/uploads/{upload.pk}/", body, content_type=TUS, headers={"Upload-Offset": str(offset)} | headers
    )


def part_of(upload: Upload) -> bytes:
    return partials.partial_path(str(upload.pk)).read_bytes()


# --- Hostile first


@pytest.mark.parametrize("offset", ["", "-1", "1.5", "zwei", "٣", "9" * 30])
def test_an_offset_that_is_none_is_refused(cast, upload, offset) -> None:
    answer = patch(client_of(cast.bob), upload, offset, b"abc")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_offset")


def test_a_part_at_another_offset_is_told_where_to_go_on(cast, upload) -> None:
    answer = patch(client_of(cast.bob), upload, 5, b"abc")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "offset_mismatch"
    assert answer.json()["error"]["fields"] == {"offset": 0}


def test_a_disk_that_cannot_sync_leaves_the_upload_to_the_next_sender(upload, monkeypatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="Input/output"):
            resuming.append(upload=upload, offset=0, chunks=[BYTES[:100]])
    assert Upload.objects.get().offset == 0, "nothing is promised that is not on the disk"
    assert resuming.append(upload=upload, offset=0, chunks=[BYTES]).stored_at


def test_more_than_was_announced_is_refused_and_what_fits_was_kept(upload) -> None:
    resuming.append(upload=upload, offset=0, chunks=[BYTES[:100]])
    with pytest.raises(Invalid) as refused:
        resuming.append(upload=upload, offset=100, chunks=[BYTES[100:200], b"x" * len(BYTES)])
    assert refused.value.code == "size_mismatch"
    assert Upload.objects.get().offset == 200
    assert part_of(upload) == BYTES[:200]


def test_other_bytes_than_announced_are_refused_and_forgotten(upload) -> None:
    resuming.append(upload=upload, offset=0, chunks=[BYTES[:100]])
    with pytest.raises(Invalid) as refused:
        resuming.append(upload=upload, offset=100, chunks=[BYTES[101:] + b"x"])
    assert refused.value.code == "digest_mismatch"
    row = Upload.objects.get()
    assert (row.offset, row.stored_at, row.leased_until) == (0, None, None)
    assert not partials.partial_path(str(upload.pk)).exists()
    assert not Blob.objects.exists()


def test_somebody_elses_upload_is_not_there(cast, upload) -> None:
    assert patch(client_of(cast.carol), upload, 0, BYTES).status_code == 404
    assert client_of(cast.charlie).head(f"/v1/uploads/{upload.pk}/").status_code == 404
    assert client_of(None).head(f"/v1/uploads/{upload.pk}/").status_code == 401


# --- In parts


def test_parts_become_the_file(cast, upload) -> None:
    bob = client_of(cast.bob)
    first = patch(bob, upload, 0, BYTES[:3000])
    assert (first.status_code, first["Upload-Offset"]) == (204, "3000")
    head = bob.head(f"/v1/uploads/{upload.pk}/")
    assert (head.status_code, head["Upload-Offset"], head["Upload-Length"]) == (200, "3000", str(len(BYTES)))
    assert head["Cache-Control"] == "no-store"
    last = patch(bob, upload, 3000, BYTES[3000:])
    assert (last.status_code, last["Upload-Offset"]) == (204, str(len(BYTES)))
    assert bob.get(f"/v1/uploads/{upload.pk}/").json()["status"] == "stored"
    with open_blob(SHA256) as file:
        assert file.read() == BYTES
    assert not partials.partial_path(str(upload.pk)).exists()


def test_a_signed_address_is_enough(cast, upload) -> None:
    query = "&".join(f"{key}={value}" for key, value in uploads.sign(upload).items())
    nobody = client_of(None)
    assert nobody.head(f"/v1/uploads/{upload.pk}/?{query}")["Upload-Offset"] == "0"
    answer = nobody.patch(f"/v1/uploads/{upload.pk}/?{query}", BYTES, content_type=TUS, headers={"Upload-Offset": "0"})
    assert answer.status_code == 204
    assert Blob.objects.get().pk == SHA256


def test_the_last_part_sent_again_is_success(cast, upload) -> None:
    resuming.append(upload=upload, offset=0, chunks=[BYTES])
    assert patch(client_of(cast.bob), upload, len(BYTES), b"").status_code == 204


def test_all_bytes_but_no_end_are_finished_by_an_empty_part(cast, upload) -> None:
    """As a server leaves them that was killed between the last bytes and the store."""
    with partials.Partial(str(upload.pk), offset=0, limit=len(BYTES)) as partial:
        partial.write(BYTES)
        partial.sync()
        Upload.objects.update(offset=len(BYTES))
        assert patch(client_of(cast.bob), upload, len(BYTES), b"").status_code == 204
    assert Upload.objects.get().stored_at


def test_bytes_behind_the_offset_are_cut_off(upload) -> None:
    """They were written, and the plug was pulled before they were known to be safe."""
    partials.Partial(str(upload.pk), offset=0, limit=len(BYTES)).close()
    partials.partial_path(str(upload.pk)).write_bytes(BYTES[:50] + b"garbage")
    Upload.objects.update(offset=50)
    resuming.append(upload=Upload.objects.get(), offset=50, chunks=[BYTES[50:]])
    assert Blob.objects.get().pk == SHA256


def test_bytes_that_are_lost_are_asked_for_again(upload) -> None:
    resuming.append(upload=upload, offset=0, chunks=[BYTES[:100]])
    partials.partial_path(str(upload.pk)).unlink()
    with pytest.raises(Conflict) as refused:
        resuming.append(upload=upload, offset=100, chunks=[BYTES[100:]])
    assert refused.value.fields == {"offset": 0}
    resuming.append(upload=upload, offset=0, chunks=[BYTES])
    assert Blob.objects.get().pk == SHA256


def test_what_came_before_the_line_broke_is_kept(upload) -> None:
    def broken():
        yield BYTES[:700]
        raise Invalid("size_mismatch", "The connection ended.")

    with pytest.raises(Invalid):
        resuming.append(upload=upload, offset=0, chunks=broken())
    row = Upload.objects.get()
    assert (row.offset, row.leased_until) == (700, None)
    assert part_of(upload) == BYTES[:700]


def test_the_whole_file_by_put_ends_what_was_begun_in_parts(cast, upload) -> None:
    resuming.append(upload=upload, offset=0, chunks=[BYTES[:100]])
    answer = client_of(cast.bob).put(f"/v1/uploads/{upload.pk}/", BYTES, content_type="application/octet-stream")
    assert answer.status_code == 200
    assert not partials.partial_path(str(upload.pk)).exists()


def test_a_cancelled_upload_leaves_nothing(cast, upload) -> None:
    resuming.append(upload=upload, offset=0, chunks=[BYTES[:100]])
    client_of(cast.bob).delete(f"/v1/uploads/{upload.pk}/")
    assert not partials.partial_path(str(upload.pk)).exists()


# --- Going on


def test_asking_for_the_same_file_again_leads_to_the_upload_that_was_begun(cast, upload) -> None:
    model = upload.model
    wanted = [Wanted(len(BYTES), SHA256), Wanted(len(BYTES), SHA256), Wanted(3)]
    assert upload.pk not in {offer.upload.pk for offer in announce(actor=cast.bob, model=model, files=wanted)}
    resuming.append(upload=upload, offset=0, chunks=[BYTES[:100]])
    offers = announce(actor=cast.bob, model=model, files=wanted)
    assert [offer.upload.pk == upload.pk for offer in offers] == [True, False, False]
    assert offers[0].upload.offset == 100
    (carols,) = announce(actor=cast.carol, model=model, files=wanted[:1])
    assert carols.upload.pk != upload.pk


# --- One sender at a time


def test_two_senders_do_not_write_at_once(upload) -> None:
    def meanwhile():
        yield BYTES[:10]
        with pytest.raises(Locked):
            resuming.append(upload=upload, offset=0, chunks=[b"other"])
        yield BYTES[10:]

    resuming.append(upload=upload, offset=0, chunks=meanwhile())
    assert Blob.objects.get().pk == SHA256


def test_a_sender_that_was_silent_too_long_is_succeeded_and_writes_no_more(upload, settings) -> None:
    settings.UPLOAD_LEASE = timedelta(0)  # renewed at every chunk

    def silent():
        yield BYTES[:10]
        Upload.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        resuming.append(upload=Upload.objects.get(), offset=0, chunks=[BYTES[:20]])
        yield b"late bytes"

    with pytest.raises(Conflict) as refused:
        resuming.append(upload=upload, offset=0, chunks=silent())
    assert refused.value.fields == {"offset": 20}
    assert part_of(upload) == BYTES[:20]


def test_a_sender_that_hashes_the_whole_of_a_file_keeps_its_lease(upload, settings) -> None:
    resuming.append(upload=upload, offset=0, chunks=[BYTES[:10]])
    settings.UPLOAD_LEASE = timedelta(0)  # renewed at every chunk, of the bytes that come and of those that are read
    with CaptureQueriesContext(connection) as queries:
        resuming.append(upload=Upload.objects.get(), offset=10, chunks=[BYTES[10:]])
    written = [one["sql"].partition(" WHERE ")[0] for one in queries if one["sql"].startswith("UPDATE")]
    assert (
        len([sql for sql in written if "leased_until" in sql and "offset" not in sql]) == 3
    )  # taken, and twice renewed
