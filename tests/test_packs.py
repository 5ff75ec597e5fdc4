"""Thousands of small files in one request: stored together, published as the caller's own, and got back in one tar."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from registry import storage
from registry.errors import Busy
from registry.models import Blob, Event, RegisteredModel, Upload, Version, Visibility
from registry.packs import Pack
from registry.services import blobs, garbage, packs
from registry.services.projects import update_project
from registry.tars import Member
from tests.cast import Cast, client_of, publish, send
from tests.matchers import JUST_NOW, SHA256, nothing_left_behind, refused
from tests.tars import END, digest_of, header, member, pack_of, padded, pax, send_pack
from tests.test_doors import token_client

MODEL = "/v1/projects/vision/models/classifier/"
PACK = f"{MODEL}versions/1/pack/"
CONTENTS = [b"hello", b"", b"x" * 512, b"y" * 70_000, b"other"]
LONG = "d" * 60 + "/" + "ö" * 60 + "/file"
FILES = {"a/x": b"1", "a/y": b"", "b": b"b" * 100_000, "ü/ж.txt": b"3", LONG: b"long"}


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    return cast.model()


def published(cast: Cast, digests: list[str]) -> Any:
    files = [{"path": f"f{number}", "sha256": digest} for number, digest in enumerate(digests)]
    return client_of(cast.bob).post(f"{MODEL}versions/", {"files": files})


# --- Up


def test_pack_is_stored_and_answered_in_its_order(cast: Cast, model: RegisteredModel) -> None:
    response = send_pack(cast.bob, pack_of(*CONTENTS))
    assert (response.status_code, response.json()) == (
        200,
        [{"sha256": digest_of(content), "size": len(content)} for content in CONTENTS],
    )
    for content in CONTENTS:
        assert b"".join(storage.read_blob(digest_of(content))) == content
    assert {blob.pk: (blob.size, blob.state) for blob in Blob.objects.all()} == {
        digest_of(content): (len(content), "live") for content in CONTENTS
    }


def test_files_stand_read_only_under_their_digest_and_nothing_else_stays(
    cast: Cast, model: RegisteredModel, tmp_path: Path
) -> None:
    umask = os.umask(0o077)
    try:
        send_pack(cast.bob, pack_of(*CONTENTS))
    finally:
        os.umask(umask)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert sorted(file.relative_to(tmp_path).as_posix() for file in files) == sorted(
        f"blobs/{storage.key_of(digest_of(content))}" for content in CONTENTS
    )
    assert {file.stat().st_mode & 0o777 for file in files} == {0o444}
    assert list((tmp_path / "incoming").iterdir()) == []


def test_what_came_may_be_published_by_its_sender_and_by_nobody_else(cast: Cast, model: RegisteredModel) -> None:
    digests = [one["sha256"] for one in send_pack(cast.carol, pack_of(*CONTENTS)).json()]
    refused(published(cast, digests), 400, "unknown_blob")
    send_pack(cast.bob, pack_of(*CONTENTS))
    assert published(cast, digests).status_code == 201


def test_right_to_what_came_ends_with_the_upload(cast: Cast, model: RegisteredModel) -> None:
    send_pack(cast.bob, pack_of(b"1"))
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    refused(published(cast, [digest_of(b"1")]), 400, "unknown_blob")


def test_what_is_here_already_is_success_and_used_again(cast: Cast, model: RegisteredModel) -> None:
    send(cast.carol, model, b"hello")
    Blob.objects.update(used_at="2020-01-01T00:00:00Z")
    response = send_pack(cast.bob, pack_of(*CONTENTS))
    assert [one["sha256"] for one in response.json()] == list(map(digest_of, CONTENTS))
    assert Blob.objects.count() == len(CONTENTS)
    assert Blob.objects.get(pk=digest_of(b"hello")).used_at.year > 2020
    assert published(cast, [digest_of(b"hello")]).status_code == 201


def test_same_pack_again_is_success(cast: Cast, model: RegisteredModel) -> None:
    answers = [send_pack(cast.bob, pack_of(*CONTENTS)) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


def test_announced_uploads_are_fulfilled(cast: Cast, model: RegisteredModel) -> None:
    asked = [{"size": len(content), "sha256": digest_of(content)} for content in CONTENTS]
    offers = client_of(cast.bob).post(f"{MODEL}uploads/", asked).json()
    assert {offer["status"] for offer in offers} == {"missing"}
    assert send_pack(cast.bob, pack_of(*CONTENTS)).status_code == 200
    assert Upload.objects.count() == len(CONTENTS)
    for offer in offers:
        shown = client_of(cast.bob).get(f"/v1/uploads/{offer['id']}/").json()
        assert (shown["status"], shown["offset"]) == ("stored", shown["size"])
    assert {offer["status"] for offer in client_of(cast.bob).post(f"{MODEL}uploads/", asked).json()} == {"stored"}


@pytest.mark.parametrize("other", ["size", "actor", "begun", "expired", "leased"])
def test_other_uploads_are_left_alone(cast: Cast, model: RegisteredModel, other: str) -> None:
    about = {"project": model.project, "model": model, "actor": cast.bob, "size": 5, "sha256": digest_of(b"hello")}
    about |= {
        "size": {"size": 6},
        "actor": {"actor": cast.carol},
        "begun": {"offset": 3},
        "expired": {"expires_at": timezone.now() - timedelta(hours=1)},
        "leased": {"leased_until": timezone.now() + timedelta(minutes=1)},
    }[other]
    waiting = Upload.objects.create(**about)
    send_pack(cast.bob, pack_of(b"hello"))
    waiting.refresh_from_db()
    assert waiting.stored_at is None
    assert Upload.objects.filter(actor=cast.bob, stored_at__isnull=False).count() == 1


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_common_programs_are_taken(cast: Cast, model: RegisteredModel, form: int) -> None:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=form) as archive:
        for content in CONTENTS:
            about = tarfile.TarInfo(digest_of(content))
            about.size = len(content)
            about.mtime, about.uname = (1.5, "adä") if form == tarfile.PAX_FORMAT else (1, "ada")
            archive.addfile(about, io.BytesIO(content))
    assert len(send_pack(cast.bob, body.getvalue()).json()) == len(CONTENTS)


def test_harmless_pax_records_are_passed_over(cast: Cast, model: RegisteredModel) -> None:
    body = pax(tarfile.XGLTYPE, comment="by hand") + pax(mtime="1.5", atime="2.5") + pack_of(b"hello")
    assert send_pack(cast.bob, body).status_code == 200


def test_old_tars_mark_files_otherwise(cast: Cast, model: RegisteredModel) -> None:
    body = header(digest_of(b"hello"), 5, kind=b"\0") + padded(b"hello") + END
    assert send_pack(cast.bob, body).status_code == 200


def test_number_of_queries_does_not_grow_with_the_files(
    cast: Cast, model: RegisteredModel, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(30):
        send_pack(cast.bob, pack_of(*(b"%d" % number for number in range(400))))


@pytest.mark.django_db(transaction=True)
def test_no_database_connection_is_held_while_a_pack_comes(cast: Cast, model: RegisteredModel) -> None:
    def body() -> Iterator[bytes]:
        assert connection.connection is None
        yield pack_of(b"1")

    packs.receive_pack(actor=cast.bob, model=model, chunks=body())


def test_uploads_are_not_told(cast: Cast, model: RegisteredModel) -> None:
    before = Event.objects.count()
    send_pack(cast.bob, pack_of(b"1"))
    assert Event.objects.count() == before


# --- With the collector, and with damage


def packed(pack: Pack, *contents: bytes) -> None:
    pack.receive(Member(digest_of(content), len(content), iter([memoryview(content)])) for content in contents)


def test_damaged_bytes_are_healed(cast: Cast, model: RegisteredModel) -> None:
    digest = send(cast.bob, model, b"hello")
    storage.set_aside(digest)
    Blob.objects.update(state=Blob.State.DAMAGED)
    assert send_pack(cast.bob, pack_of(*CONTENTS)).status_code == 200
    assert Blob.objects.get(pk=digest).state == Blob.State.LIVE
    assert b"".join(storage.read_blob(digest)) == b"hello"


def test_file_without_a_live_row_is_written_again(cast: Cast, model: RegisteredModel) -> None:
    digest = digest_of(b"hello")
    path = storage.path_of(digest)
    assert path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"hellO")
    send_pack(cast.bob, pack_of(b"hello"))
    assert path.read_bytes() == b"hello"


def test_crash_between_files_and_rows_leaves_only_unreferenced_files(cast: Cast, model: RegisteredModel) -> None:
    with Pack() as pack:  # as far as a process gets that dies before the rows
        packed(pack, *CONTENTS)
        pack.store(pack.sizes)
    assert not Blob.objects.exists()
    assert send_pack(cast.bob, pack_of(*CONTENTS)).status_code == 200


def test_pack_waits_for_bytes_that_are_being_deleted(cast: Cast, model: RegisteredModel, monkeypatch: Any) -> None:
    digest = send(cast.bob, model, b"hello")
    Blob.objects.update(state=Blob.State.DELETING)
    monkeypatch.setattr(blobs, "PATIENCE", 0.2)
    with nothing_left_behind(but=Blob):
        refused(send_pack(cast.bob, pack_of(b"hello", b"new")), 503, "being_deleted")
    assert Blob.objects.get(pk=digest).state == Blob.State.DELETING


@pytest.mark.django_db(transaction=True)
def test_pack_goes_on_when_the_collector_is_through(cast: Cast, model: RegisteredModel) -> None:
    digest = send(cast.bob, model, b"hello")
    Upload.objects.all().delete()
    Blob.objects.update(state=Blob.State.DELETING)

    def collect() -> None:
        time.sleep(0.3)
        garbage.collect(grace=timedelta(0))
        connections.close_all()

    collector = threading.Thread(target=collect)
    collector.start()
    came = packs.receive_pack(actor=cast.bob, model=model, chunks=[pack_of(b"hello", b"new")])
    collector.join()
    assert len(came) == 2
    assert Blob.objects.get(pk=digest).state == Blob.State.LIVE
    assert b"".join(storage.read_blob(digest)) == b"hello"


def test_orphans_that_the_collector_takes_meanwhile_are_stored_again(cast: Cast, model: RegisteredModel) -> None:
    class Taken(Pack):
        """The collector takes a file for an orphan just before its row is there."""

        times = 0

        def store(self, digests: Any) -> None:
            super().store(digests)
            self.times += 1
            if self.times == 1:
                storage.delete_blob(digest_of(b"hello"))

    with Taken() as pack:
        packed(pack, *CONTENTS)
        blobs.keep_all(pack=pack)
        assert pack.times == 2
    assert b"".join(storage.read_blob(digest_of(b"hello"))) == b"hello"
    assert Blob.objects.live().count() == len(CONTENTS)


def test_pack_gives_up_where_its_files_vanish_again_and_again(
    cast: Cast, model: RegisteredModel, monkeypatch: Any
) -> None:
    class Vanishing(Pack):
        def store(self, digests: Any) -> None:
            super().store(digests)
            storage.delete_blob(digest_of(b"hello"))

    monkeypatch.setattr(blobs, "PATIENCE", 0.1)
    with Vanishing() as pack:
        packed(pack, *CONTENTS)
        with pytest.raises(Busy):
            blobs.keep_all(pack=pack)
    assert not Blob.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_packs_of_the_same_files_at_once_all_succeed(cast: Cast, model: RegisteredModel) -> None:
    contents = [b"%d" % number for number in range(60)]
    answers: list[int] = []
    together = threading.Barrier(4)

    def send_some(number: int) -> None:
        some = contents[number * 10 :] + contents[: number * 10]
        together.wait()
        answers.append(len(packs.receive_pack(actor=cast.bob, model=model, chunks=[pack_of(*some)])))
        connections.close_all()

    threads = [threading.Thread(target=send_some, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [60] * 4
    assert Blob.objects.live().count() == 60
    assert all(b"".join(storage.read_blob(digest_of(content))) == content for content in contents)


def test_abandoned_pack_is_cleaned_up_and_one_that_is_written_is_not(cast: Cast, settings: Any) -> None:
    with Pack() as written:
        packed(written, b"1", b"22")
        left = settings.INCOMING_DIR / "left.part"
        left.mkdir()
        (left / "x").write_bytes(b"12345")
        for path in (written.directory, left):
            os.utime(path, (1, 1))
        told = garbage.collect(rehearsal=True).abandoned
        assert (told.count, told.bytes) == (1, 5)
        garbage.collect()
        assert list(settings.INCOMING_DIR.iterdir()) == [written.directory]
    assert list(settings.INCOMING_DIR.iterdir()) == []


# --- Down


@pytest.fixture
def version(cast: Cast, model: RegisteredModel) -> Version:
    return publish(cast.alice, model, FILES)


def unpacked(response: Any) -> list[tuple[str, bytes]]:
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "application/x-tar"
    body = io.BytesIO(b"".join(response.streaming_content))
    with tarfile.open(fileobj=body, mode="r|") as archive:
        return [(about.name, archive.extractfile(about).read()) for about in archive]  # type: ignore[union-attr]


def ask(cast: Cast, *paths: str) -> Any:
    return client_of(cast.dave).post(PACK, {"paths": list(paths)})


@pytest.mark.parametrize("order", [1, -1])
def test_files_come_in_the_order_that_was_asked_for(cast: Cast, version: Version, order: int) -> None:
    paths = [*FILES][::order]
    assert unpacked(ask(cast, *paths)) == [(path, FILES[path]) for path in paths]
    assert unpacked(ask(cast, "b")) == [("b", FILES["b"])]


@pytest.mark.parametrize("body", [{}, None])
def test_without_paths_all_files_come(cast: Cast, version: Version, body: Any) -> None:
    response = client_of(cast.dave).post(PACK, body)
    assert dict(unpacked(response)) == FILES
    assert "Content-Length" not in response
    assert response["Content-Disposition"] == 'attachment; filename="vision-classifier-v1.tar"'


@pytest.mark.parametrize("path", ["none", "a", "a/", "/b", "a/none", "b/x", "a//x", "./b", "../b", "", "A/X", "b\n"])
def test_unknown_path_is_told_before_the_first_byte(cast: Cast, version: Version, path: str) -> None:
    error = refused(ask(cast, "b", path), 404, "not_found")
    assert error["fields"] == {"paths": [path]}
    assert not Event.objects.filter(action="version.downloaded").exists()


def test_only_so_many_of_unknown_paths_are_told(cast: Cast, version: Version) -> None:
    error = refused(ask(cast, *(f"none/{number}" for number in range(5000))), 404, "not_found")
    assert len(error["fields"]["paths"]) == 100
    assert "5,000" in error["message"]


def test_path_that_is_asked_for_twice(cast: Cast, version: Version) -> None:
    refused(ask(cast, "b", "a/x", "b"), 400, "duplicate_path")


def test_more_paths_than_a_directory_can_hold(cast: Cast, version: Version) -> None:
    refused(ask(cast, *map(str, range(100_001))), 400, "too_many_files")


def test_download_is_told_once(cast: Cast, version: Version) -> None:
    for _ in range(2):
        unpacked(ask(cast, "b"))
    (event,) = Event.objects.filter(action="version.downloaded")
    assert (event.actor, event.subject) == (cast.dave, "vision/classifier v1")


def test_read_token_and_anonymous_read_what_they_may(cast: Cast, version: Version) -> None:
    assert unpacked(token_client(cast.alice, "read").post(PACK, {"paths": ["b"]}, format="json"))
    refused(client_of(None).post(PACK, {"paths": ["b"]}), 401, "not_authenticated")
    update_project(actor=cast.alice, project=cast.project, visibility=Visibility.PUBLIC)
    assert unpacked(client_of(None).post(PACK, {"paths": ["b"]})) == [("b", FILES["b"])]


def test_damaged_files_are_told_before_the_first_byte(cast: Cast, version: Version) -> None:
    Blob.objects.filter(pk=digest_of(b"1")).update(state=Blob.State.DAMAGED)
    refused(ask(cast, "b", "a/x"), 503, "blob_damaged")
    assert unpacked(ask(cast, "b"))


@pytest.mark.parametrize("stands", ["shorter", "longer"])
def test_answer_breaks_off_where_the_store_gives_other_bytes(cast: Cast, version: Version, stands: str) -> None:
    path = storage.path_of(digest_of(FILES["b"]))
    assert path
    path.unlink()
    path.write_bytes(b"b" * (99_999 if stands == "shorter" else 100_001))
    response = ask(cast, "b", "a/x")
    with pytest.raises(OSError, match="another number of bytes"):
        b"".join(response.streaming_content)


@pytest.mark.django_db(transaction=True)
def test_no_database_connection_is_held_while_a_pack_is_sent(cast: Cast, version: Version) -> None:
    response = ask(cast, "b")
    assert connection.connection is None
    assert len(unpacked(response)) == 1
    assert connection.connection is None


def test_number_of_queries_does_not_grow_with_the_paths(
    cast: Cast, model: RegisteredModel, django_assert_max_num_queries: Any
) -> None:
    send_pack(cast.bob, pack_of(b"1"))
    files = [{"path": f"d/{number % 7}/{number}", "sha256": digest_of(b"1")} for number in range(500)]
    assert client_of(cast.bob).post(f"{MODEL}versions/", {"files": files}).status_code == 201
    with django_assert_max_num_queries(25):
        assert len(unpacked(ask(cast, *(file["path"] for file in files)))) == 500


def test_what_went_up_comes_down(cast: Cast, model: RegisteredModel) -> None:
    contents = {f"d{number % 10}/f{number}": os.urandom(number * 37) for number in range(300)}
    send_pack(cast.bob, b"".join(map(member, contents.values())) + END)
    files = [{"path": path, "sha256": digest_of(content)} for path, content in contents.items()]
    answer = client_of(cast.bob).post(f"{MODEL}versions/", {"files": files})
    assert answer.json() | {"digest": SHA256, "created_at": JUST_NOW} == answer.json()
    came = unpacked(client_of(cast.dave).post(PACK, {}))
    assert {path: hashlib.sha256(content).hexdigest() for path, content in came} == {
        file["path"]: file["sha256"] for file in files
    }
