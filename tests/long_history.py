"""A history as publishing would have left it, written by a few statements: a hundred thousand versions in seconds.

Contents are the same for every version, and digests are none of anything: good for what is found, not for what is read.
"""

from __future__ import annotations

import hashlib
import importlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone

from registry import trees
from registry.models import Project, RegisteredModel, Role, Version
from registry.models.projects import Visibility
from registry.services.members import set_membership
from registry.services.projects import create_project
from registry.services.registered_models import create_model
from tests.cast import make_user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import User

index: Any = importlib.import_module("registry.migrations.0008_search_index")

START = datetime(2026, 1, 1, tzinfo=UTC)  # each version comes a minute after the one before
METRICS = {"accuracy": 7919, "loss": 10007}  # name → what makes its values jump about
TAG_EVERY, MOVE_EVERY, OLD_EVERY = 5, 100, 50
SIDE = 200  # the newest so many stand on a branch of their own
STEPS = 200  # of a series of the newest version of main
MODELS_OF_THE_CROWD, UPLOADS_ON_THEIR_WAY = 20_000, 10_000

# What publishing leaves, table by table. In braces: what the two databases say in different words, and digests.
TREES = """
    INSERT INTO registry_tree (digest, content, files, size, created_at, used_at)
    SELECT {tree}, %(content)s, 2, 20400, {at}, CASE WHEN i %% %(old_every)s = 0 THEN {at} ELSE %(now)s END FROM series
"""
BLOBS = """
    INSERT INTO registry_blob (sha256, size, state, created_at, used_at, verified_at)
    SELECT {blob}, 400, 'live', {at}, CASE WHEN i %% %(old_every)s = 0 THEN {at} ELSE %(now)s END,
        CASE WHEN {blob} < '8' THEN %(now)s END
    FROM series
"""
VERSIONS = """
    INSERT INTO registry_version (
        model_id, number, digest, tree_id, author_id, author_name, branch, message, metadata_json, created_at, deprecated
    )
    SELECT %(model)s, i, {version}, {tree}, CASE WHEN i %% 1000 = 0 THEN %(rare)s ELSE %(author)s END, 'alice',
        CASE WHEN i <= %(split)s THEN 'main' ELSE 'side' END, 'Sweep over dropout, trial' || i, '{{"seed":1}}', {at}, ''
    FROM series
"""
LINKS = """
    INSERT INTO registry_versionparent (version_id, parent_id, position, strand)
    SELECT it.id, parent.id, 0,
        CASE WHEN it.number <= %(split)s THEN %(first)s WHEN it.number > %(split)s + 1 THEN %(first_aside)s END
    FROM registry_version it JOIN registry_version parent ON parent.number = it.number - 1
    WHERE it.model_id = %(model)s AND parent.model_id = %(model)s ORDER BY it.id
"""
OCCURRENCES = """
    INSERT INTO registry_occurrence (model_id, path, digest, first_version_id)
    SELECT model_id, 'config.json', {blob_there}, id FROM registry_version WHERE model_id = %(model)s ORDER BY id
"""
MEASURED = """
    INSERT INTO registry_metric (version_id, model_id, name, value, latest, author_id, created_at)
    SELECT id, model_id, %(name)s, (number * %(jump)s %% 100003) / 100003.0, TRUE, author_id, created_at
    FROM registry_version WHERE model_id = %(model)s ORDER BY id
"""
SERIES = """
    INSERT INTO registry_metric (version_id, model_id, name, step, value, latest, author_id, created_at)
    SELECT %(head)s, %(model)s, 'curve', i, 1.0 / i, i = %(count)s, %(author)s, {at} FROM series
"""
TAGS = """
    INSERT INTO registry_ref (model_id, kind, name, version_id, protected, active, created_at, updated_at)
    SELECT model_id, 'tag', 'trial-' || number, id, FALSE, FALSE, created_at, created_at
    FROM registry_version WHERE model_id = %(model)s AND number %% %(tag_every)s = 0
"""
HEADS = """
    INSERT INTO registry_ref (model_id, kind, name, version_id, protected, active, created_at, updated_at)
    SELECT model_id, kind, name, it.id, FALSE, FALSE, created_at, created_at FROM registry_version it JOIN (
        SELECT 'branch' kind, 'main' name, %(split)s number UNION ALL SELECT 'branch', 'side', %(count)s
        UNION ALL SELECT 'alias', 'production', %(stable)s
    ) head ON head.number = it.number WHERE it.model_id = %(model)s
"""
MOVES = """
    INSERT INTO registry_refmove (model_id, kind, name, from_version_id, to_version_id, actor_id, comment, at)
    SELECT model_id, kind, name, before, id, author_id, '', created_at FROM (
        SELECT it.*, 'branch' kind, it.branch name, link.parent_id before
        FROM registry_version it LEFT JOIN registry_versionparent link ON link.version_id = it.id
        UNION ALL
        SELECT it.*, 'alias', 'production', before.id FROM registry_version it LEFT JOIN registry_version before
        ON before.model_id = it.model_id AND before.number = it.number - %(move_every)s
        WHERE it.number %% %(move_every)s = 0 AND it.number <= %(stable)s
    ) moved WHERE model_id = %(model)s ORDER BY id, kind
"""
EVENTS = """
    INSERT INTO registry_event (project_id, project_name, actor_id, action, subject, token, address, request_id, at)
    SELECT %(project)s, 'vision', author_id, 'version.published', %(model_name)s || ' v' || number, '', '', '', created_at
    FROM registry_version WHERE model_id = %(model)s ORDER BY id
"""
KEYS = """
    INSERT INTO registry_idempotencykey (actor_id, model_id, key, body_sha256, version_id, created_at)
    SELECT author_id, model_id, 'run-' || number, digest, id, created_at FROM registry_version WHERE model_id = %(model)s
"""
UPLOADS = """
    INSERT INTO registry_upload (
        id, project_id, model_id, actor_id, sha256, size, "offset", pieces, store_upload, refused, created_at, alive_at,
        expires_at
    )
    SELECT {uuid}, %(project)s, %(model)s, %(author)s, {blob}, 400, 1, '[]', '', '', {at}, %(asleep)s,
        CASE WHEN i %% 2 = 0 THEN %(later)s ELSE %(earlier)s END
    FROM series
"""
MODELS = """
    INSERT INTO registry_registeredmodel (
        project_id, name, kind, description, default_branch, last_number, created_by_id, created_at, updated_at
    )
    SELECT %(project)s, 'classifier-' || i, 'model', '', 'main', 0, %(author)s, {at}, {at} FROM series
"""
NUMBERS = "WITH RECURSIVE series(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < %(count)s)"


@dataclass(frozen=True)
class LongHistory:
    """alice's model vision/sweep with so many versions: main, the branch `side` on top of it, `production` in its middle."""

    alice: User
    bob: User
    model: RegisteredModel
    versions: int

    @property
    def split(self) -> int:
        """The number where `main` ends."""
        return self.versions - SIDE

    @property
    def stable(self) -> int:
        """The number that `production` names."""
        return self.versions // 2 // MOVE_EVERY * MOVE_EVERY

    @property
    def project(self) -> Project:
        return self.model.project

    def version(self, number: int) -> Version:
        return self.model.versions.get(number=number)

    def config(self, number: int) -> str:
        """The digest of the file that a version brought."""
        return digest_of("blob", number)


def make_long_history(versions: int) -> LongHistory:
    """Write it in the transaction of the caller, who takes it back."""
    alice, bob = make_user("alice"), make_user("bob")
    project = create_project(actor=alice, name="vision")
    set_membership(actor=alice, project=project, user=bob, role=Role.CONTRIBUTOR)
    crowd = create_project(actor=bob, name="crowd")
    Project.objects.filter(pk=crowd.pk).update(visibility=Visibility.INTERNAL)
    there = LongHistory(alice, bob, create_model(actor=alice, project=project, name="sweep"), versions)
    connection.check_constraints()  # what is put off until the end of the transaction would be in the way
    with _without_triggers():
        _fill(there, crowd)
    RegisteredModel.objects.filter(pk=there.model.pk).update(last_number=versions)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return there


@contextmanager
def _without_triggers() -> Iterator[None]:
    """On PostgreSQL: neither seals nor foreign keys are looked at row by row, and words are indexed all at once."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("ANALYZE")  # or it may look for each word's row among all of them
        dialect = index.database(connection)
        for kind in index.KINDS:
            _, make_index = (statement.format(name=kind.name) for statement in dialect.table)
            cursor.execute(f"DROP INDEX registry_search_{kind.name}_words")
            cursor.execute(f"{dialect.insert(kind, kind.table)} ON CONFLICT (id) DO NOTHING")
            cursor.execute(make_index)
        cursor.execute("SET LOCAL session_replication_role = origin")


def _fill(there: LongHistory, crowd: Project) -> None:
    said: dict[str, Any] = {
        "count": there.versions,
        "split": there.split,
        "stable": there.stable,
        "model": there.model.pk,
        "model_name": str(there.model),
        "project": there.project.pk,
        "author": there.alice.pk,
        "rare": there.bob.pk,
        "old_every": OLD_EVERY,
        "tag_every": TAG_EVERY,
        "move_every": MOVE_EVERY,
        **{name: _time(at) for name, at in _times().items()},
    }
    _write(BLOBS, said)
    _write(TREES, said | {"content": connection.Database.Binary(_content())})
    _write(VERSIONS, said)
    analyze("registry_version")
    said |= {"first": there.version(1).pk, "first_aside": there.version(there.split + 1).pk}
    for statement in (LINKS, OCCURRENCES, TAGS, HEADS, MOVES, EVENTS, KEYS):
        _write(statement, said)
    for name, jump in METRICS.items():
        _write(MEASURED, said | {"name": name, "jump": jump})
    _write(SERIES, said | {"head": there.version(there.split).pk, "count": STEPS})
    _write(UPLOADS, said | {"author": there.bob.pk, "count": UPLOADS_ON_THEIR_WAY})
    _write(MODELS, said | {"project": crowd.pk, "author": there.bob.pk, "count": MODELS_OF_THE_CROWD})


def _times() -> dict[str, datetime]:
    now = timezone.now()
    return {
        "now": now,
        "later": now + timedelta(days=1),
        "earlier": now - timedelta(hours=1),
        "asleep": now - timedelta(hours=3),
    }


def _time(at: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(at)


def digest_of(kind: str, number: int) -> str:
    """Return the digest of a number's blob, tree or version, as `_digest` has the database make it."""
    return "".join(hashlib.md5(f"{kind}{half}{number}".encode()).hexdigest() for half in "ab")


def _digest(kind: str, column: str = "i") -> str:
    return " || ".join(f"md5('{kind}{half}' || {column})" for half in "ab")


def _content() -> bytes:
    files = {
        name: trees.Entry(name, trees.FILE, digest_of("blob", number), 400)
        for name, number in (("config.json", 1), ("weights.npz", 2))
    }
    built = trees.apply_changes(lambda digests: {}, None, put=files)
    return built.directories[built.root.digest][1]


def analyze(table: str) -> None:
    """Let PostgreSQL know how large a table has become, before it joins it to itself."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {table}")


def _write(statement: str, said: dict[str, Any]) -> None:
    sqlite = connection.vendor == "sqlite"
    told = statement.format(
        **{kind: _digest(kind) for kind in ("blob", "tree", "version")},
        blob_there=_digest("blob", "number"),
        uuid="md5('upload' || i)" if sqlite else "CAST(md5('upload' || i) AS uuid)",
        at=f"datetime('{START:%Y-%m-%d}', '+' || i || ' minutes')"
        if sqlite
        else f"timestamptz '{START.isoformat()}' + i * interval '1 minute'",
    )
    with connection.cursor() as cursor:
        cursor.execute(f"{NUMBERS} {told}" if "FROM series" in told else told, said)
