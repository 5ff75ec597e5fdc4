"""Restoring a backup into an empty database, of whichever kind, and into the store. Checks no right: it is a command's.

Bytes first, each read back from the store, then all rows in one transaction: cut off at any moment, the database is empty
still, and the same command goes on. The tables are made at the state of the migrations that the backup was taken at, and
migrated further when its rows are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from registry import connections, storage
from registry.backups import BLOBS, Backup, Row, Snapshot, Table, Unfit, opened
from registry.digests import chunks_of, digest_stream
from registry.errors import Invalid
from registry.incoming import Incoming
from registry.models import Blob
from registry.services import activation
from registry.services.alone import run_alone
from registry.services.backup import Progress, Say
from registry.services.table_rows import APPS, MADE_BY_MIGRATING, continue_keys, write_rows

Node = tuple[str, str]


@dataclass(slots=True)
class Report:
    """What a run did. `lost`: blobs whose bytes the backup has not got, or damaged ones; their rows say so."""

    snapshot: str
    rows: int = 0
    blobs: int = 0
    stored: int = 0
    stored_bytes: int = 0
    lost: set[str] = field(default_factory=set)
    not_active: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield what people are told."""
        for digest in sorted(self.lost):
            yield f"damaged or missing in the backup: {digest}"
        yield f"snapshot {self.snapshot}: {self.rows:,} rows restored"
        yield f"{self.blobs:,} files are in the store; {self.stored:,} of {self.stored_bytes:,} bytes are new there"
        yield "All were read back and hashed. Everybody signs in again; access tokens work as before."
        if self.not_active:
            yield f"Not materialised: {', '.join(self.not_active)}. The log says why; run materialise_aliases."


def restore_backup(*, root: Path, name: str = "", say: Say) -> Report:
    """Restore the newest snapshot, or the one of this name.

    Raises Conflict (another_run) and Unfit; then the database has no row more than before.
    """
    with run_alone("collect"), opened(root) as backup:
        snapshot = backup.snapshot(name)
        snapshot.check_tables()
        state = _State(snapshot)
        state.migrate()
        state.refuse_rows()
        connections.release()
        report = Report(snapshot.name)
        _store_blobs(backup, snapshot, report, Progress(say, "storing"))
        say("files are stored; writing the rows, all or none")
        report.rows = state.write(report.lost)
        say("rows are written")
        call_command("migrate", verbosity=0, interactive=False)
    report.not_active = [f"{key.alias} (model {key.model_id})" for key in activation.put_right()]
    return report


# --- Bytes


def _store_blobs(backup: Backup, snapshot: Snapshot, report: Report, progress: Progress) -> None:
    for row in snapshot.blobs():
        if _is_stored(row):
            report.blobs += 1
        elif _store(backup, row) and _is_stored(row):
            report.blobs += 1
            report.stored += 1
            report.stored_bytes += row.size
        else:
            report.lost.add(row.digest)
        progress.add(row.size)


def _is_stored(row: Row) -> bool:
    """Whether the store gives back these bytes: read and hashed, whoever put them there."""
    if not storage.blob_exists(row.digest):
        return False
    return digest_stream(storage.read_blob(row.digest)) == (row.digest, row.size)


def _store(backup: Backup, row: Row) -> bool:
    try:
        with backup.path_of(row.digest).open("rb") as file, Incoming(limit=row.size) as incoming:
            incoming.write_all(chunks_of(file))
            incoming.check(sha256=row.digest, size=row.size)
            incoming.store()
    except (FileNotFoundError, Invalid):
        return False
    return True


# --- Rows


class _State:
    """The database at the migrations of a snapshot: its tables and models as they were then."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.wanted: set[Node] = {
            (app, name) for app, names in snapshot.manifest.migrations.items() for name in names if app in APPS
        }
        self.executor = MigrationExecutor(connection)
        graph = self.executor.loader.graph
        if unknown := sorted(node for node in self.wanted if node not in graph.nodes):
            raise Unfit(
                f"The backup was taken by a newer version of LMVP (it knows {'.'.join(unknown[0])}). Restore with that one.",
            )
        here = {node for node in MigrationRecorder(connection).applied_migrations() if node[0] in APPS}
        if further := sorted(here - self.wanted):
            raise Unfit(
                f"The database is migrated further ({'.'.join(further[0])}) than the backup. Name one without tables:"
                " they are made as they were then, and migrated when the rows are there.",
            )
        self.leaves = [
            node
            for node in sorted(self.wanted)
            if not any(child.key[0] == node[0] and child.key in self.wanted for child in graph.node_map[node].children)
        ]
        self.missing = [node for node in self.leaves if node not in here]

    def migrate(self) -> None:
        """Make the tables as they were, as far as they are not."""
        if self.missing:
            self.executor.migrate(self.missing)
        self.models = self.executor.loader.project_state(self.leaves).apps

    def model_of(self, table: Table) -> type[models.Model]:
        try:
            return self.models.get_model(table.name)
        except LookupError as error:
            raise Unfit(f"The backup has a table {table.name}, which is unknown here.") from error

    def refuse_rows(self) -> None:
        for table in self.snapshot.manifest.tables:
            if table.name not in MADE_BY_MIGRATING and self.model_of(table)._base_manager.exists():
                raise Unfit(
                    f"The database has rows already ({table.name}). A backup is restored into an empty one: name another"
                    " by DATABASE_URL or LMVP_DATA_DIR, or drop this one. Were they restored by a run that was cut off"
                    " at its end, all of them are there: start the server.",
                )

    def write(self, lost: set[str]) -> int:
        """Insert all rows, or none; return how many."""
        try:
            with transaction.atomic():
                self.refuse_rows()  # again: somebody may have registered while the files came
                for name in MADE_BY_MIGRATING:
                    self.models.get_model(name)._base_manager.all().delete()
                tables = self.snapshot.manifest.tables
                written = sum(self._write(table, lost) for table in tables)
                continue_keys([self.model_of(table) for table in tables])
        except (DatabaseError, KeyError, TypeError, ValueError) as error:
            raise Unfit(
                f"The rows do not fit together, and none was kept: {error}. Choose another --snapshot.",
            ) from error
        return written

    def _write(self, table: Table, lost: set[str]) -> int:
        rows = self.snapshot.rows(table)
        return write_rows(
            self.model_of(table), table.columns, _marked(table, rows, lost) if table.name == BLOBS else rows
        )


def _marked(table: Table, rows: Iterator[list[Any]], lost: set[str]) -> Iterator[list[Any]]:
    """Yield rows of blobs: damaged where the bytes did not arrive, live where they did, whatever was before."""
    digest, state = table.columns.index("sha256"), table.columns.index("state")
    for row in rows:
        row[state] = Blob.State.DAMAGED if row[digest] in lost else Blob.State.LIVE
        yield row
