"""Taking backups: the tables in one moment, then the bytes that they name, while everybody works on.

Bytes are written before the rows that name them and never change, so what the tables of a moment name is there as long as
nobody collects garbage: the collector's lock is held until the last byte is copied. Checks no right: it is a command's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.apps import apps
from django.db import connections as databases
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from registry import connections, storage
from registry.backups import Backup, Copying, Draft, Row, Snapshot, Unfit, opened
from registry.models import Blob
from registry.services.alone import run_alone
from registry.services.table_rows import APPS, TABLES, columns_of, kept_rows, one_moment, read_rows

Say = Callable[[str], None]
SECONDS_BETWEEN_LINES = 10


class Progress:
    """Lines about long work, now and then."""

    def __init__(self, say: Say, doing: str) -> None:
        self._say, self._doing = say, doing
        self._last = time.monotonic()
        self.files = self.bytes = 0

    def add(self, size: int) -> None:
        self.files += 1
        self.bytes += size
        if time.monotonic() - self._last > SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            self._say(f"{self._doing}: {self.files:,} files, {self.bytes:,} bytes so far")


@dataclass(slots=True)
class Report:
    """What a run did. `lost`: blobs that the snapshot names, and whose bytes are damaged or missing."""

    snapshot: str
    rows: int = 0
    blobs: int = 0
    copied: int = 0
    copied_bytes: int = 0
    removed: int | None = None
    lost: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield what people are told."""
        for digest in self.lost:
            yield f"damaged or missing: {digest}"
        yield f"snapshot {self.snapshot}: {self.rows:,} rows, {self.blobs:,} files"
        yield f"{self.copied:,} of the files are new here: {self.copied_bytes:,} bytes copied and hashed"
        if self.removed is not None:
            yield f"{self.removed:,} files deleted that only older snapshots named"
        if self.lost:
            yield "Files are damaged or missing in the store: run verify_blobs, and publish them again to heal them."


def take_backup(*, root: Path, keep: int | None = None, say: Say) -> Report:
    """Add a snapshot to a backup's directory, made when it is not there, and the blobs that are new since the last one.

    With `keep`, older snapshots than the newest so many are deleted behind it. Raises Conflict (another_run) and Unfit;
    then, as after a crash, the snapshots before are as they were.
    """
    if not storage.is_there() and Blob.objects.live().exists():
        raise Unfit("The store of all files is not there. Mount it, or see S3_BUCKET.")
    with run_alone("collect"), opened(root, create=True) as backup:
        backup.clean_up()
        draft = Draft(backup, timezone.now())
        migrations = _write_tables(draft, say)
        connections.release()
        snapshot = draft.as_written(migrations, [])
        report = Report(draft.name, sum(table.rows for table in snapshot.manifest.tables))
        _copy_blobs(backup, snapshot, report, Progress(say, "copying"))
        draft.finish(draft.as_written(migrations, report.lost))
        if keep is not None:
            report.removed = backup.forget_all_but(keep)
    return report


def _write_tables(draft: Draft, say: Say) -> dict[str, list[str]]:
    with one_moment() as using:
        executor = MigrationExecutor(databases[using])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise Unfit("Migrations are pending. Run manage.py migrate, then the backup.")
        for name in TABLES:
            model = apps.get_model(name)
            draft.write_table(name, columns_of(model), read_rows(model, kept_rows(name), using))
        applied = MigrationRecorder(databases[using]).applied_migrations()
    say("tables are written; copying files")
    return {app: sorted(name for of, name in applied if of == app) for app in APPS}


def _copy_blobs(backup: Backup, snapshot: Snapshot, report: Report, progress: Progress) -> None:
    with Copying(backup) as copying:
        for row in snapshot.blobs():
            report.blobs += 1
            if backup.holds(row.digest, row.size):
                continue
            if row.state == Blob.State.LIVE and _copy(copying, row):
                report.copied += 1
                report.copied_bytes += row.size
                progress.add(row.size)
            else:
                report.lost.append(row.digest)
        copying.flush()


def _copy(copying: Copying, row: Row) -> bool:
    """Copy a blob; False when its bytes are not its own or not there: one damaged file is no reason for no backup."""
    try:
        return copying.add(row.digest, storage.read_blob(row.digest))
    except storage.Lost:
        return False


@dataclass(slots=True)
class Verification:
    """What reading a backup again found, all snapshots of it."""

    snapshots: int = 0
    files: int = 0
    bytes: int = 0
    findings: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield what people are told."""
        yield from self.findings
        yield (
            f"{self.snapshots:,} snapshots and {self.files:,} files of {self.bytes:,} bytes read again,"
            f" {len(self.findings):,} of them not well"
        )
        if self.findings:
            yield "Damaged files were removed: the next backup copies them again, while the store has them."


def verify_backup(*, root: Path, say: Say) -> Verification:
    """Read all snapshots and blobs of a backup again. A damaged blob is removed, so that the next backup copies it."""
    report = Verification()
    with opened(root) as backup:
        progress = Progress(say, "reading")
        seen: set[bytes] = set()
        for name in backup.names():
            snapshot = backup.snapshot(name)
            snapshot.check_tables()
            report.snapshots += 1
            lost = set(snapshot.manifest.lost)
            for row in snapshot.blobs():
                if row.digest not in lost and bytes.fromhex(row.digest) not in seen:
                    seen.add(bytes.fromhex(row.digest))
                    _verify(backup, row, report, progress)
    return report


def _verify(backup: Backup, row: Row, report: Verification, progress: Progress) -> None:
    report.files += 1
    report.bytes += row.size
    progress.add(row.size)
    if not backup.is_whole(row.digest):
        report.findings.append(f"damaged or missing: {row.digest} ({row.size:,} bytes)")
        backup.remove(row.digest)
