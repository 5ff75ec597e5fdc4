"""One project in a file: its history comes back as it was, and a file that was changed on the way is refused."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Name, User
from registry import storage
from registry.models import Artifact, Blob, Event, Membership, Metric, Occurrence, Project, Ref, RefMove, Role, Version
from registry.services.garbage import collect
from registry.services.members import invite
from registry.services.metrics import Measured
from registry.services.trash import delete
from registry.services.verification import verify
from tests.cast import Cast, client_of, make_cast, publish
from tests.housekeeping import let_trash_days_pass


@pytest.fixture
def people(transactional_db: None) -> Cast:
    people = make_cast()
    model = people.model()
    publish(people.alice, model, {"a/b": b"one", "c": b"two"}, metadata={"é": 1.5}, metrics=[Measured("loss", 0.5)])
    publish(people.bob, model, {"a/b": b"three"}, message="second", branch="trial", parent="1")
    publish(people.alice, model, {"big": os.urandom(3 << 20)}, tag="first", alias="best")
    return people


@pytest.fixture
def exported(people: Cast, tmp_path: Path) -> Path:
    file = tmp_path / "vision.tar"
    call_command("export_project", "vision", str(file))
    return file


def told(project: str) -> dict[str, Any]:
    """Return what a project's history is, without the keys that every database gives anew."""
    of = {"model__project__name": project}
    return {
        "versions": list(
            Version.objects.filter(**of)
            .order_by("number")
            .values_list(
                "number", "digest", "tree", "author_name", "branch", "message", "metadata_json", "created_at",
                "model__name", "model__last_number", "parent_links__parent__digest",
            )
        ),
        "refs": set(Ref.objects.filter(**of).values_list("kind", "name", "version__number")),
        "moves": list(
            RefMove.objects.filter(**of).order_by("pk").values_list("kind", "name", "to_version__number", "at", "comment")
        ),
        "metrics": list(Metric.objects.filter(**of).values_list("version__number", "name", "value", "latest", "created_at")),
        "occurrences": set(Occurrence.objects.filter(**of).values_list("path", "digest", "first_version__number")),
    }  # fmt: skip


def contents_of(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}


def write(file: Path, contents: dict[str, bytes]) -> None:
    with tarfile.open(file, "w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def change(file: Path, table: str, how: Callable[[dict[str, Any]], object]) -> None:
    """Change every row of a table, and the manifest so that it fits, as somebody who forges would."""
    contents = contents_of(file)
    manifest = json.loads(contents["manifest.json"])
    said = next(one for one in manifest["tables"] if one["name"] == table)
    lines = []
    for line in contents[f"{table}.jsonl"].splitlines():
        row = dict(zip(said["columns"], json.loads(line), strict=True))
        if how(row) != "dropped":
            lines.append(json.dumps(list(row.values())).encode() + b"\n")
    content = b"".join(lines)
    said |= {"sha256": hashlib.sha256(content).hexdigest(), "rows": len(lines)}
    write(file, contents | {f"{table}.jsonl": content, "manifest.json": json.dumps(manifest).encode()})


def refused(file: Path, said: str) -> None:
    """The import ends with these words, and leaves no row of a project, of a name or of a user."""
    before = Project.objects.count(), Name.objects.count(), User.objects.count(), Version.objects.count()
    with pytest.raises(CommandError, match=said):
        call_command("import_project", str(file), name="copy", owner="alice")
    assert (Project.objects.count(), Name.objects.count(), User.objects.count(), Version.objects.count()) == before


def test_history_comes_back_as_it_was_and_goes_on(exported: Path, people: Cast) -> None:
    call_command("import_project", str(exported), name="copy")
    assert told("copy") == told("vision")
    project = Project.objects.get(name="copy")
    members = set(Membership.objects.filter(project=project).values_list("user__username", "role"))
    assert members == set(Membership.objects.filter(project=people.project).values_list("user__username", "role"))
    assert Event.objects.filter(project=project, subject="copy/classifier v1", action="version.published").exists()
    later = publish(people.alice, project.models.get(), {"later": b"later"})
    assert later.number == 4
    assert not verify().findings


def test_file_is_for_its_owner_alone_and_is_not_written_over(exported: Path) -> None:
    assert exported.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError, match="there already"):
        call_command("export_project", "vision", str(exported))
    with pytest.raises(CommandError, match="no project"):
        call_command("export_project", "nothing", str(exported.with_name("other")))


def test_what_a_killed_export_left_is_in_nobodys_way(exported: Path) -> None:
    exported.unlink()
    exported.with_name(".vision.tar.part").write_bytes(b"half")
    exported.with_name(".vision.tar.tables").mkdir()
    call_command("export_project", "vision", str(exported))
    assert list(exported.parent.glob(".vision*")) == []
    assert contents_of(exported)


def test_damaged_bytes_are_not_exported(people: Cast, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"two").hexdigest()
    storage.delete_blob(digest)
    with pytest.raises(CommandError, match="damaged or missing"):
        call_command("export_project", "vision", str(tmp_path / "x.tar"))
    assert not (tmp_path / "x.tar").exists()


def test_no_addresses_and_no_passwords_are_in_the_file(people: Cast, tmp_path: Path) -> None:
    invite(actor=people.alice, project=people.project, email="erin@example.org", role=Role.VIEWER)
    exported = tmp_path / "vision.tar"
    call_command("export_project", "vision", str(exported))
    tables = b"".join(content for name, content in contents_of(exported).items() if name.endswith(".jsonl"))
    assert b"example.org" not in tables
    assert b"md5$" not in tables


def test_people_who_are_not_here_become_a_placeholder_and_their_names_stay(exported: Path) -> None:
    def rename(row: dict[str, Any]) -> None:
        row["username"] = {"bob": "robert"}.get(row["username"], row["username"])

    change(exported, "accounts.user", rename)
    call_command("import_project", str(exported), name="copy")
    version = Version.objects.get(model__project__name="copy", number=2)
    assert version.author_name == "bob"
    assert (version.author.username, version.author.is_active) == ("imported", False)
    assert not version.author.has_usable_password()
    call_command("import_project", str(exported), name="copy-2")
    assert User.objects.filter(username__startswith="imported").count() == 1


def test_taken_names_and_unknown_owners_are_refused(exported: Path) -> None:
    for options, said in (
        ({}, "is taken"),
        ({"name": "alice"}, "is taken"),
        ({"name": "../x"}, "or none"),
        ({"name": "admin"}, "word of the site"),
        ({"name": "copy", "owner": "nobody"}, "no user"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("import_project", str(exported), **options)
    assert Project.objects.count() == 1


def test_file_that_is_cut_off_anywhere_is_refused(exported: Path) -> None:
    whole = exported.read_bytes()
    for length in (0, 1, 511, 700, len(whole) // 3, len(whole) // 2, len(whole) - (1 << 20)):
        exported.write_bytes(whole[:length])
        refused(exported, "cut off|no tar|missing")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "blobs/../x", "registry.blob", "x.jsonl"])
def test_other_names_are_refused_and_nothing_is_written_there(exported: Path, name: str, tmp_path: Path) -> None:
    write(exported, contents_of(exported) | {name: b"root::0:0"})
    refused(exported, "does not belong")


def test_links_are_refused(exported: Path) -> None:
    with tarfile.open(exported, "a") as tar:
        link = tarfile.TarInfo("registry.blob.jsonl")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    refused(exported, "no plain file")


def test_changed_bytes_are_refused(exported: Path) -> None:
    name = f"blobs/{hashlib.sha256(b'two').hexdigest()}"
    write(exported, contents_of(exported) | {name: b"TWO"})
    refused(exported, "are others than the name says")


def test_newer_format_is_refused(exported: Path) -> None:
    contents = contents_of(exported)
    manifest = json.loads(contents["manifest.json"]) | {"format": 2}
    write(exported, contents | {"manifest.json": json.dumps(manifest).encode()})
    refused(exported, "format 2")


def test_backup_of_everything_is_no_project(people: Cast, tmp_path: Path) -> None:
    call_command("backup", str(tmp_path / "backup"))
    (snapshot,) = (tmp_path / "backup" / "snapshots").iterdir()
    write(tmp_path / "x.tar", {"manifest.json": (snapshot / "manifest.json").read_bytes()})
    refused(tmp_path / "x.tar", "no project's file")


@pytest.mark.parametrize(
    ("table", "how", "said"),
    [
        ("registry.version", lambda row: row.update(message="forged"), "digest of version 1"),
        ("registry.version", lambda row: row.update(author_name="mallory"), "digest of version 1"),
        ("registry.version", lambda row: row.update(metadata_json='{"é":2}'), "digest of version 1"),
        ("registry.version", lambda row: row.update(created_at="2026-01-01T00:00:00"), "cannot be read"),
        ("registry.version", lambda row: row.update(created_at="2026-01-01T00:00:00+00:00"), "digest of version 1"),
        ("registry.version", lambda row: row.update(purged_at="2026-01-01T00:00:00+00:00"), "not what purging leaves"),
        ("registry.version", lambda row: row.update(number=row["number"] + 7), "number or digest"),
        ("registry.version", lambda row: row.update(author_id=77), "do not fit together"),
        ("registry.version", lambda row: "dropped", "does not hold|cannot be read"),
        ("registry.versionparent", lambda row: "dropped", "digest of version 2"),
        ("registry.tree", lambda row: "dropped", "directory"),
        ("registry.tree", lambda row: row.update(files=9), "another number"),
        ("registry.tree", lambda row: row.update(content=base64.b64encode(b"").decode()), "other contents"),
        ("registry.blob", lambda row: "dropped", "does not tell of"),
        ("registry.ref", lambda row: row.update(name="latest"), "latest"),
        ("registry.ref", lambda row: row.update(name="x" * 101), "100"),
        ("registry.ref", lambda row: row.update(version_id=99), "cannot be read"),
        ("registry.metric", lambda row: row.update(value=1e999), "no JSON|as it was written|finite"),
        ("registry.registeredmodel", lambda row: row.update(name="../x"), "Use letters"),
        ("registry.registeredmodel", lambda row: row.update(last_number=2), "number or digest of version 3"),
        ("registry.event", lambda row: row.update(after=[1]), "no object"),
        ("registry.project", lambda row: row.update(visibility="everybody"), "not a valid choice"),
    ],
)
def test_forged_rows_are_refused(exported: Path, table: str, how: Callable[[dict], object], said: str) -> None:
    change(exported, table, how)
    refused(exported, said)


def forge_tree(file: Path, content: bytes) -> None:
    """Give version 1 a directory of these bytes, under their own digest, in a file that is otherwise whole."""
    digest = hashlib.sha256(content).hexdigest()
    roots = set(Version.objects.values_list("tree", flat=True))

    def forge(row: dict[str, Any]) -> None:
        if row["digest"] in roots:
            row.update(content=base64.b64encode(content).decode(), digest=digest, files=1, size=3)

    change(file, "registry.tree", forge)


@pytest.mark.parametrize("name", ["..", "a\x01b", "a\\b", "a/b", "e\u0301"])
def test_directories_with_names_that_no_file_can_have_are_refused(exported: Path, name: str) -> None:
    forge_tree(exported, f"100644 {hashlib.sha256(b'two').hexdigest()} 3\t{name}\n".encode())
    refused(exported, "no file can have|control characters|relative")


def test_directories_of_bytes_that_are_not_in_the_file_are_refused(exported: Path, people: Cast) -> None:
    content = f"100644 {hashlib.sha256(b'xyz').hexdigest()} 3\tx\n".encode()
    publish(people.alice, people.model("secret"), {"x": b"xyz"})  # here, and not in the file: no way to read it
    assert Blob.objects.filter(pk=hashlib.sha256(b"xyz").hexdigest()).exists()
    forge_tree(exported, content)
    refused(exported, "missing, or of another size")


def test_artifacts_come_along_with_ids_of_their_own_where_theirs_are_taken(people: Cast, tmp_path: Path) -> None:
    api = client_of(people.alice)
    root = api.post("/v1/artifacts/", {"project": "vision", "data": {"b": 1, "a": [1.0]}}).json()
    child = api.post("/v1/artifacts/", {"parent_id": root["id"], "data": {"x": 1}}).json()
    call_command("export_project", "vision", str(tmp_path / "x.tar"))
    call_command("import_project", str(tmp_path / "x.tar"), name="copy")
    copies = list(Artifact.objects.filter(project__name="copy").order_by("level"))
    assert [one.data for one in copies] == [root["data"], child["data"]]
    assert list(copies[0].data) == ["b", "a"]
    assert copies[1].parent == copies[0]
    assert {one.pk for one in copies}.isdisjoint({root["id"], child["id"]})


def test_what_was_purged_stays_a_number_and_a_digest_and_what_is_in_the_trash_stays_there(
    people: Cast, tmp_path: Path
) -> None:
    model = people.project.models.get()
    for n in range(2):
        publish(people.alice, model, {"c": b"later %d" % n}, branch="trial")
    second, fourth = (Version.objects.get(model=model, number=number) for number in (2, 4))
    delete(actor=people.alice, row=second)
    let_trash_days_pass(second)
    collect()
    delete(actor=people.alice, row=fourth)
    call_command("export_project", "vision", str(tmp_path / "x.tar"))
    call_command("import_project", str(tmp_path / "x.tar"), name="copy")
    assert told("copy") == told("vision")
    there = Version.objects.filter(model__project__name="copy").order_by("number")
    assert [(one.trashed_at is not None, one.purged_at is not None) for one in there] == [
        (False, False), (True, True), (False, False), (True, False), (False, False),
    ]  # fmt: skip
