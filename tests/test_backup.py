"""Backups on this database: what they hold, what the next one adds, what they survive, and what they find."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError

from registry import storage
from registry.models import Blob
from registry.services import table_rows
from registry.services.alone import run_alone
from tests.cast import Cast, make_cast, publish


@pytest.fixture
def people(transactional_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "backup"


def files_of(backup: Path) -> set[str]:
    return {path.parent.name + path.name for path in (backup / "blobs").glob("*/*")}


def snapshots_of(backup: Path) -> list[Path]:
    return sorted((backup / "snapshots").iterdir())


def manifest_of(snapshot: Path) -> dict:
    return json.loads((snapshot / "manifest.json").read_text())


def test_every_table_is_in_a_backup_or_left_out_on_purpose() -> None:
    installed = {
        model._meta.label_lower
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in table_rows.APPS
    }
    assert installed == set(table_rows.TABLES) | table_rows.LEFT_OUT


def test_backup_holds_what_is_there_and_the_next_one_copies_only_what_is_new(people: Cast, backup: Path) -> None:
    model = people.model()
    publish(people.alice, model, {"a": b"one", "b": b"two"})
    call_command("backup", str(backup))
    before = {path: path.stat().st_ino for path in (backup / "blobs").glob("*/*")}
    publish(people.alice, model, {"a": b"three"})
    call_command("backup", str(backup))
    assert files_of(backup) == set(Blob.objects.values_list("pk", flat=True))
    assert before.items() <= {path: path.stat().st_ino for path in (backup / "blobs").glob("*/*")}.items()
    rows = [
        {table["name"]: table["rows"] for table in manifest_of(one)["tables"]}["registry.version"]
        for one in snapshots_of(backup)
    ]
    assert rows == [1, 2]
    assert (backup.stat().st_mode & 0o777) == 0o700


def test_damaged_file_is_said_kept_out_and_no_reason_for_no_backup(people: Cast, backup: Path, capsys) -> None:
    publish(people.alice, people.model(), {"a": b"one", "b": b"two", "c": b"three"})
    lost, damaged, whole = Blob.objects.order_by("pk").values_list("pk", flat=True)
    storage.delete_blob(lost)
    path = storage.path_of(damaged)
    assert path
    path.chmod(0o600)
    path.write_bytes(b"xxx")
    with pytest.raises(SystemExit) as left:
        call_command("backup", str(backup))
    assert left.value.code == 2
    assert f"damaged or missing: {lost}" in capsys.readouterr().out
    assert files_of(backup) == {whole}
    assert manifest_of(snapshots_of(backup)[0])["lost"] == [lost, damaged]


def test_reading_a_backup_again_finds_damage_and_the_next_backup_heals_it(people: Cast, backup: Path, capsys) -> None:
    publish(people.alice, people.model(), {"a": b"one"})
    call_command("backup", str(backup))
    call_command("backup", str(backup), verify=True)
    (path,) = (backup / "blobs").glob("*/*")
    path.chmod(0o600)
    path.write_bytes(b"0ne")
    with pytest.raises(SystemExit):
        call_command("backup", str(backup), verify=True)
    assert "1 of them not well" in capsys.readouterr().out
    call_command("backup", str(backup))
    assert path.read_bytes() == b"one"
    call_command("backup", str(backup), verify=True)


def test_changed_table_is_found(people: Cast, backup: Path) -> None:
    call_command("backup", str(backup))
    table = snapshots_of(backup)[0] / "accounts.user.jsonl"
    table.write_text(table.read_text().replace("alice", "mallo"))
    with pytest.raises(CommandError, match="is not as it was written"):
        call_command("backup", str(backup), verify=True)


def test_old_snapshots_go_with_the_files_that_no_other_names(people: Cast, backup: Path) -> None:
    model = people.model()
    publish(people.alice, model, {"a": b"one"})
    call_command("backup", str(backup))
    stray = backup / "blobs" / "ab" / ("cd" * 31)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"of a snapshot that is gone")
    call_command("backup", str(backup), keep=1)
    assert len(snapshots_of(backup)) == 1
    assert files_of(backup) == set(Blob.objects.values_list("pk", flat=True))


def test_garbage_is_not_collected_meanwhile_and_not_two_at_once(people: Cast, backup: Path) -> None:
    with run_alone("collect"), pytest.raises(CommandError, match="Another run"):
        call_command("backup", str(backup))
    assert not backup.exists()


def test_what_a_killed_run_left_is_cleaned_up(people: Cast, backup: Path) -> None:
    call_command("backup", str(backup))
    (backup / "snapshots" / ".20260101T000000.000000Z").mkdir()
    (backup / "blobs" / "ab").mkdir(exist_ok=True)
    (backup / "blobs" / "ab" / "cd.part").write_bytes(b"half")
    call_command("backup", str(backup))
    assert not list((backup / "snapshots").glob(".*"))
    assert not list((backup / "blobs").glob("*/*.part"))


def test_no_backup_where_the_store_is_not_there(people: Cast, backup: Path, tmp_path: Path) -> None:
    publish(people.alice, people.model(), {"a": b"one"})
    (tmp_path / "blobs").rename(tmp_path / "elsewhere")
    with pytest.raises(CommandError, match="not there"):
        call_command("backup", str(backup))


def test_restoring_is_refused_over_rows_and_from_what_is_no_backup(people: Cast, backup: Path, tmp_path: Path) -> None:
    call_command("backup", str(backup))
    with pytest.raises(CommandError, match="has rows already"):
        call_command("restore", str(backup))
    with pytest.raises(CommandError, match="is no backup"):
        call_command("restore", str(tmp_path / "nothing"))
    with pytest.raises(CommandError, match="no such snapshot"):
        call_command("restore", str(backup), snapshot="../../etc")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format 2"),
        ({"migrations": {"registry": ["9999_from_the_future"]}}, "newer version"),
        ({"tables": [{"name": "../../x", "columns": [], "rows": 0, "sha256": ""}]}, "cannot be read"),
        ({"tables": []}, "no table of blobs"),
        ({"taken_at": "yesterday"}, "cannot be read"),
        ({"lost": [7]}, "cannot be read"),
    ],
)
def test_hostile_manifests_are_refused(people: Cast, backup: Path, change: dict, said: str) -> None:
    call_command("backup", str(backup))
    (snapshot,) = snapshots_of(backup)
    (snapshot / "manifest.json").write_text(json.dumps(manifest_of(snapshot) | change))
    with pytest.raises(CommandError, match=said):
        call_command("restore", str(backup))
