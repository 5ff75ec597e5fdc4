"""Writing one project with its history and bytes into a file. Checks no right: it is a command's."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.apps import apps
from django.db import models
from django.db.models import Q
from django.utils import timezone

from registry import connections, project_files, storage
from registry.backups import Draft, Snapshot, Table, Unfit, opened
from registry.models import Artifact, Blob, Occurrence, Project, Version
from registry.project_files import BLOB_PREFIX, COLUMNS, MANIFEST
from registry.services.alone import run_alone
from registry.services.backup import Progress, Say
from registry.services.table_rows import AT_ONCE, AT_ONCE_LARGE, LARGE, encode, one_moment

ABOUT_ADDRESSES = ("member.invited", "invitation.withdrawn")  # their subject is somebody's
USERS = frozenset({"actor_id", "author_id", "created_by_id", "set_by_id", "trashed_by_id", "user_id"})


@dataclass(slots=True)
class Report:
    """What a file holds."""

    rows: int
    files: int
    bytes: int

    def lines(self) -> Iterator[str]:
        """Yield what people are told."""
        yield f"{self.rows:,} rows and {self.files:,} files of {self.bytes:,} bytes exported"


def export_project(*, name: str, path: Path, say: Say) -> Report:
    """Write a project's file. Raises Unfit (no such project, a file that is there already, damaged bytes), Conflict."""
    if path.exists():
        raise Unfit(f"{path} is there already. Name another file.")
    part, spool = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.tables")
    with run_alone("collect"):
        try:
            _remove(part, spool)  # of a run that was killed
            snapshot = _write_tables(name, spool)
            connections.release()
            with part.open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                report = _write_tar(snapshot, file, Progress(say, "exporting"))
                file.flush()
                os.fsync(file.fileno())
            part.rename(path)
            storage.sync_directory(path.parent)
        finally:
            _remove(part, spool)
    return report


def _remove(part: Path, spool: Path) -> None:
    part.unlink(missing_ok=True)
    shutil.rmtree(spool, ignore_errors=True)


def _write_tables(name: str, spool: Path) -> Snapshot:
    with one_moment() as using, opened(spool, create=True) as directory:
        try:
            project = Project.objects.using(using).filter(trashed_at=None).named(name)
        except Project.DoesNotExist:
            raise Unfit(f"There is no project “{name}”.") from None
        draft, users = Draft(directory, timezone.now()), set[int]()
        wanted = _rows_of(project, using)
        for table, columns in COLUMNS.items():
            if table != "accounts.user":
                draft.write_table(table, columns, _read(table, wanted[table], using, users))
        draft.write_table(
            "accounts.user", COLUMNS["accounts.user"], _read("accounts.user", Q(pk__in=users), using, users)
        )
        return draft.finish(draft.as_written({}, []))


def _rows_of(project: Project, using: str) -> dict[str, Q]:
    places = Occurrence.objects.using(using).filter(model__project=project).values("digest")
    contents = Artifact.objects.using(using).filter(project=project, content__isnull=False).values("content")
    roots = Version.objects.using(using).filter(model__project=project).values("tree")
    of_project, of_model, of_version = Q(project=project), Q(model__project=project), Q(version__model__project=project)
    return {
        "registry.project": Q(pk=project.pk),
        "registry.membership": of_project,
        "registry.hierarchy": of_project,
        "registry.registeredmodel": of_project,
        "registry.formermodelname": of_project,
        "registry.retentionrule": of_model,
        "registry.blob": (Q(pk__in=places) | Q(pk__in=contents)) & ~Q(state=Blob.State.DELETING),
        "registry.tree": Q(pk__in=roots) | Q(pk__in=places),
        "registry.version": of_model,
        "registry.versionparent": of_version,
        "registry.derivation": of_version & Q(source__model__project=project),
        "registry.ref": of_model,
        "registry.refmove": of_model,
        "registry.metric": of_version,
        "registry.artifact": of_project,
        "registry.event": of_project & ~Q(action__in=ABOUT_ADDRESSES),
    }


def _read(table: str, wanted: Q, using: str, users: set[int]) -> Iterator[list[Any]]:
    """Yield rows in the order of their keys, some at a time; note which users they name."""
    model: type[models.Model] = apps.get_model(table)
    columns = COLUMNS[table]
    people = [place for place, column in enumerate(columns) if column in USERS]
    rows = model._base_manager.using(using).filter(wanted).order_by("pk").values_list(*columns, "pk")
    size = AT_ONCE_LARGE if table in LARGE else AT_ONCE
    some = list(rows[:size])
    while some:
        for row in some:
            users.update(row[place] for place in people if row[place] is not None)
            yield [encode(value) for value in row[:-1]]
        some = list(rows.filter(pk__gt=some[-1][-1])[:size]) if len(some) == size else []


def _write_tar(snapshot: Snapshot, file: Any, progress: Progress) -> Report:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in (MANIFEST, *(f"{table}.jsonl" for table in COLUMNS)):
            with (snapshot.path / name).open("rb") as content:
                project_files.add_file(tar, name, os.fstat(content.fileno()).st_size, content)
        for row in snapshot.rows(_blobs(snapshot)):
            _add_blob(tar, *row)
            progress.add(row[1])
    return Report(sum(table.rows for table in snapshot.manifest.tables), progress.files, progress.bytes)


class _Hashing:
    """A file that hashes what is read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hasher = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        while 0 < len(piece) < size and (more := self._file.read(size - len(piece))):
            piece += more  # unbuffered: a read may give less than was asked for
        self._hasher.update(piece)
        return piece

    def digest(self) -> str:
        return self._hasher.hexdigest()


def _blobs(snapshot: Snapshot) -> Table:
    return next(table for table in snapshot.manifest.tables if table.name == "registry.blob")


def _add_blob(tar: tarfile.TarFile, digest: str, size: int) -> None:
    try:
        with storage.open_blob(digest) as file:
            hashing = _Hashing(file)
            project_files.add_file(tar, f"{BLOB_PREFIX}{digest}", size, hashing)  # type: ignore[arg-type]
    except OSError as error:
        raise Unfit(
            f"The bytes of {digest} are damaged or missing: {error}. Run verify_blobs, and heal them."
        ) from error
    if hashing.digest() != digest:
        raise Unfit(f"The bytes of {digest} are damaged. Run verify_blobs, and heal them.")
