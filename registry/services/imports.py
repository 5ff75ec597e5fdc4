"""Making a project from a file: all is checked, then the bytes are kept, then all rows are written or none.

Keys are the database's own anew; numbers, digests, times and authors' names stay. Checks no right: it is a command's.
"""

from __future__ import annotations

import base64
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, models, transaction
from django.utils import timezone

from accounts.models import Name, User
from registry import connections, project_files, ulids
from registry.backups import Snapshot, Unfit
from registry.digests import chunks_of
from registry.errors import Refusal
from registry.incoming import Incoming
from registry.models import Artifact, Membership, Project, Role, Version, VersionParent
from registry.project_files import BLOB_PREFIX
from registry.services import blobs, commits, events
from registry.services.alone import run_alone
from registry.services.backup import Progress, Say
from registry.services.exports import USERS
from registry.services.import_checks import NAME, Check, Row, rows_of
from registry.services.table_rows import AT_ONCE, JSON, decode
from registry.trees import DIRECTORY, Built, Entry

PLACEHOLDER = "imported@lmvp.invalid"  # the address of who stands for people that are unknown here
KEYS = {  # column → the table of what it names
    "model_id": "registry.registeredmodel",
    "version_id": "registry.version",
    "source_id": "registry.version",
    "from_version_id": "registry.version",
    "to_version_id": "registry.version",
    "hierarchy_id": "registry.hierarchy",
    "undoes_id": "registry.refmove",
}
# The parents of versions and what they are made from, before the moves that point to versions.
ORDER = (
    "registry.registeredmodel",
    "registry.formermodelname",
    "registry.retentionrule",
    "registry.version",
    "registry.versionparent",
    "registry.derivation",
    "registry.ref",
    "registry.refmove",
    "registry.metric",
    "registry.hierarchy",
    "registry.artifact",
    "registry.event",
)


@dataclass(slots=True)
class Report:
    """What was imported. `unknown`: people who are not here; a placeholder stands for them."""

    project: str = ""
    versions: int = 0
    files: int = 0
    bytes: int = 0
    unknown: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield what people are told."""
        yield f"{self.project}: {self.versions:,} versions, {self.files:,} files of {self.bytes:,} bytes imported"
        if self.unknown:
            names = ", ".join(sorted(self.unknown))
            yield f"Not users here: {names}. Their names stay with their versions; they are members of nothing."


def import_project(*, path: Path, name: str = "", owner: str = "", say: Say) -> Report:
    """Make a project from a file, under its own name or another.

    Raises Unfit (a file that is cut off, tampered with or of a newer format; no owner; a taken name), Conflict
    (another_run); then there is nothing of the project.
    """
    settings.INCOMING_DIR.mkdir(parents=True, exist_ok=True)
    with run_alone("collect"), tempfile.TemporaryDirectory(dir=settings.INCOMING_DIR, suffix=".part") as spool:
        snapshot, found = project_files.unpack(path, Path(spool))
        say("the file is whole; checking its digests")
        Check(snapshot, found).everything()
        writing = _Writing(snapshot, name, owner)
        connections.release()
        with project_files.errors_said_clearly(path):
            _keep_blobs(path, found, Progress(say, "keeping"))
        writing.report.files, writing.report.bytes = len(found), sum(found.values())
        try:
            with transaction.atomic():
                writing.everything()
        except ValidationError as error:
            raise Unfit("; ".join(error.messages)) from error
        except (DatabaseError, KeyError, TypeError, ValueError) as error:
            raise Unfit(f"The rows of the file do not fit together, and none was kept: {error!r}") from error
    return writing.report


def _keep_blobs(path: Path, found: dict[str, int], progress: Progress) -> None:
    for member, file in project_files.members(path):
        digest = member.name.removeprefix(BLOB_PREFIX)
        if digest not in found:
            continue
        try:
            with Incoming(limit=member.size) as incoming:
                incoming.write_all(chunks_of(file))
                incoming.check(sha256=digest, size=found[digest])
                blobs.keep(incoming=incoming)
        except Refusal as error:
            raise Unfit(error.message) from error
        progress.add(member.size)


class _Writing:
    """Writing the rows of one file, in one transaction."""

    def __init__(self, snapshot: Snapshot, name: str, owner: str) -> None:
        self.snapshot = snapshot
        (self.said,) = rows_of(snapshot, "registry.project")
        self.name = name or str(self.said["name"])
        self.report = Report(self.name)
        if not NAME.fullmatch(self.name) or Name.objects.filter(name=self.name).exists():
            raise Unfit(f"The name “{self.name}” is taken, or none. Name another by --as.")
        self.keys: dict[str, dict[Any, Any]] = {table: {} for table in {*ORDER, *KEYS.values()}}
        self.usernames = {row["id"]: str(row["username"]) for row in rows_of(snapshot, "accounts.user")}
        known: dict[str, User] = {
            user.username: user for user in User.objects.filter(username__in=self.usernames.values())
        }
        self.known: dict[Any, User] = {
            key: known[username] for key, username in self.usernames.items() if username in known
        }
        self.report.unknown = [username for username in self.usernames.values() if username not in known]
        self.owner = self._owner(owner)

    def _owner(self, username: str) -> User:
        if username:
            user: User | None = User.objects.filter(username=username, is_active=True).first()
            if user is None:
                raise Unfit(f"There is no user “{username}” who can sign in.")
            return user
        for row in rows_of(self.snapshot, "registry.membership"):
            member = self.known.get(row["user_id"])
            if row["role"] == Role.OWNER and member and member.is_active:
                return member
        raise Unfit("None of the project's owners is a user here. Name one by --owner.")

    def everything(self) -> None:
        self.placeholder: User = _placeholder() if self.report.unknown else self.owner
        self._write_trees()
        self.project = self._make_project()
        self._note_artifacts()
        for table in ORDER:
            self._write(table)
        self._write_occurrences()
        after = {"visibility": self.project.visibility, "imported_from": self.said["name"]}
        events.record(actor=None, action="project.created", project=self.project, subject=self.name, after=after)

    def _make_project(self) -> Project:
        Name.objects.claim(self.name)
        project = Project(
            name=self.name, description=self.said["description"], visibility=self.said["visibility"],
            created_by=self._user(self.said["created_by_id"]),
        )  # fmt: skip
        project.full_clean(exclude=["created_by"])
        project.save()
        Project.objects.filter(pk=project.pk).update(created_at=self.said["created_at"])
        roles = {
            self.known[row["user_id"]].pk: Role(row["role"])
            for row in rows_of(self.snapshot, "registry.membership")
            if row["user_id"] in self.known
        }
        for user, role in (roles | {self.owner.pk: Role.OWNER}).items():
            Membership.objects.create(project=project, user_id=user, role=role)
        return project

    def _user(self, key: Any) -> User | None:
        if key is None:
            return None
        self.usernames[key]  # KeyError: the file names somebody of whom it does not tell
        return self.known.get(key, self.placeholder)

    def _write_trees(self) -> None:
        rows = rows_of(self.snapshot, "registry.tree")
        while some := list(islice(rows, 20)):
            made = {
                row["digest"]: (
                    Entry("", DIRECTORY, row["digest"], row["size"], row["files"]),
                    base64.b64decode(row["content"]),
                )
                for row in some
            }
            commits.save_trees(Built(next(iter(made.values()))[0], made))

    def _note_artifacts(self) -> None:
        """Let artifacts keep their ids, unless one of them is here already."""
        ids = [str(row["id"]) for row in rows_of(self.snapshot, "registry.artifact")]
        taken = any(
            Artifact.objects.filter(pk__in=ids[start : start + AT_ONCE]).exists()
            for start in range(0, len(ids), AT_ONCE)
        )
        self.keys["registry.artifact"] = {one: _fresh_id() if taken else ulids.normal(one) for one in ids}

    def _write(self, table: str) -> None:
        model: type[models.Model] = apps.get_model(table)
        fields = {one.attname: one for one in model._meta.concrete_fields}
        unchecked = [one.name for one in fields.values() if one.is_relation or one.primary_key or isinstance(one, JSON)]
        pending: list[tuple[Any, models.Model]] = []
        for row in rows_of(self.snapshot, table):
            if row.get("undoes_id") is not None or len(pending) == AT_ONCE:
                self._insert(table, model, pending)
                pending = []
            if (made := self._mapped(table, row)) is None:
                continue
            values = {column: _value(fields[column], column, value) for column, value in made.items()}
            one = model(**values)
            one.clean_fields(exclude=unchecked)
            pending.append((row.get("id"), one))
        self._insert(table, model, pending)
        if table == "registry.version":
            self.report.versions = len(self.keys[table])

    def _insert(self, table: str, model: type[models.Model], pending: list[tuple[Any, models.Model]]) -> None:
        if not pending:
            return
        key = model._meta.pk
        given = table == "registry.artifact"
        fields = [one for one in model._meta.concrete_fields if given or one is not key]
        for start in range(0, len(pending), 50):
            some = pending[start : start + 50]
            keys = model._base_manager._insert(  # type: ignore[attr-defined] # raw: what auto_now would set stays as it was
                [one for _, one in some], fields=fields, raw=True, using="default", returning_fields=[key]
            )
            if not given:
                self.keys[table] |= {old: new for (old, _), (new, *_) in zip(some, keys, strict=True)}

    def _mapped(self, table: str, row: Row) -> Row | None:
        """Return a row with the keys of here; None where it is not taken over."""
        made = {column: value for column, value in row.items() if column != "id"}
        for column in made:
            if column in USERS:
                user = self._user(row[column])
                made[column] = user.pk if user else None
            elif column in KEYS and row[column] is not None:
                made[column] = self._key(table, column, row[column])
        if table == "registry.versionparent":
            made["parent_id"] = self.keys["registry.version"][row["parent_id"]]
        if table == "registry.artifact":
            made["id"] = self.keys[table][row["id"]]
            made["parent_id"] = row["parent_id"] and self.keys[table][row["parent_id"]]
        if table == "registry.event":
            made["subject"] = self._subject(row["subject"])
        if "project_id" in {one.attname for one in apps.get_model(table)._meta.concrete_fields}:
            made["project_id"] = self.project.pk
        return made

    def _key(self, table: str, column: str, key: Any) -> Any:
        known = self.keys[KEYS[column]]
        return known.get(key) if table == "registry.artifact" and column == "version_id" else known[key]

    def _subject(self, subject: str) -> str:
        """What an event is about, under the project's name here."""
        first, slash, rest = subject.partition("/")
        return f"{self.name}{slash}{rest}"[:300] if first == self.said["name"] else subject

    def _write_occurrences(self) -> None:
        """As publishing does: from the trees, never from what a file says."""
        versions = Version.objects.filter(model__project=self.project).order_by("model_id", "number")
        for version in versions.only("model_id", "tree_id").iterator(AT_ONCE):
            first = VersionParent.objects.filter(version=version, position=0).values_list("parent__tree_id", flat=True)
            commits.write_occurrences(version, first[0] if first else None)


def _value(field: Any, column: str, value: Any) -> Any:
    return value if column in USERS or column in KEYS else decode(field, value)


def _fresh_id() -> str:
    now = int(timezone.now().timestamp() * 1000)
    return ulids.ulid(milliseconds=now, randomness=secrets.token_bytes(ulids.RANDOM_BYTES))


def _placeholder() -> User:
    """Return the user who stands for people that are unknown here; nobody can sign in as it."""
    found: User | None = User.objects.with_email(PLACEHOLDER).first()
    if found:
        return found
    taken = set(Name.objects.filter(name__startswith="imported").values_list("name", flat=True))
    free = next(name for n in range(1, 10_000) if (name := "imported" if n == 1 else f"imported-{n}") not in taken)
    made: User = User.objects.create_user(PLACEHOLDER, free, None, is_active=False, email_verified_at=timezone.now())
    return made
