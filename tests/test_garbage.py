"""The garbage collector: deletes what nothing has used for a grace, nothing else, and says so beforehand."""

from __future__ import annotations

import fcntl
import os
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from registry import incoming, storage
from registry.digests import EMPTY
from registry.incoming import Incoming
from registry.models import Artifact, Blob, Hierarchy, Occurrence, RegisteredModel, Tree, Upload, Version
from registry.services import artifacts, blobs, garbage, retention, trash, uploads
from registry.services.alone import run_alone
from registry.services.announcing import Wanted, announce
from registry.services.purging import Purged
from registry.services.recordings import Content, Recording
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, publish, send
from tests.housekeeping import (
    AT_ONCE,
    LONG_AGO,
    check_integrity,
    digest_of,
    everything,
    is_kept,
    let_grace_pass,
    let_trash_days_pass,
    path_of,
    purge,
)


def version(number: int) -> Version:
    return Version.objects.select_related("model__project").get(number=number)


def orphan(content: bytes) -> None:
    """A file in the store without its row, as a crash leaves it."""
    with Incoming(limit=1000) as incoming:
        incoming.write(content)
        incoming.store()


def age(content: bytes) -> None:
    past = (timezone.now() - LONG_AGO).timestamp()
    os.utime(path_of(content), (past, past))


def test_bytes_go_a_grace_after_the_last_version_that_held_them(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"old", "b": b"shared"})
    publish(cast.bob, model, {"a": b"new"})
    Upload.objects.all().delete()
    Blob.objects.update(used_at=timezone.now() - LONG_AGO)
    report = purge(cast.carol, version(1))
    assert report.purged == {"vision": Purged(versions=1, files=1, bytes=3)}
    assert report.blobs.count == 0
    assert is_kept(b"old"), "a version held it until now; the grace begins only now"
    let_grace_pass()
    report = garbage.collect()
    assert (report.blobs.count, report.blobs.bytes) == (1, 3)
    assert not is_kept(b"old")
    assert is_kept(b"shared")
    assert is_kept(b"new")
    check_integrity()


@pytest.mark.parametrize("how", ["delete", "clear", "replace"])
def test_bytes_go_a_grace_after_the_last_artifact_that_held_them(cast: Cast, model: RegisteredModel, how: str) -> None:
    content = Content(send(cast.bob, model, b"table"))
    artifact = artifacts.record_artifact(actor=cast.bob, recording=Recording({}, project="vision", content=content))
    let_grace_pass()
    if how == "delete":
        artifacts.delete_artifact(actor=cast.bob, artifact=artifact)
    else:
        other = Content(send(cast.bob, model, b"other")) if how == "replace" else None
        artifacts.replace_artifact(actor=cast.bob, artifact=artifact, recording=Recording({}, content=other))
    garbage.collect()
    assert is_kept(b"table")
    let_grace_pass()
    garbage.collect()
    assert (is_kept(b"table"), is_kept(b"other")) == (False, how == "replace")


def test_what_is_published_stays_however_old(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a/b/c": b"1", "d": b"2"})
    publish(cast.bob, model, {"e": b"3"}, remove=["d"])
    let_grace_pass()
    before = everything()
    garbage.collect(grace=AT_ONCE)
    after = everything()
    assert {name: rows for name, rows in before.items() if name != "Upload"} == {
        name: rows for name, rows in after.items() if name != "Upload"
    }
    check_integrity()


@pytest.mark.parametrize("used", ["lately", "upload"])
def test_bytes_between_stored_and_published_stay(cast: Cast, model: RegisteredModel, used: str) -> None:
    digest = send(cast.bob, model, b"stored")
    if used == "lately":
        Upload.objects.update(expires_at=timezone.now() - LONG_AGO)
    else:
        Blob.objects.update(used_at=timezone.now() - LONG_AGO)
    garbage.collect()
    assert is_kept(b"stored")
    if used == "upload":
        publish_version(actor=cast.bob, model=model, publication=Publication(files=[File("a", digest)]))
        check_integrity()


def test_bytes_that_nobody_published_go(cast: Cast, model: RegisteredModel) -> None:
    send(cast.bob, model, b"abandoned")
    let_grace_pass()
    report = garbage.collect()
    assert (report.uploads, report.blobs.count, report.blobs.bytes) == (1, 1, 9)
    assert not is_kept(b"abandoned")
    assert not Upload.objects.exists()


def test_upload_that_has_just_expired_still_keeps_its_bytes(cast: Cast, model: RegisteredModel) -> None:
    send(cast.bob, model, b"late")
    let_grace_pass()
    Upload.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    garbage.collect()
    assert is_kept(b"late")
    assert Upload.objects.exists()


def test_content_of_an_artifact_stays(cast: Cast, model: RegisteredModel) -> None:
    digest = send(cast.bob, model, b"predictions")
    hierarchy = Hierarchy.objects.create(project=cast.project, name="default")
    Artifact.objects.create(id="1", project=cast.project, hierarchy=hierarchy, created_by=cast.bob, content_id=digest)
    let_grace_pass()
    garbage.collect(grace=AT_ONCE)
    assert is_kept(b"predictions")


def test_asking_for_bytes_keeps_them(cast: Cast, model: RegisteredModel) -> None:
    digest = send(cast.bob, model, b"promised")
    publish(cast.bob, model, {"a": b"1"})
    Blob.objects.update(used_at=timezone.now() - LONG_AGO)
    (offer,) = announce(actor=cast.bob, model=model, files=[Wanted(8, digest)])
    assert offer.upload is None
    Upload.objects.all().delete()
    garbage.collect()
    assert is_kept(b"promised")


def test_directories_of_a_refused_publication_go(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"}, tag="first")
    digest = send(cast.bob, model, b"2")
    publication = Publication(files=[File("deep/er/b", digest)], tag="first")
    with pytest.raises(Exception, match="tags do not move"):
        publish_version(actor=cast.bob, model=model, publication=publication)
    assert Tree.objects.count() == 4
    garbage.collect()
    assert Tree.objects.count() == 4, "within the grace"
    let_grace_pass()
    report = garbage.collect()
    assert report.trees.count == 3
    assert Tree.objects.count() == 1
    check_integrity()


def test_empty_directory_of_purged_versions_stays(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    publish(cast.bob, model, {"a": b"2"})
    purge(cast.carol, version(1))
    let_grace_pass()
    garbage.collect()
    assert Tree.objects.filter(pk=EMPTY).exists()
    assert Tree.objects.count() == 2


def test_files_without_a_row_go_when_they_are_old(cast: Cast) -> None:
    orphan(b"young")
    orphan(b"old")
    age(b"old")
    report = garbage.collect()
    assert (report.orphans.count, report.orphans.bytes) == (1, 3)
    assert path_of(b"young").exists()
    assert not path_of(b"old").exists()
    assert not Blob.objects.exists()


def test_most_of_the_store_is_no_garbage_but_a_wrong_database(cast: Cast, model: RegisteredModel, capsys) -> None:
    publish(cast.bob, model, {"a": b"known"})
    contents = [b"file %d" % number for number in range(101)]
    for content in contents:
        orphan(content)
        age(content)
    call_command("collect_garbage")
    assert "101 files without a record were left alone" in capsys.readouterr().out
    assert all(path_of(content).exists() for content in contents)
    call_command("collect_garbage", "--trust-database")
    assert "101 files without a record deleted" in capsys.readouterr().out
    assert not any(path_of(content).exists() for content in contents)
    assert is_kept(b"known")


def test_old_file_with_its_row_stays(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    age(b"1")
    report = garbage.collect(grace=AT_ONCE)
    assert report.orphans.count == 0
    check_integrity()


def test_incoming_files_go_when_their_writer_is_gone(cast: Cast, settings) -> None:
    past = (timezone.now() - LONG_AGO).timestamp()
    settings.INCOMING_DIR.mkdir(parents=True)
    left = settings.INCOMING_DIR / "left.part"
    left.write_bytes(b"half")
    young = settings.INCOMING_DIR / "young.part"
    young.write_bytes(b"half")
    with Incoming(limit=10) as incoming:
        incoming.write(b"slow")
        for path in (left, incoming.path):
            os.utime(path, (past, past))
        report = garbage.collect(grace=AT_ONCE)
        assert (report.abandoned.count, report.abandoned.bytes) == (1, 4)
        assert sorted(settings.INCOMING_DIR.iterdir()) == sorted([young, incoming.path])


def test_a_file_that_is_about_to_get_its_key_is_not_cleaned_up(cast: Cast, model: RegisteredModel) -> None:
    """However old it looks: when the clock was set forward, what came a moment ago is old."""
    take = storage.take

    def meanwhile(source: Path, digest: str) -> None:
        past = (timezone.now() - LONG_AGO).timestamp()
        os.utime(source, (past, past))
        assert garbage.collect(grace=AT_ONCE).abandoned.count == 0
        take(source, digest)

    with patch.object(storage, "take", meanwhile):
        send(cast.bob, model, b"just in time")
    assert is_kept(b"just in time")


def test_a_file_that_is_cleaned_up_the_moment_it_is_made_is_made_again(cast: Cast, model: RegisteredModel) -> None:
    lock, taken = fcntl.flock, list[Path]()

    def quicker(descriptor: int, how: int) -> None:
        for path in [] if taken else settings.INCOMING_DIR.glob("*.part"):
            taken.append(path)
            incoming.forget_abandoned(path)
        lock(descriptor, how)

    with patch.object(fcntl, "flock", quicker):
        send(cast.bob, model, b"at the second try")
    assert is_kept(b"at the second try")
    assert taken


@pytest.mark.parametrize("file_is_there", [True, False], ids=["before the file", "before the row"])
def test_cut_off_deletion_is_finished_by_the_next_run(cast: Cast, model: RegisteredModel, file_is_there: bool) -> None:
    digest = send(cast.bob, model, b"marked")
    Blob.objects.update(state=Blob.State.DELETING)
    if not file_is_there:
        storage.delete_blob(digest)
    garbage.collect()
    assert not Blob.objects.exists()
    assert not path_of(b"marked").exists()
    assert send(cast.bob, model, b"marked") == digest
    assert is_kept(b"marked")


def test_file_taken_away_under_a_hand_is_stored_again(cast: Cast) -> None:
    """An upload's own file and row, with the collector's mark and deletion of an orphan of the same bytes in between."""
    with Incoming(limit=10) as incoming:
        incoming.write(b"abc")
        incoming.store()
        Blob.objects.create(pk=incoming.sha256, size=3, state=Blob.State.DELETING)
        assert blobs._store(incoming) is None, "a row that is being deleted is no success"
        storage.delete_blob(incoming.sha256)
        Blob.objects.all().delete()
        assert blobs.keep(incoming=incoming).state == Blob.State.LIVE
    assert is_kept(b"abc")
    assert path_of(b"abc").read_bytes() == b"abc"


def test_rehearsal_says_exactly_what_goes_and_changes_nothing(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"one", "b": b"both"})
    publish(cast.bob, model, {"a": b"two", "c/d": b"two"})
    publish(cast.bob, model, {"a": b"three"})
    for number in range(4, 8):
        publish(cast.bob, model, {"a": b"%d" % number})
    other = cast.model("other")
    publish(cast.bob, other, {"x": b"gone", "y": b"both"})
    let_trash_days_pass(trash.delete(actor=cast.carol, row=version_of(model, 1)))
    let_trash_days_pass(trash.delete(actor=cast.carol, row=version_of(model, 2)))
    let_trash_days_pass(trash.delete(actor=cast.carol, row=other))
    retention.set_rule(actor=cast.carol, model=model, keep_last=2, keep_days=None)
    send(cast.bob, model, b"abandoned")
    Blob.objects.create(pk=digest_of(b"cut off"), size=7, state=Blob.State.DELETING)
    orphan(b"orphan")
    age(b"orphan")
    let_grace_pass()
    before = everything()
    told = garbage.collect(rehearsal=True)
    assert everything() == before
    done = garbage.collect()
    assert told.rehearsal
    assert not done.rehearsal
    done.rehearsal = True
    assert told == done
    assert told.purged == {"vision": Purged(models=1, versions=3, files=3, bytes=3 + 4 + 4)}
    assert told.trashed == {"vision": 3}
    assert (told.blobs.count, told.orphans.count, told.uploads) == (2, 1, 12)
    assert list(told.lines()) == list(done.lines())
    check_integrity()


def version_of(model: RegisteredModel, number: int) -> Version:
    return Version.objects.select_related("model__project").get(model=model, number=number)


@pytest.mark.parametrize("option", ["--dry-run", "--grace-hours=0"])
def test_command_says_what_it_does(cast: Cast, model: RegisteredModel, capsys, option: str) -> None:
    send(cast.bob, model, b"abandoned")
    let_grace_pass()
    call_command("collect_garbage", option)
    would = "would be " if option == "--dry-run" else ""
    assert f"1 files that nothing uses {would}deleted: 9 bytes" in capsys.readouterr().out
    assert is_kept(b"abandoned") == (option == "--dry-run")


def test_only_one_run_at_a_time(cast: Cast) -> None:
    with run_alone("collect"), pytest.raises(CommandError, match="Another run"):
        call_command("collect_garbage")
    call_command("collect_garbage")


@pytest.mark.parametrize("hours", ["-1", "nan", "1e9"])
def test_grace_is_a_number_of_hours(cast: Cast, hours: str) -> None:
    with pytest.raises(CommandError):
        call_command("collect_garbage", f"--grace-hours={hours}")


def test_run_whose_time_is_up_says_so_and_the_next_goes_on(cast: Cast, model: RegisteredModel) -> None:
    send(cast.bob, model, b"abandoned")
    let_grace_pass()
    report = garbage.collect(limit=AT_ONCE)
    assert report.unfinished
    assert is_kept(b"abandoned")
    assert not garbage.collect().unfinished
    assert not is_kept(b"abandoned")


def test_publication_is_told_when_its_bytes_are_going(cast: Cast, model: RegisteredModel) -> None:
    digest = send(cast.bob, model, b"going")
    Blob.objects.update(state=Blob.State.DELETING)
    with pytest.raises(Exception, match="bytes of 1 file"):
        publish_version(actor=cast.bob, model=model, publication=Publication(files=[File("a", digest)]))
    assert not Occurrence.objects.exists()


def test_uploads_of_damaged_bytes_are_collected_likewise(cast: Cast, model: RegisteredModel) -> None:
    send(cast.bob, model, b"damaged")
    path_of(b"damaged").unlink()
    Blob.objects.update(state=Blob.State.DAMAGED)
    let_grace_pass()
    garbage.collect()
    assert not Blob.objects.exists()


def test_cancelled_upload_leaves_its_bytes_to_the_collector(cast: Cast, model: RegisteredModel) -> None:
    send(cast.bob, model, b"cancelled")
    uploads.cancel(upload=Upload.objects.get())
    let_grace_pass()
    garbage.collect()
    assert not is_kept(b"cancelled")
