"""Large files brought to the bucket by their senders: nothing is kept, served or published before the server is sure of it."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.utils import timezone

from registry import storage
from registry.models import Blob, RegisteredModel, Upload
from registry.services import direct, garbage, staged
from registry.services.announcing import Wanted, announce
from registry.services.uploads import receive
from registry.stores import staging
from tests.cast import Cast, client_of
from tests.matchers import refused
from tests.s3 import S3, storage_options
from tests.strict_store import strict_store

PART = 100_000
BYTES = os.urandom(2 * PART + 50_000)
DIGEST = hashlib.sha256(BYTES).hexdigest()
UPLOADS = "/v1/projects/vision/models/classifier/uploads/"
WANTED = [{"size": len(BYTES), "sha256": DIGEST}]
REAL_VERIFY = staged.verify


@pytest.fixture
def bucket(in_bucket: S3, model: RegisteredModel, settings: Any, monkeypatch: pytest.MonkeyPatch) -> S3:
    """A bucket that senders reach, with small parts."""
    settings.S3_PUBLIC_ENDPOINT_URL = in_bucket.url.replace("127.0.0.1", "localhost")
    monkeypatch.setattr(direct, "LEAST", 1000)
    monkeypatch.setattr(staging, "PART", PART)
    store = storage.bucket_staging()
    assert store
    for left in [*store.leftovers()]:  # parts are not in the directory that was emptied
        store.forget(left.upload, left.name)
    return in_bucket


@pytest.fixture
def asleep(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nobody reads back what came; whose turn it would be is noted."""
    waiting: list[str] = []
    monkeypatch.setattr(staged, "verify", lambda *, upload_id: waiting.append(upload_id))
    return waiting


def ask(cast: Cast, wanted: Any = WANTED) -> dict[str, Any]:
    answer = client_of(cast.bob).post(UPLOADS, wanted, format="json")
    assert answer.status_code == 200, answer.data
    offer: dict[str, Any] = answer.json()[0]
    return offer


def put(href: str, body: bytes, **headers: str) -> str:
    """Send bytes to the store; return its ETag."""
    with urllib.request.urlopen(urllib.request.Request(href, body, headers, method="PUT")) as answer:
        etag: str = answer.headers["ETag"]
    return etag


def put_parts(offer: dict[str, Any], content: bytes = BYTES, numbers: tuple[int, ...] = (1, 2, 3)) -> None:
    for part in offer["parts"]:
        if part["number"] in numbers:
            put(part["href"], content[part["offset"] : part["offset"] + part["size"]])


def complete(offer: dict[str, Any], body: Any = None) -> Any:
    """By the signed address, as nobody."""
    return client_of(None).post(offer["complete"], body or {}, format="json")


def shown(cast: Cast, offer: dict[str, Any]) -> Any:
    return client_of(cast.bob).get(f"/v1/uploads/{offer['id']}/").json()


def publish(cast: Cast, digest: str = DIGEST) -> Any:
    files = [{"path": "weights", "sha256": digest}]
    return client_of(cast.bob).post("/v1/projects/vision/models/classifier/versions/", {"files": files}, format="json")


def test_in_parts(cast: Cast, bucket: S3) -> None:
    offer = ask(cast)
    assert "href" not in offer
    assert [(part["number"], part["offset"], part["size"], part["etag"]) for part in offer["parts"]] == [
        (1, 0, PART, None),
        (2, PART, PART, None),
        (3, 2 * PART, 50_000, None),
    ]
    put_parts(offer)
    answer = complete(offer)
    assert (answer.status_code, answer.json()["status"], answer.json()["sha256"]) == (200, "stored", DIGEST)
    assert (bucket.bucket / storage.key_of(DIGEST)).read_bytes() == BYTES
    assert bucket.objects("staging") == []
    assert publish(cast).status_code == 201
    assert complete(offer).json()["status"] == "stored", "repeated, it says the same"


def test_a_broken_off_upload_goes_on(cast: Cast, bucket: S3) -> None:
    first = ask(cast)
    put_parts(first, numbers=(2,))
    again = ask(cast)
    assert again["id"] == first["id"]
    assert [bool(part["etag"]) for part in again["parts"]] == [False, True, False]
    put_parts(again, numbers=(1, 3))
    assert complete(again).status_code == 200
    assert Blob.objects.get().pk == DIGEST


def test_what_came_whole_is_not_asked_for_again(cast: Cast, bucket: S3, asleep: list[str]) -> None:
    first = ask(cast)
    put_parts(first)
    assert complete(first).status_code == 202
    again = ask(cast)
    assert (again["id"], again["parts"]) == (first["id"], [])
    assert complete(again).status_code == 202


def test_other_bytes_are_never_kept(cast: Cast, bucket: S3) -> None:
    offer = ask(cast)
    put_parts(offer, content=BYTES[:-1] + bytes([BYTES[-1] ^ 1]))
    refused(complete(offer), 400, "digest_mismatch")
    assert shown(cast, offer)["status"] == "refused"
    refused(complete(offer), 400, "digest_mismatch")
    assert bucket.objects("staging") == []
    assert not Blob.objects.exists()
    assert not (bucket.bucket / storage.key_of(DIGEST)).exists()
    refused(publish(cast), 400, "unknown_blob")
    anew = ask(cast)
    assert anew["id"] != offer["id"]
    put_parts(anew)
    assert complete(anew).status_code == 200


def test_nothing_is_there_before_it_was_read_back(cast: Cast, bucket: S3, asleep: list[str]) -> None:
    offer = ask(cast)
    put_parts(offer)
    answer = complete(offer)
    assert (answer.status_code, answer.json()["status"]) == (202, "verifying")
    assert not (bucket.bucket / storage.key_of(DIGEST)).exists()
    refused(publish(cast), 400, "unknown_blob")
    assert shown(cast, offer)["status"] == "verifying"
    assert complete(offer).status_code == 202
    assert asleep == [offer["id"]], "who asks again does not let it be read again"


def test_what_nobody_reads_is_given_out_again(cast: Cast, bucket: S3, asleep: list[str], settings: Any) -> None:
    offer = ask(cast)
    put_parts(offer)
    complete(offer)
    Upload.objects.update(verifying_at=timezone.now() - 2 * settings.UPLOAD_LEASE)
    complete(offer)
    assert asleep == [offer["id"]] * 2
    Upload.objects.update(
        verifying_at=timezone.now() - 2 * settings.UPLOAD_LEASE, leased_until=timezone.now() + settings.UPLOAD_LEASE
    )
    complete(offer)
    assert len(asleep) == 2, "somebody is at it"


def test_who_asks_while_the_bytes_get_their_key_hears_that_they_are_stored(
    cast: Cast, bucket: S3, asleep: list[str]
) -> None:
    offer = ask(cast)
    put_parts(offer)
    assert complete(offer).status_code == 202
    join = staging.Staging.join

    def meanwhile(self: Any, upload: str, *args: Any, **more: Any) -> Any:
        REAL_VERIFY(upload_id=upload)
        return join(self, upload, *args, **more)

    with patch.object(staging.Staging, "join", meanwhile):
        answer = complete(offer)
    assert (answer.status_code, answer.json()["status"]) == (200, "stored")


def test_two_read_at_once(cast: Cast, bucket: S3, asleep: list[str]) -> None:
    offer = ask(cast)
    put_parts(offer)
    complete(offer)
    before = staging.Staging.digest_of

    def meanwhile(self: Any, upload: str) -> str:
        with patch.object(staging.Staging, "digest_of", side_effect=AssertionError("read twice")):
            REAL_VERIFY(upload_id=upload)
        return before(self, upload)

    with patch.object(staging.Staging, "digest_of", meanwhile):
        REAL_VERIFY(upload_id=offer["id"])
    assert Blob.objects.get().pk == DIGEST


def test_missing_parts_are_named(cast: Cast, bucket: S3) -> None:
    offer = ask(cast)
    put_parts(offer, numbers=(2,))
    answer = complete(offer)
    refused(answer, 409, "parts_missing")
    assert answer.json()["error"]["fields"]["parts"] == [1, 3]
    put_parts(offer, numbers=(1, 3))
    wrong = complete(offer, {"parts": [{"number": 1, "etag": '"0"'}]})
    assert wrong.json()["error"]["fields"]["parts"] == [1]
    etags = [{"number": part["number"], "etag": part["etag"]} for part in ask(cast)["parts"]]
    assert complete(offer, {"parts": etags}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [{"parts": [{"number": 0, "etag": "x"}]}, {"parts": [{"number": 1}]}, {"parts": "all"}, {"bytes": 1}, [1]],
)
def test_nonsense_is_refused(cast: Cast, bucket: S3, body: Any) -> None:
    offer = ask(cast)
    put_parts(offer)
    assert complete(offer, body).status_code == 400
    assert complete(offer).status_code == 200


def test_a_part_has_its_size(cast: Cast, bucket: S3) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        put(ask(cast)["parts"][0]["href"], b"x" * (PART + 1))


def test_joined_bytes_stay_as_they_are(cast: Cast, bucket: S3, asleep: list[str]) -> None:
    offer = ask(cast)
    put_parts(offer)
    complete(offer)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        put_parts(offer, content=bytes(len(BYTES)))
    REAL_VERIFY(upload_id=offer["id"])
    assert (bucket.bucket / storage.key_of(DIGEST)).read_bytes() == BYTES


def test_a_digest_that_is_not_known_before(cast: Cast, bucket: S3) -> None:
    offer = ask(cast, [{"size": len(BYTES)}])
    put_parts(offer)
    assert complete(offer).json()["sha256"] == DIGEST
    assert publish(cast).status_code == 201


def test_bytes_that_are_here_already(cast: Cast, bucket: S3) -> None:
    """Whoever may not know of them brings them; they are kept once."""
    offer = ask(cast)
    other = client_of(cast.carol).post(UPLOADS, WANTED, format="json").json()[0]
    for one in (offer, other):
        put_parts(one)
        assert complete(one).status_code == 200
    assert Blob.objects.count() == 1
    assert bucket.objects("staging") == []
    assert ask(cast)["status"] == "stored"


def test_damaged_bytes_are_healed(cast: Cast, bucket: S3) -> None:
    put_parts(offer := ask(cast))
    complete(offer)
    (bucket.bucket / storage.key_of(DIGEST)).write_bytes(b"rotten")
    Blob.objects.update(state=Blob.State.DAMAGED)
    put_parts(offer := ask(cast))
    assert complete(offer).status_code == 200
    assert Blob.objects.get().state == Blob.State.LIVE
    assert (bucket.bucket / storage.key_of(DIGEST)).read_bytes() == BYTES


def test_small_files_and_pages_go_through_the_server(cast: Cast, bucket: S3) -> None:
    assert "/v1/uploads/" in ask(cast, [{"size": 10}])["href"]
    browser = Client()
    browser.force_login(cast.bob)
    offer = browser.post(UPLOADS, WANTED, content_type="application/json").json()[0]
    assert "/v1/uploads/" in offer["href"]
    refused(complete({"complete": offer["href"].replace("?", "/complete?")}), 409, "nothing_sent")


def test_completing_is_for_the_sender(cast: Cast, bucket: S3) -> None:
    offer = ask(cast)
    put_parts(offer)
    address = f"/v1/uploads/{offer['id']}/complete/"
    refused(client_of(None).post(address, {}, format="json"), 401, "not_authenticated")
    refused(client_of(cast.carol).post(address, {}, format="json"), 404, "not_found")
    refused(
        client_of(None).post(f"{address}?expires=9999999999&signature=x", {}, format="json"), 401, "not_authenticated"
    )
    assert client_of(cast.bob).post(address, {}, format="json").status_code == 200


def test_an_upload_to_a_disk_is_not_completed(cast: Cast, model: RegisteredModel) -> None:
    offer = ask(cast)
    answer = client_of(cast.bob).post(f"/v1/uploads/{offer['id']}/complete/", {}, format="json")
    refused(answer, 400, "not_direct")


def test_cancelling_forgets_what_came(cast: Cast, bucket: S3) -> None:
    offer = ask(cast)
    put_parts(offer)
    assert client_of(cast.bob).delete(f"/v1/uploads/{offer['id']}/").status_code == 204
    refused(complete(offer), 401, "not_authenticated")
    assert [*storage.bucket_staging().leftovers()] == []  # type: ignore[union-attr]


def test_the_row_that_is_cancelled_while_its_bytes_are_read(cast: Cast, bucket: S3, asleep: list[str]) -> None:
    offer = ask(cast)
    put_parts(offer)
    complete(offer)
    digest_of = staging.Staging.digest_of

    def meanwhile(self: Any, upload: str) -> str:
        digest = digest_of(self, upload)
        Upload.objects.all().delete()
        return digest

    with patch.object(staging.Staging, "digest_of", meanwhile):
        REAL_VERIFY(upload_id=offer["id"])
    refused(publish(cast), 400, "unknown_blob")


@contextmanager
def away(settings: Any) -> Iterator[None]:
    before = settings.STORAGES
    blobs = {**before["blobs"], "OPTIONS": storage_options("http://127.0.0.1:9")}
    settings.STORAGES = {**before, "blobs": blobs}
    yield
    settings.STORAGES = before


def test_a_store_that_is_away(cast: Cast, bucket: S3, settings: Any) -> None:
    offer = ask(cast)
    put_parts(offer)
    with away(settings):
        refused(complete(offer), 503, "storage_unavailable")
        refused(client_of(cast.bob).post(UPLOADS, WANTED, format="json"), 503, "storage_unavailable")
    assert complete(offer).status_code == 200


def test_what_could_not_be_read_back_is_read_again_when_its_sender_asks(
    cast: Cast, bucket: S3, asleep: list[str], settings: Any
) -> None:
    offer = ask(cast)
    put_parts(offer)
    assert complete(offer).status_code == 202
    with away(settings), pytest.raises(storage.Unavailable):
        REAL_VERIFY(upload_id=offer["id"])
    assert complete(offer).status_code == 202
    assert asleep == [offer["id"]] * 2, "at once, and not when the lease of nobody is over"
    REAL_VERIFY(upload_id=offer["id"])
    assert complete(offer).json()["status"] == "stored"


def test_the_disk_here_need_not_hold_them(cast: Cast, bucket: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.services.room.free_bytes", lambda: 0)
    assert "parts" in ask(cast)
    refused(client_of(cast.bob).post(UPLOADS, [{"size": 10}], format="json"), 507, "storage_full")


# --- What is left behind


def later(grace: timedelta = timedelta(days=3)) -> garbage.Report:
    with patch("django.utils.timezone.now", return_value=timezone.now() + grace):
        return garbage.collect(grace=timedelta(days=1))


def test_abandoned_bytes_and_parts_are_forgotten(cast: Cast, bucket: S3, asleep: list[str]) -> None:
    in_parts, joined = ask(cast), ask(cast, [{"size": len(BYTES)}])
    put_parts(in_parts, numbers=(1,))
    put_parts(joined)
    complete(joined)
    (bucket.bucket / "staging/not-of-ours").write_bytes(b"x")
    left = storage.bucket_staging()
    assert left
    assert len([*left.leftovers()]) == 2
    garbage.collect()
    assert len([*left.leftovers()]) == 2, "nobody has given them up yet"
    assert later().abandoned.count == 2
    assert [*left.leftovers()] == []
    assert bucket.objects("staging") == ["staging/not-of-ours"]


def test_only_what_is_still_to_come_is_waited_for(cast: Cast, bucket: S3) -> None:
    """Parts of an upload that was stored in another way, while another is on its way."""
    ended, open_ = ask(cast), ask(cast, [{"size": len(BYTES)}])
    receive(upload=Upload.objects.get(pk=ended["id"]), chunks=[BYTES])
    put_parts(open_)
    Upload.objects.update(expires_at=timezone.now() + timedelta(days=9))
    later()
    assert complete(open_).status_code == 200


# --- A store that verifies


@pytest.fixture
def strict(bucket: S3, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(staging, "PART", 10 * PART)
    with strict_store(bucket) as url:
        blobs = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": storage_options(url)}
        settings.STORAGES = {**settings.STORAGES, "blobs": blobs}
        settings.S3_PUBLIC_ENDPOINT_URL = url
        yield bucket


def test_at_once_where_the_store_verifies(cast: Cast, strict: S3, asleep: list[str]) -> None:
    offer = ask(cast)
    assert offer["method"] == "PUT"
    put(offer["href"], BYTES, **offer["headers"])
    assert complete(offer).json()["status"] == "stored", "without reading it back"
    assert asleep == []
    assert (strict.bucket / storage.key_of(DIGEST)).read_bytes() == BYTES
    assert strict.objects("staging") == []
    assert publish(cast).status_code == 201


def test_such_a_store_takes_no_other_bytes(cast: Cast, strict: S3) -> None:
    offer = ask(cast)
    with pytest.raises(urllib.error.HTTPError, match="400"):
        put(offer["href"], bytes(len(BYTES)), **offer["headers"])
    with pytest.raises(urllib.error.HTTPError, match="403"):
        put(offer["href"], BYTES)
    refused(complete(offer), 409, "nothing_sent")
    assert not Blob.objects.exists()


def test_a_store_that_stopped_verifying_is_not_believed(cast: Cast, strict: S3) -> None:
    offer = ask(cast)
    place = strict.bucket / "staging" / offer["id"]
    place.mkdir(parents=True)
    (place / "bytes").write_bytes(bytes(len(BYTES)))
    refused(complete(offer), 400, "unverified")
    assert not Blob.objects.exists()


def test_files_that_are_not_hashed_come_in_parts(cast: Cast, strict: S3) -> None:
    (part,) = ask(cast, [{"size": len(BYTES)}])["parts"]
    assert part["size"] == len(BYTES)


def test_announcing_for_nobody_asks_no_store(cast: Cast, bucket: S3, model: RegisteredModel) -> None:
    (offer,) = announce(actor=cast.bob, model=model, files=[Wanted(len(BYTES), DIGEST)])
    assert offer.way is None
