"""The file of one project: a tar of its tables and blobs. Knows no database; what it reads may come from anybody.

manifest.json      as a backup's
<table>.jsonl      as a backup's, with the columns below
blobs/<SHA-256>    the bytes of every file of every version and artifact
"""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tarfile import TarFile, TarInfo
from typing import IO

from registry.backups import Manifest, Snapshot, Unfit
from registry.digests import SHA256, chunks_of, digest_stream

COLUMNS = {
    table: columns.split()
    for table, columns in {
        "accounts.user": "id username",
        "registry.project": "name description visibility created_by_id created_at",
        "registry.membership": "user_id role created_at",
        "registry.hierarchy": "id name level_labels created_at",
        "registry.registeredmodel": "id name kind description default_branch last_number created_by_id created_at updated_at"
        " trashed_at trashed_by_id purged_at",
        "registry.formermodelname": "name model_id",
        "registry.retentionrule": "model_id keep_last keep_days set_by_id set_at",
        "registry.blob": "sha256 size",
        "registry.tree": "digest content files size",
        "registry.version": "id model_id number digest tree_id author_id author_name branch message metadata_json created_at"
        " deprecated deprecated_at trashed_at trashed_by_id undeleted_at purged_at",
        "registry.versionparent": "version_id parent_id position",
        "registry.derivation": "version_id source_id position",
        "registry.ref": "model_id kind name version_id protected created_at updated_at",
        "registry.refmove": "id model_id kind name from_version_id to_version_id actor_id comment at undoes_id",
        "registry.metric": "version_id model_id name step value text latest author_id created_at",
        "registry.artifact": "id hierarchy_id parent_id level data content_id content_type version_id created_by_id created_at"
        " updated_at",
        "registry.event": "project_name actor_id action subject before after at",
    }.items()
}
MANIFEST = "manifest.json"
MOST_MANIFEST_BYTES = 1 << 20
BLOB_PREFIX = "blobs/"


def add_file(tar: TarFile, name: str, size: int, file: IO[bytes]) -> None:
    """Write one member; OSError when the file is shorter than was said."""
    member = TarInfo(name)
    member.size, member.mode = size, 0o600
    tar.addfile(member, file)


def add_bytes(tar: TarFile, name: str, content: bytes) -> None:
    add_file(tar, name, len(content), io.BytesIO(content))


def unpack(path: Path, spool: Path) -> tuple[Snapshot, dict[str, int]]:
    """Read a project's file to its end: the tables into a directory, the blobs only hashed; return those by digest.

    Unfit for one that is cut off, holds other things, or a blob of other bytes than its name says.
    """
    found: dict[str, int] = {}
    with errors_said_clearly(path):
        _unpack(path, spool, found)
    return _read(path, spool), found


def _unpack(path: Path, spool: Path, found: dict[str, int]) -> None:
    seen: set[str] = set()
    for member, file in members(path):
        if member.name in seen:
            raise Unfit(f"{path} holds {member.name!r} twice.")
        seen.add(member.name)
        digest = member.name.removeprefix(BLOB_PREFIX)
        if SHA256.fullmatch(digest) and member.name != digest:
            if digest_stream(chunks_of(file)) != (digest, member.size):
                raise Unfit(f"{path}: the bytes of {member.name} are others than the name says, or cut off.")
            found[digest] = member.size
        else:
            _spool(member, file, spool)


def members(path: Path) -> Iterator[tuple[TarInfo, IO[bytes]]]:
    """Yield the plain files of a tar with their bytes, to be read before the next is asked for."""
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isreg() and not member.issparse() else None
            if file is None:
                raise Unfit(f"{path} holds {member.name!r}, which is no plain file.")
            yield member, file
            tar.members = []  # type: ignore[attr-defined] # else it remembers all of them


def _spool(member: TarInfo, file: IO[bytes], spool: Path) -> None:
    """Keep a manifest or a table; its name is compared, never followed."""
    name = member.name.removesuffix(".jsonl")
    if member.name != MANIFEST and (name == member.name or name not in COLUMNS):
        raise Unfit(f"{member.name!r} does not belong into a project's file.")
    if member.name == MANIFEST and member.size > MOST_MANIFEST_BYTES:
        raise Unfit("The manifest is too large for a project's file.")
    with (spool / member.name).open("wb") as copy:
        shutil.copyfileobj(file, copy)


def _read(path: Path, spool: Path) -> Snapshot:
    if not (spool / MANIFEST).is_file():
        raise Unfit(f"{path} is cut off, or no project's file: it has no manifest.")
    manifest = Manifest.read(spool / MANIFEST)
    if {table.name: table.columns for table in manifest.tables} != COLUMNS:
        raise Unfit(f"{path} is no project's file, or one of another version: its tables are others.")
    snapshot = Snapshot(spool, manifest)
    snapshot.check_tables()
    return snapshot


@contextmanager
def errors_said_clearly(path: Path) -> Iterator[None]:
    """Turn what reading a tar raises into Unfit."""
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise Unfit(f"{path} is no tar, or cut off: {error}.") from error
