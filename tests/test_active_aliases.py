"""Active aliases as files on the disk: whole, read-only, switched at once, in line with the database in the end."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from registry import active, storage
from registry.incoming import Incoming
from registry.models import Blob, Ref, RegisteredModel
from registry.services import activation, projects, registered_models, verification
from registry.services.refs import Move, delete_ref, set_ref
from registry.services.rollbacks import roll_back
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, client_of, make_cast, publish, send
from tests.matchers import JUST_NOW
from tests.s3 import S3

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/v1/projects/vision/models/classifier/aliases/production/"


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    """Three versions, and the alias `production`, active, at the first."""
    model = cast.model()
    for n in (b"1", b"2", b"3"):
        publish(cast.bob, model, {"weights/a": n * 1000, "weights/b": n, "README": b"same"})
    set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "1", active=True))
    return model


def root() -> Path:
    return Path(settings.LMVP_ACTIVE_ROOT)


def link(place: str = "vision/classifier/production") -> Path:
    return root() / place


def served(place: str = "vision/classifier/production") -> dict[str, bytes]:
    directory = link(place)
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def content(n: bytes) -> dict[str, bytes]:
    return {"weights/a": n * 1000, "weights/b": n, "README": b"same"}


def traces() -> list[str]:
    """Everything below the root but the locks and the inside of whole versions."""
    found = [path for path in root().rglob("*") if ".locks" not in path.parts]
    return sorted(str(path.relative_to(root())) for path in found if path.is_symlink() or path.parent.name != "weights")


def move(cast: Cast, model: RegisteredModel, revision: str, **more: Any) -> None:
    set_ref(actor=cast.bob, model=model, move=Move("alias", "production", revision, **more))


def versions_kept() -> int:
    return sum(1 for home in (root() / ".versions").iterdir() for _ in home.iterdir())


# --- What stands there


def test_active_alias_stands_as_files(cast: Cast, model: RegisteredModel) -> None:
    assert served() == content(b"1")
    assert client_of(cast.dave).get(URL).json()["materialised"] == {
        "version": 1,
        "path": "vision/classifier/production",
        "at": JUST_NOW,
    }


def test_other_aliases_branches_and_tags_do_not(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.bob, model=model, move=Move("alias", "staging", "2"))
    set_ref(actor=cast.bob, model=model, move=Move("tag", "release", "2"))
    assert [path.name for path in link().parent.iterdir()] == ["production"]


def test_answer_of_the_move_tells_what_stands_there(cast: Cast, model: RegisteredModel) -> None:
    answer = client_of(cast.bob).put(URL, {"revision": "2"}).json()
    assert (answer["version"], answer["materialised"]["version"]) == (2, 2)
    assert served() == content(b"2")


def test_files_are_read_only_and_directories_readable(cast: Cast, model: RegisteredModel) -> None:
    old = os.umask(0o077)
    try:
        files = [
            File("run.sh", send(cast.bob, model, b"#!/bin/sh"), "100755"),
            File("d/a", send(cast.bob, model, b"x")),
        ]
        publish_version(
            actor=cast.bob, model=model, publication=Publication(files=files, base="empty", alias="production")
        )
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [link(), *link().rglob("*")]}
    assert modes == {"production": 0o755, "run.sh": 0o555, "d": 0o755, "a": 0o444}
    assert stat.S_IMODE(link().parent.stat().st_mode) == 0o755


def test_executable_file_leaves_the_blobs_mode_alone(cast: Cast, model: RegisteredModel) -> None:
    digest = send(cast.bob, model, b"#!/bin/sh")
    for mode in ("100644", "100755"):
        files = [File("run.sh", digest, mode)]
        publish_version(
            actor=cast.bob, model=model, publication=Publication(files=files, base="empty", alias="production")
        )
    blob = storage.path_of(digest)
    assert blob
    assert stat.S_IMODE(blob.stat().st_mode) == 0o444
    assert stat.S_IMODE((link() / "run.sh").stat().st_mode) == 0o555


def test_bytes_are_shared_with_the_store_where_the_disk_can(cast: Cast, model: RegisteredModel) -> None:
    digest = hashlib.sha256(b"same").hexdigest()
    blob = storage.path_of(digest)
    assert blob
    clone = blob.with_name("clone")
    try:
        active._clone(blob, clone)
    except OSError:
        assert (link() / "README").samefile(blob), "no blocks are shared here, so it is a hard link"
    else:
        assert not (link() / "README").samefile(blob)


def test_links_are_relative_so_that_the_root_can_be_mounted_elsewhere(cast: Cast, model: RegisteredModel) -> None:
    shutil.move(root(), root().with_name("elsewhere"))
    assert (root().with_name("elsewhere") / "vision/classifier/production/README").read_bytes() == b"same"


def test_nothing_that_users_write_leads_out_of_the_root(cast: Cast, model: RegisteredModel) -> None:
    other = cast.model("a.-.b")
    publish(cast.bob, other, {"...": b"1", "-rf": b"2", "a b/ü": b"3", "~": b"4"})
    set_ref(actor=cast.bob, model=other, move=Move("alias", "x._-.", "1", active=True))
    assert served("vision/a.-.b/x._-.") == {"...": b"1", "-rf": b"2", "a b/ü": b"3", "~": b"4"}
    outside = {path.name for path in root().parent.iterdir()}
    assert outside <= {"active", "blobs", "incoming"}


# --- What changes it


@pytest.mark.parametrize("way", ["publish", "rollback", "restore"])
def test_every_way_to_move_an_alias_moves_its_files(cast: Cast, model: RegisteredModel, way: str) -> None:
    move(cast, model, "2")
    if way == "publish":
        publish(cast.bob, model, content(b"9"), alias="production")
    elif way == "rollback":
        roll_back(actor=cast.bob, model=model, name="production")
    else:
        client_of(cast.bob).post(URL.replace("aliases/production", "versions/3/restore"), {"alias": "production"})
    assert served() == content({"publish": b"9", "rollback": b"1", "restore": b"3"}[way])


def test_move_that_is_refused_moves_no_file(cast: Cast, model: RegisteredModel) -> None:
    before = traces()
    assert client_of(cast.bob).put(URL, {"revision": "2", "expected": "3"}).status_code == 409
    assert client_of(cast.dave).put(URL, {"revision": "2"}).status_code == 403
    assert (traces(), served()) == (before, content(b"1"))


def test_version_before_stays_until_the_next_switch(cast: Cast, model: RegisteredModel) -> None:
    first = link().resolve()
    with (link() / "weights/a").open("rb") as opened:
        move(cast, model, "2")
        assert (first / "weights/b").read_bytes() == b"1", "for whoever had followed the link already"
        move(cast, model, "3")
        assert not first.exists()
        assert opened.read() == b"1" * 1000
    assert versions_kept() == 2


@pytest.mark.parametrize("way", ["inactive", "deleted"])
def test_files_go_when_the_alias_is_not_served_any_more(cast: Cast, model: RegisteredModel, way: str) -> None:
    move(cast, model, "2")
    if way == "inactive":
        move(cast, model, "2", active=False)
        assert client_of(cast.dave).get(URL).json()["materialised"] is None
    else:
        delete_ref(actor=cast.bob, model=model, kind="alias", name="production")
    assert traces() == [".versions"]


@pytest.mark.parametrize("what", ["model", "project"])
def test_renamed_thing_has_its_files_at_its_other_name(cast: Cast, model: RegisteredModel, what: str) -> None:
    directory = link().resolve()
    if what == "model":
        registered_models.update_model(actor=cast.carol, model=model, name="reader")
        place = "vision/reader/production"
    else:
        projects.update_project(actor=cast.alice, project=cast.project, name="sight")
        place = "sight/classifier/production"
    assert served(place) == content(b"1")
    assert link(place).resolve() == directory, "the files themselves stay where they are"
    links = [path for path in root().rglob("*") if path.is_symlink()]
    assert links == [link(place)]


def test_two_models_and_aliases_do_not_meet(cast: Cast, model: RegisteredModel) -> None:
    other = cast.model("other")
    publish(cast.bob, other, {"x": b"x"})
    for name in ("production", "Production"):
        set_ref(actor=cast.bob, model=other, move=Move("alias", name, "1", active=True))
    move(cast, model, "2")
    set_ref(actor=cast.bob, model=other, move=Move("alias", "Production", active=False))
    assert (served(), served("vision/other/production")) == (content(b"2"), {"x": b"x"})
    assert not link("vision/other/Production").exists()


@pytest.mark.parametrize("what", ["model", "project"])
def test_what_is_in_the_trash_is_not_served(cast: Cast, model: RegisteredModel, what: str) -> None:
    trashed = {"trashed_at": "2026-01-01T00:00:00Z"}
    if what == "model":
        RegisteredModel.objects.update(**trashed)
        activation.refresh(model=model)
    else:
        type(cast.project).objects.filter(pk=cast.project.pk).update(**trashed)
        activation.refresh_project(project=cast.project)
    assert traces() == [".versions"]
    if what == "model":
        RegisteredModel.objects.update(trashed_at=None)
        activation.refresh(model=model)
        assert served() == content(b"1")


# --- What goes wrong


def test_move_stands_when_its_files_cannot_be_written(cast: Cast, model: RegisteredModel) -> None:
    lost = storage.path_of(hashlib.sha256(b"2").hexdigest())
    assert lost
    kept = lost.rename(lost.with_name("away"))
    answer = client_of(cast.bob).put(URL, {"revision": "2"})
    assert (answer.status_code, answer.json()["version"], answer.json()["materialised"]["version"]) == (200, 2, 1)
    assert served() == content(b"1"), "whole, as it was"
    assert versions_kept() == 1, "nothing half-done"
    with pytest.raises(CommandError, match="production"):
        call_command("materialise_aliases")
    kept.rename(lost)
    call_command("materialise_aliases")
    assert served() == content(b"2")


def test_one_alias_that_fails_does_not_hold_up_the_others(cast: Cast, model: RegisteredModel) -> None:
    (root() / "vision/classifier/blocked").mkdir()  # somebody's own directory where the link belongs
    set_ref(actor=cast.bob, model=model, move=Move("alias", "blocked", "1", active=True))
    shutil.rmtree(link().resolve())
    with pytest.raises(CommandError, match="blocked"):
        call_command("materialise_aliases")
    assert served() == content(b"1")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "nothing at all": lambda home: None,
    "link is missing": lambda home: link().unlink(),
    "link leads nowhere": lambda home: shutil.rmtree(link().resolve()),
    "everything is missing": lambda home: shutil.rmtree(root()),
    "a draft was left": lambda home: (home / ".draft/weights").mkdir(parents=True),
    "a link was left": lambda home: (home / ".link").symlink_to("nowhere"),
    "removal was not finished": lambda home: (home / ".gone-000009-v9-x/weights").mkdir(parents=True),
    "link of a former name": lambda home: _link_at("vision/former/production"),
    "link of an alias that is none": lambda home: _link_at("vision/classifier/other", key="77-other"),
    "files of an alias that is none": lambda home: shutil.copytree(home, home.with_name("77-other")),
}


def _link_at(place: str, key: str = "") -> None:
    link(place).parent.mkdir(exist_ok=True)
    target = Path(os.readlink(link()))
    link(place).symlink_to(target.parent.parent / (key or target.parent.name) / target.name)


@pytest.mark.parametrize("damage", DAMAGE)
def test_command_puts_everything_right_and_changes_nothing_that_is(
    cast: Cast, model: RegisteredModel, damage: str
) -> None:
    whole = traces()
    DAMAGE[damage](link().resolve().parent)
    for _ in range(2):
        call_command("materialise_aliases")
        assert (traces(), served()) == (whole, content(b"1"))


def test_command_finds_what_was_moved_while_nobody_looked(cast: Cast, model: RegisteredModel) -> None:
    Ref.objects.filter(name="production").update(version=model.versions.get(number=3))
    assert client_of(cast.dave).get(URL).json()["materialised"]["version"] == 1
    call_command("materialise_aliases")
    assert served() == content(b"3")


def test_files_that_are_not_ours_are_left_alone(cast: Cast, model: RegisteredModel) -> None:
    (root() / "vision/notes.txt").write_text("mine")
    (root() / "vision/classifier/mine").symlink_to("/etc")
    registered_models.update_model(actor=cast.carol, model=model, name="reader")
    call_command("materialise_aliases")
    assert (root() / "vision/notes.txt").read_text() == "mine"
    assert (root() / "vision/classifier/mine").is_symlink()


# --- Bytes that turn out damaged


def damage(content: bytes) -> None:
    """Damage bytes in the store, and where they are shared or not, in the served version too."""
    blob = storage.path_of(hashlib.sha256(content).hexdigest())
    assert blob
    for path in [blob, *(path for path in link().rglob("*") if path.is_file() and path.read_bytes() == content)]:
        path.chmod(0o644)
        path.write_bytes(b"damaged")


def test_damage_is_logged_while_it_is_served_and_goes_when_it_is_healed(
    cast: Cast, model: RegisteredModel, caplog: pytest.LogCaptureFixture
) -> None:
    damage(b"same")
    verification.verify()
    assert served() == content(b"1") | {"README": b"damaged"}
    assert "holds damaged bytes: README" in caplog.text
    with pytest.raises(CommandError, match="production"):
        call_command("materialise_aliases")
    send(cast.bob, model, b"same")
    assert served() == content(b"1")
    assert versions_kept() == 1, "the damaged one is not kept for a way back"
    call_command("materialise_aliases")


def test_damaged_version_before_is_not_what_a_rollback_brings_back(cast: Cast, model: RegisteredModel) -> None:
    damage(b"1")
    move(cast, model, "2")
    verification.verify()
    send(cast.bob, model, b"1")
    roll_back(actor=cast.bob, model=model, name="production")
    assert served() == content(b"1")


def test_crash_before_healed_files_are_made_anew_is_put_right(cast: Cast, model: RegisteredModel) -> None:
    damage(b"same")
    verification.verify()
    blob = Blob.objects.get(pk=hashlib.sha256(b"same").hexdigest())
    with Incoming(limit=10) as incoming:
        incoming.write(b"same")
        incoming.store()
    Blob.objects.filter(pk=blob.pk).update(state=Blob.State.LIVE)
    assert served() != content(b"1")
    call_command("materialise_aliases")
    assert served() == content(b"1")


def test_files_that_are_whole_stay_where_bytes_are_lost(
    cast: Cast, model: RegisteredModel, caplog: pytest.LogCaptureFixture
) -> None:
    directory = link().resolve()
    lost = storage.path_of(hashlib.sha256(b"same").hexdigest())
    assert lost
    lost.unlink()
    damage(b"2")
    verification.verify()
    call_command("materialise_aliases")
    assert (link().resolve(), served()) == (directory, content(b"1"))
    assert "damaged" not in caplog.text


def test_alias_without_files_has_no_doubts_either(cast: Cast, model: RegisteredModel) -> None:
    damage(b"same")
    verification.verify()
    delete_ref(actor=cast.bob, model=model, kind="alias", name="production")
    assert traces() == [".versions"]


# --- A store elsewhere


@pytest.fixture
def bucket(in_bucket: S3) -> S3:
    """A store that has no files on this machine."""
    return in_bucket


def test_bytes_of_a_bucket_are_copied(bucket: S3, cast: Cast, model: RegisteredModel) -> None:
    assert storage.path_of(hashlib.sha256(b"same").hexdigest()) is None
    assert served() == content(b"1")
    move(cast, model, "2")
    assert served() == content(b"2")
    assert {stat.S_IMODE(path.stat().st_mode) for path in link().rglob("*") if path.is_file()} == {0o444}


def test_other_bytes_from_a_bucket_are_not_served(bucket: S3, cast: Cast, model: RegisteredModel) -> None:
    digest = hashlib.sha256(b"2").hexdigest()
    (bucket.bucket / storage.key_of(digest)).write_bytes(b"X")
    answer = client_of(cast.bob).put(URL, {"revision": "2"}).json()
    assert (answer["version"], answer["materialised"]["version"]) == (2, 1)
    assert served() == content(b"1")


# --- Several at once


def snapshot() -> dict[str, bytes]:
    """Read as a serving process does: follow the link once, then open the files from there."""
    directory = link().resolve(strict=True)
    return {name: (directory / name).read_bytes() for name in ("weights/a", "README", "weights/b")}


def test_every_read_shows_one_whole_version_while_the_alias_moves_to_and_fro(
    cast: Cast, model: RegisteredModel
) -> None:
    stop, seen, wrong = threading.Event(), set[bytes](), list[object]()

    def reads() -> None:
        while not stop.is_set():
            try:
                found = snapshot()
            except OSError as error:
                wrong.append(error)
                return
            seen.add(found["weights/b"])
            if found != content(found["weights/b"]):
                wrong.append(found)

    readers = [threading.Thread(target=reads) for _ in range(2)]
    for reader in readers:
        reader.start()
    for n in range(40):
        move(cast, model, "2" if n % 2 else "1", comment=str(n))
    stop.set()
    for reader in readers:
        reader.join()
    assert (wrong, seen) == ([], {b"1", b"2"})


def movers(cast: Cast, model: RegisteredModel) -> Iterator[threading.Thread]:
    for n in range(4):

        def moves(n: int = n) -> None:
            try:
                for step in range(5):
                    move(cast, model, str(1 + (n + step) % 3))
            finally:
                connection.close()

        yield threading.Thread(target=moves)


def test_moves_right_after_each_other_end_with_the_newest(cast: Cast, model: RegisteredModel) -> None:
    threads = list(movers(cast, model))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    newest = Ref.objects.get(name="production").version.number
    assert served() == content(str(newest).encode())
    assert versions_kept() <= 2
