"""A backup's directory: blobs by digest, and one directory for each snapshot of the tables. Knows no database and no store.

    DIR/blobs/ab/cdef…                      shared by all snapshots, read-only, named by their SHA-256
    DIR/snapshots/<UTC time>/<table>.jsonl  a row on each line, as a JSON list in the order of the manifest's columns
    DIR/snapshots/<UTC time>/manifest.json  format, migrations, tables with their rows and SHA-256, what was lost

A snapshot gets its name when all it names is synced; one that begins with a dot was not finished.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from registry.digests import CHUNK, SHA256, chunks_of, digest_stream
from registry.errors import Conflict
from registry.syncing import sync_together

FORMAT = 1
TABLE_NAME = re.compile(r"[a-z_]+\.[a-z_]+")
SNAPSHOT_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
MOST_PENDING, MOST_PENDING_BYTES = 500, 256 * 2**20  # written, and not yet synced
BLOBS = "registry.blob"


class Unfit(Exception):
    """A backup, a file or a database that nothing can be done with; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Table:
    """What a manifest says of one table."""

    name: str
    columns: list[str]
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot holds. `lost`: blobs that are named, and whose bytes were damaged or missing when it was taken."""

    taken_at: str
    migrations: dict[str, list[str]]
    tables: list[Table]
    lost: list[str] = field(default_factory=list)
    format: int = FORMAT

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Return what the file says; Unfit for what cannot be read."""
        try:
            said = json.loads(path.read_bytes())
            if said["format"] > FORMAT:
                raise Unfit(
                    f"{path} has format {said['format']}; this program knows up to {FORMAT}. Restore with a newer one.",
                )
            tables = [Table(**table) for table in said.pop("tables")]
            manifest = cls(tables=tables, **said)
            manifest._check()
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unfit(f"{path} cannot be read: {error!r}. Choose another --snapshot.") from error
        return manifest

    def _check(self) -> None:
        datetime.fromisoformat(self.taken_at)
        for table in self.tables:
            if not TABLE_NAME.fullmatch(table.name):
                raise ValueError(table.name)
        if len({table.name for table in self.tables}) != len(self.tables):
            raise ValueError("a table twice")
        if not all(isinstance(digest, str) and SHA256.fullmatch(digest) for digest in self.lost):
            raise ValueError("lost")


@dataclass(frozen=True, slots=True)
class Row:
    """What a snapshot says of a blob."""

    digest: str
    size: int
    state: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A finished snapshot."""

    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        return self.path.name

    def rows(self, table: Table) -> Iterator[list[Any]]:
        """Yield a table's rows; Unfit at the end, or before, where they are not as they were written."""
        hasher, number = hashlib.sha256(), 0
        try:
            with (self.path / f"{table.name}.jsonl").open("rb") as file:
                for line in file:
                    hasher.update(line)
                    number += 1
                    row = json.loads(line, parse_constant=_refuse_constant)
                    if not isinstance(row, list) or len(row) != len(table.columns):
                        raise ValueError(f"line {number}")
                    yield row
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged(table) from error
        if (number, hasher.hexdigest()) != (table.rows, table.sha256):
            raise self._damaged(table)

    def _damaged(self, table: Table) -> Unfit:
        return Unfit(
            f"{self.path / table.name}.jsonl is not as it was written. Choose another --snapshot.",
        )

    def blobs(self) -> Iterator[Row]:
        """Yield what it says of blobs."""
        table = next((table for table in self.manifest.tables if table.name == BLOBS), None)
        if table is None:
            raise Unfit(f"{self.path} has no table of blobs. Choose another --snapshot.")
        places = [table.columns.index(column) for column in ("sha256", "size", "state")]
        for row in self.rows(table):
            digest, size, state = (row[place] for place in places)
            if not isinstance(digest, str) or not SHA256.fullmatch(digest):
                raise self._damaged(table)
            yield Row(digest, size, state)

    def check_tables(self) -> None:
        """Read all tables; Unfit when one is not as it was written."""
        for table in self.manifest.tables:
            for _ in self.rows(table):
                pass


class Draft:
    """A snapshot that is being written. Nobody finds it before `finish`."""

    def __init__(self, backup: Backup, taken_at: datetime) -> None:
        self.name = taken_at.strftime("%Y%m%dT%H%M%S.%fZ")
        self.path = backup.snapshots / f".{self.name}"
        self.path.mkdir()
        self._taken_at = taken_at
        self._tables: list[Table] = []

    def write_table(self, name: str, columns: list[str], rows: Iterable[list[Any]]) -> None:
        hasher, number = hashlib.sha256(), 0
        with (self.path / f"{name}.jsonl").open("wb") as file:
            for row in rows:
                line = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
                file.write(line)
                hasher.update(line)
                number += 1
            _sync(file)
        self._tables.append(Table(name, columns, number, hasher.hexdigest()))

    def as_written(self, migrations: dict[str, list[str]], lost: list[str]) -> Snapshot:
        """Return it as it can be read already."""
        return Snapshot(self.path, Manifest(self._taken_at.isoformat(), migrations, self._tables, lost))

    def finish(self, snapshot: Snapshot) -> Snapshot:
        """Write its manifest and give it its name: from now on it is there, also after a pulled plug."""
        with (self.path / "manifest.json").open("w") as file:
            json.dump(asdict(snapshot.manifest), file, indent=1)
            _sync(file)
        _sync_directory(self.path)
        finished = self.path.with_name(self.name)
        self.path.rename(finished)
        _sync_directory(finished.parent)
        return Snapshot(finished, snapshot.manifest)


class Backup:
    """The directory. Use one that was opened by `opened`, so that only one process works in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs"
        self.snapshots = root / "snapshots"

    def path_of(self, digest: str) -> Path:
        return self.blobs / digest[:2] / digest[2:]

    def holds(self, digest: str, size: int) -> bool:
        try:
            return self.path_of(digest).stat().st_size == size
        except FileNotFoundError:
            return False

    def is_whole(self, digest: str) -> bool:
        """Whether the bytes under a digest are its own: read and hashed."""
        try:
            with self.path_of(digest).open("rb") as file:
                return digest_stream(chunks_of(file, size=CHUNK))[0] == digest
        except FileNotFoundError:
            return False

    def remove(self, digest: str) -> None:
        self.path_of(digest).unlink(missing_ok=True)

    def snapshot(self, name: str = "") -> Snapshot:
        """Return the snapshot of this name, or the newest; Unfit when there is none."""
        names = self.names()
        if not names or (name and name not in names):
            known = ", ".join(names) or "none"
            raise Unfit(f"{self.root} has no such snapshot. Those that were finished: {known}.")
        path = self.snapshots / (name or names[-1])
        return Snapshot(path, Manifest.read(path / "manifest.json"))

    def names(self) -> list[str]:
        """Return the names of the finished snapshots, the oldest first."""
        with suppress(FileNotFoundError):
            return sorted(path.name for path in self.snapshots.iterdir() if SNAPSHOT_NAME.fullmatch(path.name))
        return []

    def clean_up(self) -> None:
        """Remove what a run left that was cut off; blobs that it had finished stay."""
        for draft in self.snapshots.glob(".*"):
            shutil.rmtree(draft)
        for part in self.blobs.glob("*/*.part"):
            part.unlink()

    def forget_all_but(self, newest: int) -> int:
        """Delete older snapshots, then the blobs that no other names; return how many blobs."""
        for name in self.names()[:-newest]:
            gone = self.snapshots / f".{name}"
            (self.snapshots / name).rename(gone)
            shutil.rmtree(gone)
        named = {bytes.fromhex(row.digest) for name in self.names() for row in self.snapshot(name).blobs()}
        removed = 0
        for path in self.blobs.glob("[0-9a-f][0-9a-f]/*"):
            digest = path.parent.name + path.name
            if SHA256.fullmatch(digest) and bytes.fromhex(digest) not in named:
                path.unlink()
                removed += 1
        return removed


@contextmanager
def opened(root: Path, *, create: bool = False) -> Iterator[Backup]:
    """Open a backup's directory for one process; Unfit where there is none, Conflict (another_run)."""
    backup = Backup(root)
    if create:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)  # everybody's addresses and hashed passwords stand there
        for directory in (backup.blobs, backup.snapshots):
            directory.mkdir(exist_ok=True)
    elif not backup.snapshots.is_dir():
        raise Unfit(f"{root} is no backup: it has no directory “snapshots”.")
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("another_run", f"Another run works in {root}. Wait for its end.") from None
        yield backup
    finally:
        os.close(descriptor)


class Copying:
    """Blobs on their way into a backup: written and hashed, synced many at once, and only then named."""

    def __init__(self, backup: Backup) -> None:
        self._backup = backup
        self._pending: dict[Path, Path] = {}
        self._bytes = 0
        self._descriptor = os.open(backup.root, os.O_RDONLY | os.O_DIRECTORY)

    def add(self, digest: str, chunks: Iterable[bytes]) -> bool:
        """Write the bytes of a blob; False, and nothing is kept, when they are not what the digest says."""
        target = self._backup.path_of(digest)
        target.parent.mkdir(exist_ok=True)
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        hasher = hashlib.sha256()
        try:
            with part.open("wb", buffering=0) as file:
                for chunk in chunks:
                    hasher.update(chunk)
                    self._bytes += file.write(chunk)
                os.fchmod(file.fileno(), 0o400)
        except BaseException:
            part.unlink()
            raise
        if hasher.hexdigest() != digest:
            part.unlink()
            return False
        self._pending[part] = target
        if len(self._pending) >= MOST_PENDING or self._bytes >= MOST_PENDING_BYTES:
            self.flush()
        return True

    def flush(self) -> None:
        """Return when all that was added stands under its name, and would survive a pulled plug."""
        sync_together(self._pending, self._descriptor)
        for part, target in self._pending.items():
            part.replace(target)
        directories = {target.parent for target in self._pending.values()}
        sync_together(directories | {self._backup.blobs}, self._descriptor)
        self._pending, self._bytes = {}, 0

    def __enter__(self) -> Copying:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _refuse_constant(text: str) -> None:
    raise ValueError(text)  # NaN and infinities are no JSON


def _sync(file: BinaryIO | Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
