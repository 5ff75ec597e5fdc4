"""Several at one upload: sent twice at once, cancelled while it comes, succeeded while it sleeps. One wins; no wrong byte is kept."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.storage import storages
from django.db import OperationalError, connection
from django.utils import timezone

from registry import partials, storage
from registry.errors import Conflict, Gone, Locked
from registry.models import Blob, Upload
from registry.partials import Partial
from registry.services import resuming, uploads
from registry.services.announcing import Wanted, announce
from registry.storage import open_blob
from registry.stores.bucket import bucket_of
from tests.broken_line import line_to
from tests.cast import Cast, make_cast
from tests.http_client import Person, alice_at, rows
from tests.s3 import S3
from tests.servers import Server, empty_database, running_server, wait_until

CONTENT = random.Random(3).randbytes(3 * 2**20)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MODEL = "vision/classifier"


# --- A real server, with several workers


@dataclass
class Place:
    server: Server
    env: dict[str, str]
    alice: Person

    def offer(self, content: bytes) -> str:
        """Return where to send these bytes."""
        return self.alice.ask_for_upload(MODEL, content)

    def waiting(self) -> list[Path]:
        return list((self.server.data_dir / "incoming").iterdir())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    tmp_path = tmp_path_factory.mktemp("server")
    with empty_database() as env, running_server(tmp_path, **env) as server:
        yield Place(server, env, alice_at(server, env))


def patch(port: int, href: str, content: bytes) -> int:
    """Send all bytes in one part; return the status, 0 where the line broke."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("PATCH", href, content, {"Upload-Offset": "0"})
        return connection.getresponse().status
    except OSError:
        return 0  # refused before all of it was sent
    finally:
        connection.close()


def test_of_many_parts_sent_at_once_one_is_taken(place: Place) -> None:
    for turn in range(4):
        content = CONTENT + bytes([turn])
        href, senders = place.offer(content), 6
        start = threading.Barrier(senders)

        def send(_: int, href: str = href, content: bytes = content, start: threading.Barrier = start) -> int:
            start.wait()
            return patch(place.server.port, href, content)

        with ThreadPoolExecutor(senders) as pool:
            statuses = sorted(pool.map(send, range(senders)))
        assert statuses.count(204) >= 1, statuses
        assert set(statuses) <= {0, 204, 409, 423}, statuses
        digest = hashlib.sha256(content).hexdigest()
        stored = place.server.data_dir / "blobs" / storage.key_of(digest)
        assert hashlib.sha256(stored.read_bytes()).hexdigest() == digest
    assert place.waiting() == []
    assert "Traceback" not in place.server.output()


def test_an_upload_that_is_cancelled_while_it_comes_is_gone(place: Place) -> None:
    content = CONTENT + b"cancelled"
    href = place.offer(content)
    with line_to(place.server.port, rate=4 * 2**20) as line, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(patch, line.port, href, content)
        wait_until(lambda: any(path.stat().st_size for path in place.waiting()))
        assert place.alice.call("DELETE", urlsplit(href).path)[0] == 204
        assert sending.result() == 410
    digest = hashlib.sha256(content).hexdigest()
    assert place.waiting() == []
    assert not (place.server.data_dir / "blobs" / storage.key_of(digest)).exists()
    assert (
        rows(
            place.server,
            place.env,
            f"Blob.objects.filter(pk='{digest}').count() + Upload.objects.filter(sha256='{digest}').count()",
        )
        == 0
    )
    assert "Traceback" not in place.server.output()


def test_a_whole_file_put_while_its_parts_come_ends_both(place: Place) -> None:
    content = CONTENT + b"put"
    href = place.offer(content)
    with line_to(place.server.port, rate=4 * 2**20) as line, ThreadPoolExecutor(1) as pool:
        sending = pool.submit(patch, line.port, href, content)
        wait_until(lambda: any(path.stat().st_size for path in place.waiting()))
        assert place.alice.call("PUT", href, content)[0] == 200
        assert sending.result() == 409
    assert place.waiting() == []
    assert "Traceback" not in place.server.output()


# --- What needs an eye on the lease


@pytest.fixture
def upload(cast: Cast) -> Upload:
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[Wanted(len(CONTENT), SHA256)])
    assert offer.upload
    return offer.upload


@pytest.mark.django_db
def test_late_bytes_of_the_sender_before_do_not_reach_the_file(upload: Upload) -> None:
    """It slept between the look at its lease and the write."""
    late = Partial(str(upload.pk), offset=0, limit=len(CONTENT))
    late.write(b"x" * 10)
    Upload.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

    def chunks() -> Iterator[bytes]:
        yield CONTENT[:100]
        late.write(b"late" * 1000)
        yield CONTENT[100:]
        late.write(b"later")

    resuming.append(upload=upload, offset=0, chunks=chunks())
    late.write(b"latest")
    late.close()
    with open_blob(SHA256) as file:
        assert file.read() == CONTENT


@pytest.mark.django_db
@pytest.mark.parametrize("offset", [0, 1000])
def test_after_a_sender_that_did_not_give_back_the_whole_file_is_hashed(upload: Upload, offset: int) -> None:
    if offset:
        resuming.append(upload=upload, offset=0, chunks=[CONTENT[:offset]])
    Upload.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

    def chunks() -> Iterator[bytes]:
        yield CONTENT[offset:-1]
        with partials.partial_path(str(upload.pk)).open("r+b") as file:  # whoever can still write there
            file.write(b"wrong")
        yield CONTENT[-1:]

    with pytest.raises(uploads.Invalid) as refused:
        resuming.append(upload=Upload.objects.get(), offset=offset, chunks=chunks())
    assert refused.value.code == "digest_mismatch"
    assert not Blob.objects.exists()
    assert Upload.objects.get().offset == 0


@pytest.mark.django_db
def test_what_stands_in_the_store_is_never_written_through_the_upload(upload: Upload) -> None:
    """The server was killed between the file's key and its row."""
    resuming.append(upload=upload, offset=0, chunks=[CONTENT[:100]])
    path = partials.partial_path(str(upload.pk))
    path.write_bytes(CONTENT)
    storage.take(path, SHA256)
    assert path.stat().st_nlink == 2
    resuming.append(upload=Upload.objects.get(), offset=100, chunks=[b"y" * 100])
    with open_blob(SHA256) as file:
        assert file.read() == CONTENT
    assert path.read_bytes() == CONTENT[:100] + b"y" * 100


@pytest.mark.django_db
def test_bytes_lost_of_an_upload_that_was_stored_meanwhile_change_nothing(upload: Upload) -> None:
    resuming.append(upload=upload, offset=0, chunks=[CONTENT[:100]])
    begun = Upload.objects.get()

    def chunks() -> Iterator[bytes]:
        yield CONTENT[100:200]
        uploads.receive(upload=Upload.objects.get(), chunks=[CONTENT])
        yield CONTENT[200:]

    with pytest.raises(Conflict) as refused:
        resuming.append(upload=begun, offset=100, chunks=chunks())
    assert refused.value.fields == {"offset": len(CONTENT)}
    row = Upload.objects.get()
    assert (row.offset, bool(row.stored_at), row.leased_until) == (len(CONTENT), True, None)
    with pytest.raises(Conflict):
        resuming.append(upload=begun, offset=100, chunks=[])


class SlowStore:
    """A bucket that is far away: it takes bytes when it is let to, after whatever is to happen meanwhile."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], Any] = lambda: None
        events = bucket_of(storages["blobs"]).client.meta.events
        events.register("before-call.s3.PutObject", self._before)

    def _before(self, **_: Any) -> None:
        happening, self.meanwhile = self.meanwhile, lambda: None
        happening()


@pytest.fixture
def slow(settings: Any, in_bucket: S3, transactional_db: None) -> SlowStore:
    settings.UPLOAD_LEASE = timedelta(seconds=1)
    store = SlowStore()
    assert not bucket_of(storages["blobs"]).verifies, "asked now, so that the next PUT is that of a file"
    return store


@pytest.mark.django_db(transaction=True)
def test_the_lease_is_kept_while_a_slow_store_takes_the_bytes(slow: SlowStore) -> None:
    cast = make_cast()
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[Wanted(len(CONTENT), SHA256)])
    assert offer.upload
    seen = []

    def meanwhile() -> None:
        first = Upload.objects.get().leased_until
        wait_until(lambda: Upload.objects.get().leased_until > first + settings_lease)
        with pytest.raises(Locked):
            resuming.append(upload=Upload.objects.get(), offset=0, chunks=[CONTENT])
        seen.append(True)
        connection.close()

    settings_lease = timedelta(seconds=1)  # more than one lease has passed
    slow.meanwhile = meanwhile
    resuming.append(upload=offer.upload, offset=0, chunks=[CONTENT])
    assert seen == [True]
    row = Upload.objects.get()
    assert (bool(row.stored_at), row.leased_until) == (True, None)


@pytest.mark.django_db(transaction=True)
def test_who_loses_the_database_in_the_end_lets_the_next_sender_in(
    postgresql: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(**_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    cast = make_cast()
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[Wanted(len(CONTENT), SHA256)])
    assert offer.upload
    with monkeypatch.context() as broken:
        broken.setattr("registry.services.blobs.keep", ended)
        with pytest.raises(OperationalError):
            resuming.append(upload=offer.upload, offset=0, chunks=[CONTENT])
    row = Upload.objects.get()
    assert (row.offset, row.leased_until) == (len(CONTENT), None)
    resuming.append(upload=row, offset=row.offset, chunks=[])
    assert Blob.objects.get().pk == SHA256


@pytest.mark.django_db(transaction=True)
def test_a_cancel_while_a_slow_store_takes_the_bytes_is_told(slow: SlowStore) -> None:
    cast = make_cast()
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[Wanted(len(CONTENT), SHA256)])
    assert offer.upload
    slow.meanwhile = lambda: uploads.cancel(upload=Upload.objects.get())
    with pytest.raises(Gone):
        resuming.append(upload=offer.upload, offset=0, chunks=[CONTENT])
    assert not Upload.objects.exists()
    assert os.listdir(partials.settings.INCOMING_DIR) == []


@pytest.mark.django_db(transaction=True)
def test_a_store_that_fails_leaves_an_upload_that_can_go_on_at_once(slow: SlowStore) -> None:
    cast = make_cast()
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[Wanted(len(CONTENT), SHA256)])
    assert offer.upload

    def fails() -> None:
        raise ConnectionResetError("the store went away")

    slow.meanwhile = fails
    with pytest.raises(storage.Unavailable):
        resuming.append(upload=offer.upload, offset=0, chunks=[CONTENT])
    resuming.append(upload=Upload.objects.get(), offset=0, chunks=[CONTENT])
    assert Blob.objects.get().pk == SHA256
