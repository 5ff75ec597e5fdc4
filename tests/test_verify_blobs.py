"""Verifying what is stored: damaged and missing files are found, told, taken out of use, and healed by an upload."""

from __future__ import annotations

import io
import tarfile
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from registry.errors import Conflict
from registry.models import Blob, Event, RegisteredModel
from registry.services import artifacts, verification
from registry.services.alone import run_alone
from registry.services.projects import create_project
from registry.services.recordings import Content, Recording
from registry.services.registered_models import create_model
from registry.services.verification import Finding
from tests.cast import Cast, client_of, publish, send
from tests.housekeeping import check_integrity, digest_of, everything, is_kept, path_of
from tests.matchers import refused

VERSION = "/v1/projects/vision/models/classifier/versions/1/"


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    model = cast.model()
    publish(cast.bob, model, {"weights": b"right", "read.me": b"hello"})
    return model


def damage(content: bytes, *, by: bytes = b"wrong") -> None:
    path = path_of(content)
    path.chmod(0o644)
    path.write_bytes(by)


def lose(content: bytes) -> None:
    path_of(content).unlink()


def state_of(content: bytes) -> str:
    return Blob.objects.get(pk=digest_of(content)).state


def test_whole_store_is_found_well_and_left_alone(cast: Cast, model: RegisteredModel) -> None:
    before = everything()
    report = verification.verify()
    assert (report.files, report.bytes, report.findings, report.unfinished) == (2, 10, [], False)
    after = everything()
    assert {name: rows for name, rows in after.items() if name != "Blob"} == {
        name: rows for name, rows in before.items() if name != "Blob"
    }
    assert not Blob.objects.filter(verified_at=None).exists()


@pytest.mark.parametrize("by", [b"wrong", b"", b"right and more"])
def test_damaged_file_is_told_and_set_aside(cast: Cast, model: RegisteredModel, settings, by: bytes) -> None:
    damage(b"right", by=by)
    report = verification.verify()
    places = ["vision/classifier weights (since v1)"]
    assert report.findings == [Finding(digest_of(b"right"), 5, "damaged", places)]
    assert state_of(b"right") == Blob.State.DAMAGED
    assert not path_of(b"right").exists()
    assert (settings.LMVP_DATA_DIR / "quarantine" / digest_of(b"right")).read_bytes() == by
    assert is_kept(b"hello")
    event = Event.objects.first()
    assert (event.action, event.subject, event.after) == ("blob.damaged", digest_of(b"right"), {"places": places})


def test_missing_file_is_told(cast: Cast, model: RegisteredModel) -> None:
    lose(b"right")
    report = verification.verify()
    assert [(one.what, one.digest) for one in report.findings] == [("missing", digest_of(b"right"))]
    assert state_of(b"right") == Blob.State.DAMAGED


@pytest.mark.parametrize("how", [damage, lose])
def test_damage_is_told_to_who_downloads(cast: Cast, model: RegisteredModel, how) -> None:
    how(b"right")
    verification.verify()
    dave = client_of(cast.dave)
    refused(dave.get(f"{VERSION}files/weights"), 503, "blob_damaged")
    refused(dave.get(f"{VERSION}archive/?format=tar"), 503, "blob_damaged")
    assert b"".join(dave.get(f"{VERSION}files/read.me").streaming_content) == b"hello"


@pytest.mark.parametrize("how", [damage, lose])
def test_damage_is_healed_by_uploading_the_same_bytes(cast: Cast, model: RegisteredModel, how) -> None:
    how(b"right")
    verification.verify()
    assert send(cast.bob, model, b"right") == digest_of(b"right")
    assert is_kept(b"right")
    assert Event.objects.first().action == "blob.healed"
    archive = b"".join(client_of(cast.dave).get(f"{VERSION}archive/?format=tar").streaming_content)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.extractfile("weights").read() == b"right"
    assert verification.verify().findings == []
    check_integrity()


def test_damaged_bytes_are_asked_for_and_not_published(cast: Cast, model: RegisteredModel) -> None:
    damage(b"right")
    verification.verify()
    client, digest = client_of(cast.bob), digest_of(b"right")
    base = "/v1/projects/vision/models/classifier/"
    assert client.post(f"{base}uploads/", [{"size": 5, "sha256": digest}]).json()[0]["status"] == "missing"
    body = {"files": [{"path": "again", "sha256": digest}]}
    refused(client.post(f"{base}versions/", body), 400, "unknown_blob")


def test_file_put_back_from_a_backup_is_healed(cast: Cast, model: RegisteredModel) -> None:
    lose(b"right")
    verification.verify()
    path_of(b"right").write_bytes(b"right")
    report = verification.verify()
    assert (report.findings, report.healed) == ([], 1)
    assert is_kept(b"right")


def test_damage_that_stays_is_told_again(cast: Cast, model: RegisteredModel) -> None:
    lose(b"right")
    assert len(verification.verify().findings) == len(verification.verify().findings) == 1
    assert Event.objects.filter(action="blob.missing").count() == 1


def test_store_that_is_not_mounted_is_no_damage(cast: Cast, model: RegisteredModel, settings) -> None:
    for number in range(10):
        send(cast.bob, model, b"%d" % number)
    store = settings.LMVP_DATA_DIR / "blobs"
    store.rename(settings.LMVP_DATA_DIR / "elsewhere")
    before = everything()
    with pytest.raises(Conflict, match="mounted"):
        verification.verify()
    store.mkdir()
    with pytest.raises(Conflict, match="mounted"):
        verification.verify()
    assert everything() == before


def test_runs_go_on_where_the_last_one_stopped(cast: Cast, model: RegisteredModel) -> None:
    first = verification.verify(most=1)
    seen = set(Blob.objects.exclude(verified_at=None))
    second = verification.verify(most=1)
    assert (first.files, second.files) == (1, 1)
    assert first.unfinished
    assert len(seen) == 1
    assert not Blob.objects.filter(verified_at=None).exists()
    Blob.objects.filter(pk=digest_of(b"hello")).update(verified_at=timezone.now() - timedelta(days=9))
    damage(b"hello")
    assert len(verification.verify(most=1).findings) == 1, "the one longest not verified comes first"


def test_run_stops_when_its_time_is_up(cast: Cast, model: RegisteredModel) -> None:
    report = verification.verify(limit=timedelta(0))
    assert (report.files, report.unfinished) == (0, True)
    assert "the next run goes on" in "\n".join(report.lines())


def test_one_project_is_verified_alone(cast: Cast, model: RegisteredModel, capsys) -> None:
    other = create_model(actor=cast.alice, project=create_project(actor=cast.alice, name="other"), name="m")
    publish(cast.alice, other, {"x": b"elsewhere"})
    damage(b"right")
    call_command("verify_blobs", "--project=other")
    assert "1 files of 9 bytes verified, 0 of them not well" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        call_command("verify_blobs", "--project=vision")
    with pytest.raises(CommandError, match="no project"):
        call_command("verify_blobs", "--project=nothing")


def test_content_of_artifacts_is_verified_with_its_project_and_told(cast: Cast, model: RegisteredModel) -> None:
    content = Content(send(cast.bob, model, b"table"))
    recorded = [
        artifacts.record_artifact(actor=cast.bob, recording=Recording({}, project=place, content=content))
        for place in ("vision", "vision", None)  # his own
    ]
    damage(b"table")
    report = verification.verify(project=cast.project)
    places = [f"artifact {one.pk} of {one.project.name}" for one in sorted(recorded, key=lambda one: one.pk)]
    assert report.findings == [Finding(digest_of(b"table"), 5, "damaged", places)]
    assert report.files == 3
    assert Event.objects.get(action="blob.damaged").after == {"places": places}
    assert verification.verify(project=recorded[2].project).files == 1


def test_places_that_are_told_have_bounds(cast: Cast, model: RegisteredModel) -> None:
    content = Content(digest_of(b"right"))
    for _ in range(20):
        artifacts.record_artifact(actor=cast.bob, recording=Recording({}, project="vision", content=content))
    damage(b"right")
    (found,) = verification.verify().findings
    assert (len(found.places), found.places[0], found.places[-1]) == (
        21,
        "vision/classifier weights (since v1)",
        "and more",
    )


def test_command_tells_and_fails_when_something_is_not_well(cast: Cast, model: RegisteredModel, capsys) -> None:
    call_command("verify_blobs")
    assert "2 files of 10 bytes verified, 0 of them not well" in capsys.readouterr().out
    damage(b"right")
    with pytest.raises(SystemExit) as ended:
        call_command("verify_blobs", "--hours=1")
    assert ended.value.code == 1
    told = capsys.readouterr().out
    assert f"damaged: {digest_of(b'right')} (5 bytes), used by vision/classifier weights (since v1)" in told
    assert "Upload the same files again" in told


@pytest.mark.parametrize("option", ["--limit=0", "--hours=0", "--hours=nan", "--limit=-3"])
def test_command_refuses_what_makes_no_sense(cast: Cast, option: str) -> None:
    with pytest.raises(CommandError):
        call_command("verify_blobs", option)


def test_only_one_run_at_a_time(cast: Cast) -> None:
    with run_alone("verify"), pytest.raises(CommandError, match="Another run"):
        call_command("verify_blobs")


def test_damaged_bytes_of_a_purge_are_no_live_row(cast: Cast, model: RegisteredModel) -> None:
    """A crash between taking the row out of use and setting the bytes aside."""
    damage(b"right")
    Blob.objects.filter(pk=digest_of(b"right")).update(state=Blob.State.DAMAGED)
    assert [one.what for one in verification.verify().findings] == ["damaged"]
    assert not path_of(b"right").exists()
