"""The store gone, silent, answering 500 and cutting bodies: clear refusals, nothing half-written, and retries that succeed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from django.test import Client

from registry import storage
from registry.models import Blob, Version
from registry.services import verification
from tests.broken_store import BrokenStore, broken_store
from tests.cast import Cast, client_of, publish, send
from tests.matchers import refused
from tests.s3 import S3, storage_options

BYTES = os.urandom(1_000_000)
FILES = "/v1/projects/vision/models/classifier/versions/latest/files/"
IMPATIENT = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})
KINDS = ["gone", "silent", "500"]


@pytest.fixture
def line(s3: S3, settings) -> Iterator[BrokenStore]:
    """Bytes in a bucket, over a line that may fail."""
    with broken_store(urlsplit(s3.url).port or 0) as store:
        options = storage_options(store.url) | {"client_config": IMPATIENT}
        blobs = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
        settings.STORAGES = {**settings.STORAGES, "blobs": blobs}
        yield store


@pytest.mark.parametrize("kind", KINDS)
def test_an_upload_is_refused_clearly_and_works_later(
    cast: Cast, line: BrokenStore, s3: S3, kind: str, settings
) -> None:
    model = cast.model()
    line.fail(kind)
    with pytest.raises(storage.Unavailable):
        send(cast.bob, model, BYTES)
    assert line.failed
    assert not Blob.objects.exists()
    assert list(settings.INCOMING_DIR.iterdir()) == []
    line.mend()
    assert send(cast.bob, model, BYTES) == hashlib.sha256(BYTES).hexdigest()
    assert (s3.bucket / storage.key_of(Blob.objects.get().pk)).read_bytes() == BYTES


@pytest.mark.parametrize("kind", KINDS)
def test_a_download_is_refused_clearly_and_works_later(cast: Cast, line: BrokenStore, kind: str) -> None:
    publish(cast.bob, cast.model(), {"weights": BYTES})
    line.fail(kind)
    answer = client_of(cast.dave).get(f"{FILES}weights")
    refused(answer, 503, "storage_unavailable")
    assert answer["Retry-After"] == "5"
    line.mend()
    assert b"".join(client_of(cast.dave).get(f"{FILES}weights")) == BYTES


def test_a_page_says_it_too(cast: Cast, line: BrokenStore) -> None:
    publish(cast.bob, cast.model(), {"notes.txt": b"some words"})
    dave = Client()
    dave.force_login(cast.dave)
    address = "/vision/classifier/versions/1/files/notes.txt"
    assert b"some words" in dave.get(address).content
    line.fail("gone")
    answer = dave.get(address)
    assert answer.status_code == 503
    assert b"storage_unavailable" in answer.content


def test_a_body_that_breaks_off_is_gone_on_with(cast: Cast, line: BrokenStore) -> None:
    publish(cast.bob, cast.model(), {"weights": BYTES})
    line.fail("cut", times=2)
    assert b"".join(client_of(cast.dave).get(f"{FILES}weights")) == BYTES
    assert line.failed == 2


@pytest.mark.parametrize("cut_after", [30, 60, 100, 150, 200, 250, 300, 350, 400, 500])
def test_a_store_that_always_cuts_gives_no_wrong_bytes(cast: Cast, line: BrokenStore, cut_after: int) -> None:
    """Cut in its head, anywhere, an answer looks whole to those who read heads."""
    digest = send(cast.bob, cast.model(), BYTES)
    line.cut_after = cut_after
    line.fail("cut")
    with pytest.raises(storage.Unavailable):
        b"".join(storage.read_blob(digest))
    with suppress(storage.Unavailable):
        assert storage.blob_exists(digest)


@pytest.mark.parametrize("cut_after", [400, 700])
def test_a_body_whose_beginning_does_not_come_is_refused_clearly(cast: Cast, line: BrokenStore, cut_after: int) -> None:
    publish(cast.bob, cast.model(), {"weights": BYTES})
    line.cut_after = cut_after
    line.fail("cut")
    refused(client_of(cast.dave).get(f"{FILES}weights"), 503, "storage_unavailable")
    line.mend()
    assert b"".join(client_of(cast.dave).get(f"{FILES}weights")) == BYTES


def test_what_came_first_is_sent_even_if_the_store_goes_away_then(cast: Cast, line: BrokenStore) -> None:
    publish(cast.bob, cast.model(), {"weights": BYTES[:50_000]})
    answer = client_of(cast.dave).get(f"{FILES}weights")
    line.fail("gone")
    assert b"".join(answer) == BYTES[:50_000]


def test_a_file_that_cannot_be_read_now_is_not_condemned(cast: Cast, line: BrokenStore) -> None:
    send(cast.bob, cast.model(), BYTES)
    line.fail("500")
    (found,) = verification.verify().findings
    assert found.what == "unreadable"
    assert Blob.objects.get().state == Blob.State.LIVE
    line.mend()
    assert verification.verify().findings == []


def test_publishing_goes_on_while_the_store_is_away(cast: Cast, line: BrokenStore) -> None:
    """Rows alone are written: the bytes were made sure of when they came."""
    model = cast.model()
    publish(cast.bob, model, {"weights": BYTES})
    line.fail("gone")
    answer = client_of(cast.bob).post(
        "/v1/projects/vision/models/classifier/versions/",
        {"files": [{"path": "again", "sha256": hashlib.sha256(BYTES).hexdigest()}]},
        format="json",
    )
    assert answer.status_code == 201
    assert Version.objects.count() == 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_says_that_it_is_not_ready(cast: Cast, line: BrokenStore, client, kind: str) -> None:
    assert client.get("/readyz").json()["checks"]["storage"] == "ok"
    line.fail(kind)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["storage"]) == (503, "failed: Unavailable")
    line.mend()
    assert client.get("/readyz").status_code == 200
