"""The guarantees of docs/concepts.md, each with a test that fails without it. Races and kills are in their own files."""

from __future__ import annotations

import hashlib

import pytest
from django.db import Error, connection, transaction
from django.db.models import ProtectedError

from registry import storage
from registry.errors import Invalid
from registry.incoming import Incoming
from registry.models import Blob, Event, Metric, Ref, RefMove, Tree, Upload, Version, VersionParent
from registry.services import uploads
from registry.services.announcing import Wanted, announce
from registry.services.metrics import Measured, log_metrics
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, client_of, publish, send

SEALED = {
    "registry_version": {
        "number": 77, "digest": "0" * 64, "tree_id": "0" * 64, "author_name": "mallory", "branch": "other",
        "message": "rewritten", "metadata_json": "{}", "created_at": "2020-01-01 00:00:00", "author_id": 0, "model_id": 0,
    },
    "registry_tree": {"content": b"", "files": 0, "size": 0},
    "registry_blob": {"size": 0},
    "registry_metric": {"value": 1.0, "name": "other", "step": 9},
    "registry_refmove": {"comment": "rewritten", "name": "other", "undoes_id": 1},
    "registry_versionparent": {"position": 7},
}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, columns in SEALED.items() for column in columns]
)
def test_published_rows_do_not_change_even_by_sql(cast: Cast, table: str, column: str) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"}, metadata={"lr": 1}, metrics=[Measured("loss", 0.5)])
    publish(cast.bob, model, {"a": b"2"}, message="second")
    with pytest.raises(Error, match="sealed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s", [SEALED[table][column]])


@pytest.mark.parametrize("table", ["registry_version", "registry_versionparent", "registry_metric", "registry_refmove"])
def test_history_is_not_deleted_even_by_sql(cast: Cast, table: str) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"}, metrics=[Measured("loss", 0.5)])
    publish(cast.bob, model, {"a": b"2"})
    with pytest.raises(Error, match="sealed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")


LINE = {
    "project_id": None, "project_name": "other", "actor_id": None, "action": "nothing.happened", "subject": "other",
    "before": "{}", "after": "{}", "token": "another", "address": "10.0.0.1", "request_id": "0", "once": "0",
    "at": "2020-01-01 00:00:00",
}  # fmt: skip


@pytest.mark.parametrize("column", LINE)
def test_line_of_the_audit_log_does_not_change_even_by_sql(cast: Cast, column: str) -> None:
    assert Event.objects.exists()
    with pytest.raises(Error, match="sealed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE registry_event SET {column} = %s", [LINE[column]])


def test_line_of_the_audit_log_is_not_deleted_even_by_sql(cast: Cast) -> None:
    with pytest.raises(Error, match="sealed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM registry_event")


def test_line_of_the_audit_log_is_not_replaced_even_by_sql(cast: Cast) -> None:
    line = Event.objects.all()[0]
    line.action = "nothing.happened"
    with pytest.raises(Error, match="sealed"), transaction.atomic():
        Event.objects.bulk_create(
            [line], update_conflicts=True, unique_fields=["id"], update_fields=["action", "subject"]
        )


def test_project_is_not_deleted_under_its_audit_log(cast: Cast) -> None:
    with pytest.raises(ProtectedError):
        cast.project.delete()


def test_parents_are_not_added_later(cast: Cast) -> None:
    model = cast.model()
    first, second = (publish(cast.bob, model, {"a": content}) for content in (b"1", b"2"))
    with pytest.raises(Error, match="sealed"), transaction.atomic():
        VersionParent.objects.create(version=first, parent=second)


def test_published_version_does_not_change_by_save(cast: Cast) -> None:
    version = publish(cast.bob, cast.model(), {"a": b"1"}, message="as it was")
    version.message = "as it never was"
    with pytest.raises(Error, match="sealed"), transaction.atomic():
        version.save()
    assert Version.objects.get().message == "as it was"


def test_deprecating_and_trashing_stay_possible(cast: Cast) -> None:
    version = publish(cast.bob, cast.model(), {"a": b"1"})
    version.deprecated = "drifted"
    version.save()
    assert Version.objects.get().deprecated == "drifted"


def test_late_metrics_are_additions_with_author_and_time(cast: Cast) -> None:
    version = publish(cast.bob, cast.model(), {"a": b"1"})
    log_metrics(actor=cast.carol, version=version, measured=[Measured("accuracy", 0.9)])
    late = Metric.objects.get()
    assert late.author == cast.carol
    assert late.created_at > version.created_at
    version.refresh_from_db()
    assert version.digest == Version.objects.get().digest


@pytest.mark.parametrize("wanted", [Wanted(3, "0" * 64), Wanted(2), Wanted(4)], ids=["digest", "too long", "too short"])
def test_bytes_that_were_not_announced_leave_nothing_behind(cast: Cast, settings, wanted: Wanted) -> None:
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[wanted])
    with pytest.raises(Invalid, match=r"announced|SHA-256"):
        uploads.receive(upload=offer.upload, chunks=[b"abc"])
    assert not Blob.objects.exists()
    assert list(settings.INCOMING_DIR.iterdir()) == []
    assert not storage.blob_exists(hashlib.sha256(b"abc").hexdigest())


def test_crash_between_file_and_row_leaves_only_an_unreferenced_file(cast: Cast) -> None:
    digest = hashlib.sha256(b"abc").hexdigest()
    with Incoming(limit=10) as incoming:  # as far as a process gets that dies before the row
        incoming.write(b"abc")
        incoming.store()
    assert storage.blob_exists(digest)
    (offer,) = announce(actor=cast.bob, model=cast.model(), files=[Wanted(3, digest)])
    assert offer.upload, "a file without its row is not trusted: the bytes are asked for"
    assert uploads.receive(upload=offer.upload, chunks=[b"abc"]).sha256 == digest


def test_file_without_a_live_row_is_written_again(cast: Cast) -> None:
    digest = hashlib.sha256(b"abc").hexdigest()
    with Incoming(limit=10) as incoming:
        incoming.write(b"abc")
        incoming.store()
    path = storage.path_of(digest)
    path.chmod(0o644)
    path.write_bytes(b"abX")
    send(cast.bob, cast.model(), b"abc")
    assert path.read_bytes() == b"abc"


def test_stored_is_said_only_of_what_the_caller_may_read(cast: Cast) -> None:
    digest = send(cast.bob, cast.model(), b"secret")
    publish_version(actor=cast.bob, model=cast.project.models.get(), publication=Publication(files=[File("a", digest)]))
    Upload.objects.all().delete()
    mine = client_of(cast.charlie).post("/v1/projects/charlie/models/", {"name": "probe"})
    assert mine.status_code == 201
    probe = {"size": 6, "sha256": digest}
    answer = client_of(cast.charlie).post("/v1/projects/charlie/models/probe/uploads/", [probe]).json()
    assert answer[0]["status"] == "missing"
    answer = client_of(cast.dave).post("/v1/projects/dave/models/", {"name": "probe"})
    answer = client_of(cast.dave).post("/v1/projects/dave/models/probe/uploads/", [probe]).json()
    assert answer[0]["status"] == "stored", "dave views the project that holds these bytes"


@pytest.mark.parametrize("known", [True, False])
def test_naming_unreadable_bytes_is_the_same_error_as_naming_unknown_ones(cast: Cast, known: bool) -> None:
    publish(cast.bob, cast.model(), {"a": b"secret"})
    Upload.objects.all().delete()
    client_of(cast.charlie).post("/v1/projects/charlie/models/", {"name": "probe"})
    digest = hashlib.sha256(b"secret" if known else b"nobody has this").hexdigest()
    body = {"files": [{"path": "stolen", "sha256": digest}]}
    response = client_of(cast.charlie).post("/v1/projects/charlie/models/probe/versions/", body)
    assert response.status_code == 400
    assert response.json() == {
        "error": {
            "code": "unknown_blob",
            "message": "The bytes of 1 file(s) are not here. Ask for uploads, send them, and publish again.",
            "fields": {"files": ["stolen"]},
        }
    }


def test_blobs_are_stored_under_their_digest_alone(cast: Cast, settings) -> None:
    publish(cast.bob, cast.model(), {"weights/evil name.bin": b"1", "b": b"2"})
    root = settings.LMVP_DATA_DIR / "blobs"
    kept = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert kept == sorted(storage.key_of(hashlib.sha256(content).hexdigest()) for content in (b"1", b"2"))


def test_stored_and_published_bytes_are_marked_as_used(cast: Cast) -> None:
    model = cast.model()
    digest = send(cast.bob, model, b"abc")
    Blob.objects.update(used_at="2020-01-01T00:00:00Z")
    announce(actor=cast.bob, model=model, files=[Wanted(3, digest)])
    assert Blob.objects.get().used_at.year > 2020
    Blob.objects.update(used_at="2020-01-01T00:00:00Z")
    publish_version(actor=cast.bob, model=model, publication=Publication(files=[File("a", digest)]))
    assert Blob.objects.get().used_at.year > 2020


def test_known_digest_with_another_size_is_not_stored(cast: Cast) -> None:
    model = cast.model()
    digest = send(cast.bob, model, b"abc")
    right, wrong = announce(actor=cast.bob, model=model, files=[Wanted(3, digest), Wanted(4, digest)])
    assert right.upload is None
    assert wrong.upload is not None


def test_blob_being_deleted_is_not_promised(cast: Cast) -> None:
    model = cast.model()
    digest = send(cast.bob, model, b"abc")
    Blob.objects.update(state=Blob.State.DELETING)
    (offer,) = announce(actor=cast.bob, model=model, files=[Wanted(3, digest)])
    assert offer.upload
    with pytest.raises(Invalid) as refused:
        publish_version(actor=cast.bob, model=model, publication=Publication(files=[File("a", digest)]))
    assert refused.value.code == "unknown_blob"


def test_refused_publish_leaves_nothing_behind(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"}, tag="first")
    moves, number = RefMove.objects.count(), Version.objects.count()
    digest = send(cast.bob, model, b"2")
    with pytest.raises(Exception, match="tags do not move"):
        publish_version(
            actor=cast.bob,
            model=model,
            publication=Publication(files=[File("a", digest)], tag="first", alias="staging"),
        )
    assert (RefMove.objects.count(), Version.objects.count()) == (moves, number)
    assert not Ref.objects.filter(name="staging").exists()
    assert publish(cast.bob, model, {"a": b"3"}).number == 2, "the number was not used up"


def test_every_tree_is_named_by_its_bytes(cast: Cast) -> None:
    publish(cast.bob, cast.model(), {"a/b/c": b"1", "d": b"2"})
    for tree in Tree.objects.all():
        assert hashlib.sha256(bytes(tree.content)).hexdigest() == tree.digest
