"""Whether what a project's file says holds together: trees, versions and bytes by their digests, computed again.

Writes nothing. Memory: a few numbers for each tree, version and file, never their contents.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from registry.backups import Snapshot, Unfit
from registry.digests import (
    EMPTY,
    SHA256,
    canonical_json,
    check_levels,
    digest_bytes,
    digest_version,
    is_finite_number,
)
from registry.directories import DIRECTORY, EXECUTABLE, FILE, Entry, decode, figures, line_for
from registry.trees import BadPath, clean_path

Row = dict[str, Any]
MOST_LEVELS = 100  # what every reader of JSON takes, and how deep artifacts stand at most
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")


def rows_of(snapshot: Snapshot, name: str) -> Iterator[Row]:
    """Yield a table's rows by their columns."""
    table = next(table for table in snapshot.manifest.tables if table.name == name)
    return (dict(zip(table.columns, row, strict=True)) for row in snapshot.rows(table))


@dataclass(slots=True)
class _Version:
    model: int
    number: int
    digest: str
    in_trash: bool


@dataclass(slots=True)
class Check:
    """The checks of one file; `found` are the blobs that it holds, and their sizes. Unfit says what is wrong."""

    snapshot: Snapshot
    found: dict[str, int]
    _trees: dict[str, tuple[int, int]] = field(default_factory=dict)  # digest → bytes and files
    _versions: dict[int, _Version] = field(default_factory=dict)
    _parents: dict[int, list[int]] = field(default_factory=dict)

    def everything(self) -> None:
        try:
            self._check_blobs()
            self._check_trees()
            self._check_versions()
            self._check_pointers()
            self._check_values()
            self._check_artifacts()
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise Unfit(f"The file cannot be read: {error!r}.") from error

    def _check_blobs(self) -> None:
        said = {row["sha256"]: row["size"] for row in rows_of(self.snapshot, "registry.blob")}
        if missing := sorted(said.keys() - self.found.keys()):
            raise Unfit(f"The file is cut off: {len(missing):,} blobs are missing, {missing[0]} for one.")
        if said != self.found:
            raise Unfit("The file holds blobs that it does not tell of, or of other sizes.")

    def _check_trees(self) -> None:
        below: dict[str, tuple[int, int]] = {}
        for row in rows_of(self.snapshot, "registry.tree"):
            content = base64.b64decode(row["content"], validate=True)
            if digest_bytes(content) != row["digest"]:
                raise Unfit(f"The directory {row['digest']} has other contents than its digest says.")
            if figures(content) != (row["size"], row["files"]):
                raise Unfit(f"The directory {row['digest']} holds another number of files or bytes than is said.")
            self._trees[row["digest"]] = row["size"], row["files"]
            self._check_directory(row["digest"], content, below)
        for digest, said in below.items():
            if self._trees.get(digest) != said:
                raise Unfit(f"The directory {digest} is missing, or another than is said where it stands.")

    def _check_directory(self, digest: str, content: bytes, below: dict[str, tuple[int, int]]) -> None:
        directory = decode(content)
        lines = sorted(map(line_for, directory.values()), key=lambda line: line.partition(b"\t")[2][:-1])
        if b"".join(lines) != content:
            raise Unfit(f"The directory {digest} is not in its canonical form.")
        if len({name.casefold() for name in directory}) != len(directory):
            raise Unfit(f"The directory {digest} has names that differ only by case.")
        for name, entry in directory.items():
            self._check_entry(digest, name, entry)
            if entry.is_directory and below.setdefault(entry.digest, (entry.size, entry.files)) != (
                entry.size,
                entry.files,
            ):
                raise Unfit(f"The directory {entry.digest} is said to be of two sizes.")

    def _check_entry(self, digest: str, name: str, entry: Entry) -> None:
        try:
            if "/" in name or clean_path(name) != name:
                raise Unfit(f"The directory {digest} has a name {name!r} that no file can have.")
        except BadPath as error:
            raise Unfit(f"In the directory {digest}: {error}") from error
        if entry.mode not in (FILE, EXECUTABLE, DIRECTORY):
            raise Unfit(f"In the directory {digest}, {name!r} has the mode {entry.mode!r}.")
        if not entry.is_directory and self.found.get(entry.digest) != entry.size:
            raise Unfit(f"The bytes of {name!r} in the directory {digest} are missing, or of another size.")

    def _check_versions(self) -> None:
        for row in rows_of(self.snapshot, "registry.versionparent"):
            parents = self._parents.setdefault(row["version_id"], [])
            if row["position"] != len(parents):
                raise Unfit("The parents of a version are not all there, or not in order.")
            parents.append(row["parent_id"])
        last = {row["id"]: row["last_number"] for row in rows_of(self.snapshot, "registry.registeredmodel")}
        for row in rows_of(self.snapshot, "registry.version"):
            self._check_version(row, last)
        if self._parents.keys() - self._versions.keys():
            raise Unfit("The file tells of parents of a version that it does not hold.")

    def _check_version(self, row: Row, last: dict[int, int]) -> None:
        name = f"version {row['number']} ({row['digest']})"
        if not (SHA256.fullmatch(row["digest"]) and 0 < row["number"] <= last[row["model_id"]]):
            raise Unfit(f"The number or digest of {name} is none.")
        parents = [self._versions.get(parent) for parent in self._parents.get(row["id"], [])]
        digests = [parent.digest for parent in parents if parent and _may_follow(parent, row)]
        if len(digests) != len(parents):
            raise Unfit(f"A parent of {name} is missing, of another model, or not older.")
        self._versions[row["id"]] = _Version(
            row["model_id"], row["number"], row["digest"], row["trashed_at"] is not None
        )
        if row["purged_at"] is not None:
            if (row["tree_id"], row["message"], row["metadata_json"]) != (EMPTY, "", "{}") or not row["trashed_at"]:
                raise Unfit(f"What is said of {name} is not what purging leaves.")
            return
        if (
            canonical_json(json.loads(row["metadata_json"])) != row["metadata_json"]
            or row["tree_id"] not in self._trees
        ):
            raise Unfit(f"The metadata or the directory of {name} is not what it says.")
        made = digest_version(
            tree=row["tree_id"], parents=digests, author=row["author_name"], message=row["message"],
            metadata_json=row["metadata_json"], time=_time(row["created_at"]),
        )  # fmt: skip
        if made != row["digest"]:
            raise Unfit(f"The digest of {name} is not that of its contents, which give {made}.")

    def _check_pointers(self) -> None:
        """What points to versions has to point to those of its model."""
        for table, columns in (
            ("registry.ref", ("version_id",)),
            ("registry.refmove", ("from_version_id", "to_version_id")),
            ("registry.metric", ("version_id",)),
        ):
            for row in rows_of(self.snapshot, table):
                for column in columns:
                    if row[column] is not None and self._versions[row[column]].model != row["model_id"]:
                        raise Unfit(f"A row of {table} names a version of another model.")
        for row in rows_of(self.snapshot, "registry.ref"):
            if self._versions[row["version_id"]].in_trash:
                raise Unfit(f"The {row['kind']} {row['name']!r} names a version in the trash.")

    def _check_values(self) -> None:
        for row in rows_of(self.snapshot, "registry.metric"):
            if row["value"] is not None and not is_finite_number(row["value"]):
                raise Unfit(f"A value of the metric {row['name']!r} is no finite number.")
        for row in rows_of(self.snapshot, "registry.event"):
            for value in (row["before"], row["after"]):
                check_levels(value, MOST_LEVELS)
                if not isinstance(value, dict | None):
                    raise Unfit("What an event tells is no object.")

    def _check_artifacts(self) -> None:
        """Levels that go up by one say also that nothing stands below itself."""
        for row in rows_of(self.snapshot, "registry.hierarchy"):
            if not all(isinstance(label, str) for label in row["level_labels"].values()):
                raise Unfit(f"The labels of the hierarchy {row['name']!r} are no words.")
        levels: dict[str, int] = {}
        for row in rows_of(self.snapshot, "registry.artifact"):
            levels[row["id"]] = row["level"]
            check_levels(row["data"], MOST_LEVELS)
            if row["content_id"] is not None and row["content_id"] not in self.found:
                raise Unfit(f"The bytes of the artifact {row['id']} are missing.")
        for row in rows_of(self.snapshot, "registry.artifact"):
            above = -1 if row["parent_id"] is None else levels[row["parent_id"]]
            if row["level"] != above + 1 or row["level"] >= MOST_LEVELS:
                raise Unfit(f"The artifact {row['id']} is not one level below its parent.")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.utcoffset() != timedelta(0):
        raise ValueError(text)
    return time


def _may_follow(parent: _Version, row: Row) -> bool:
    return parent.model == row["model_id"] and parent.number < int(row["number"])
