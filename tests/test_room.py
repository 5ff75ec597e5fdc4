"""Room on the disk: what others announced counts as taken, until nobody follows it up; and nothing is sent that will not fit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from registry.errors import StorageFull
from registry.models import RegisteredModel, Upload
from registry.services import packs, resuming, room, uploads
from registry.services.announcing import Wanted, announce
from tests.cast import Cast, client_of, publish, send
from tests.housekeeping import digest_of
from tests.matchers import nothing_left_behind, refused
from tests.tars import pack_of, send_pack

MB = 2**20
UPLOADS = "/v1/projects/vision/models/classifier/uploads/"
DIGESTS = [digest_of(bytes([number])) for number in range(20)]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Says how many bytes there are for what comes, beside the spare ones; 100 MB until then."""

    def has(size: int) -> None:
        monkeypatch.setattr(room, "free_bytes", lambda: size + room.SPARE_BYTES)

    has(100 * MB)
    return has


def ask(user: User, model: RegisteredModel, *sizes: int, digests: list[str] = DIGESTS) -> list[Upload]:
    """Announce files of these sizes; return the uploads that are to be sent."""
    files = [Wanted(size, digest) for size, digest in zip(sizes, digests, strict=False)]
    return [offer.upload for offer in announce(actor=user, model=model, files=files) if offer.upload]


def let_it_sleep() -> None:
    """Let all that was announced have been silent for longer than its room is kept."""
    past = timezone.now() - timedelta(hours=1, minutes=1)
    Upload.objects.update(alive_at=past, created_at=past)


def test_what_another_announced_is_taken(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    ask(cast.carol, model, 60 * MB)
    with nothing_left_behind():
        error = refused(client_of(cast.bob).post(UPLOADS, [{"size": 41 * MB}]), 507, "storage_full")
    assert "41 MiB" in error["message"]
    assert "the server's administrator" in error["message"]
    assert len(ask(cast.bob, model, 40 * MB)) == 1


def test_who_to_ask_for_space_is_named(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    User.objects.filter(username__in=["dave", "charlie"]).update(is_staff=True)
    User.objects.filter(username="charlie").update(is_active=False)
    error = refused(client_of(cast.bob).post(UPLOADS, [{"size": 101 * MB}]), 507, "storage_full")
    assert error["message"].endswith("Try again later, or ask dave for space.")


def test_several_files_count_together(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    with pytest.raises(StorageFull), nothing_left_behind():
        ask(cast.bob, model, 60 * MB, 60 * MB)


def test_an_announcement_that_nobody_follows_up_gives_its_room_back(
    cast: Cast, model: RegisteredModel, disk: Any
) -> None:
    ask(cast.carol, model, 90 * MB)
    let_it_sleep()
    assert len(ask(cast.bob, model, 90 * MB)) == 1


def test_a_cancelled_upload_gives_its_room_back(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    (upload,) = ask(cast.carol, model, 90 * MB)
    uploads.cancel(upload=upload)
    assert len(ask(cast.bob, model, 90 * MB)) == 1


def test_an_expired_or_stored_upload_takes_no_room_to_come(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    ask(cast.carol, model, 90 * MB)
    Upload.objects.update(expires_at=timezone.now())
    (upload,) = ask(cast.carol, model, 1, digests=[digest_of(b"x")])
    uploads.receive(upload=upload, chunks=[b"x"])
    assert Upload.objects.bytes_to_come() == 0


def test_the_same_file_announced_again_takes_its_room_once(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    first, second = ask(cast.bob, model, 60 * MB), ask(cast.bob, model, 60 * MB)
    assert first[0].pk != second[0].pk
    with pytest.raises(StorageFull):
        ask(cast.carol, model, 60 * MB)


def test_files_without_a_digest_are_each_their_own(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    with pytest.raises(StorageFull):
        announce(actor=cast.bob, model=model, files=[Wanted(40 * MB)] * 3)
    announce(actor=cast.bob, model=model, files=[Wanted(40 * MB)] * 2)
    with pytest.raises(StorageFull):
        announce(actor=cast.bob, model=model, files=[Wanted(40 * MB)])


def test_bytes_that_came_are_not_counted_twice(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    (upload,) = ask(cast.carol, model, 60 * MB)
    with pytest.raises(RuntimeError):
        resuming.append(upload=upload, offset=0, chunks=broken_off(b"x" * 20 * MB))
    assert Upload.objects.bytes_to_come() == 40 * MB
    disk(80 * MB)  # as the first bytes stand on it
    assert len(ask(cast.bob, model, 40 * MB)) == 1


def broken_off(content: bytes) -> Any:
    yield content
    raise RuntimeError("the line broke")


def test_an_upload_of_which_bytes_come_keeps_its_room(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    (upload,) = ask(cast.carol, model, 60 * MB)
    let_it_sleep()
    with pytest.raises(RuntimeError):
        resuming.append(upload=upload, offset=0, chunks=broken_off(b"x"))
    assert Upload.objects.bytes_to_come() == 60 * MB - 1
    with pytest.raises(StorageFull):
        ask(cast.bob, model, 60 * MB)


def test_going_on_takes_the_room_again_if_there_is_any(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    (upload,) = ask(cast.carol, model, 60 * MB, digests=[digest_of(b"x")])
    with pytest.raises(RuntimeError):
        resuming.append(upload=upload, offset=0, chunks=broken_off(b"x" * 10))
    let_it_sleep()
    ask(cast.bob, model, 60 * MB)
    with pytest.raises(StorageFull):
        ask(cast.carol, model, 60 * MB, digests=[digest_of(b"x")])
    assert Upload.objects.bytes_to_come() == 60 * MB, "bob's alone"
    assert Upload.objects.get(pk=upload.pk).offset == 10, "what came is kept"
    disk(130 * MB)
    (again,) = ask(cast.carol, model, 60 * MB, digests=[digest_of(b"x")])
    assert again.pk == upload.pk
    assert Upload.objects.bytes_to_come() == 120 * MB - 10


def test_whoever_has_room_goes_on_on_a_disk_that_filled_up(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    (upload,) = ask(cast.carol, model, 60 * MB, digests=[digest_of(b"x")])
    with pytest.raises(RuntimeError):
        resuming.append(upload=upload, offset=0, chunks=broken_off(b"x"))
    ask(cast.bob, model, 40 * MB)
    disk(70 * MB)
    assert ask(cast.carol, model, 60 * MB, digests=[digest_of(b"x")])[0].pk == upload.pk


def test_bytes_that_are_here_take_no_room(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    version = publish(cast.bob, model, {"a": b"here"})
    disk(0)
    with nothing_left_behind():
        assert ask(cast.bob, model, 4, digests=[digest_of(b"here")]) == []
    assert version.number == 1


def test_a_form_has_to_fit_beside_what_others_announced(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    ask(cast.carol, model, 80 * MB)
    files = {"files": SimpleUploadedFile("a", b"x" * 21 * MB)}
    with nothing_left_behind():
        answer = client_of(cast.bob).post("/v1/projects/vision/models/classifier/versions/", files, format="multipart")
        refused(answer, 507, "storage_full")
        answer = client_of(cast.bob).post(
            "/v1/artifacts/",
            {"data": "{}", "content": SimpleUploadedFile("a", b"x" * 21 * MB)},
            format="multipart",
        )
        refused(answer, 507, "storage_full")


def test_a_pack_takes_the_room_that_its_sender_announced(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    contents = [bytes([number]) * 6 * MB for number in range(3)]
    ask(cast.bob, model, *[6 * MB] * 3, digests=list(map(digest_of, contents)))
    disk(19 * MB)
    with pytest.raises(StorageFull):
        packs.receive_pack(actor=cast.carol, model=model, chunks=[], announced=18 * MB)
    assert send_pack(cast.bob, pack_of(*contents)).status_code == 200
    assert Upload.objects.bytes_to_come() == 0


def test_what_others_announced_takes_no_room_where_files_go_to_a_bucket(
    cast: Cast, model: RegisteredModel, in_bucket: Any, disk: Any
) -> None:
    ask(cast.carol, model, 90 * MB)
    assert len(ask(cast.bob, model, 90 * MB)) == 1, "they only pass through this disk"
    with pytest.raises(StorageFull):
        ask(cast.bob, model, 101 * MB)


def test_an_announcement_asks_once_for_what_is_to_come(cast: Cast, model: RegisteredModel, disk: Any) -> None:
    ask(cast.carol, model, *[1] * 10)

    def asked(*sizes: int) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            ask(cast.bob, model, *sizes)
        return [query["sql"] for query in queries.captured_queries if "SUM(" in query["sql"]]

    assert len(asked(1)) == len(asked(*[1] * 10)) == 1
    send(cast.bob, model, b"\0")
    assert asked(1) == [], "what is here is not announced"


def test_what_is_to_come_is_found_by_its_index(cast: Cast, model: RegisteredModel) -> None:
    now = timezone.now()
    old = [
        Upload(project=cast.project, actor=cast.bob, size=1, stored_at=now, sha256=digest_of(b"%d" % number))
        for number in range(2000)
    ]
    Upload.objects.bulk_create(old)
    ask(cast.bob, model, 7)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        with CaptureQueriesContext(connection) as queries:
            assert Upload.objects.bytes_to_come() == 7
        cursor.execute(f"{explain} {queries.captured_queries[-1]['sql']}")
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert "uploads_to_come" in plan
