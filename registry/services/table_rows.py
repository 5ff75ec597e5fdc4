"""Rows of tables as JSON, the same on every database: which tables a backup holds, in which order, and how rows are
read in one moment and written again as they were. Checks no right.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.management.color import no_style
from django.db import connection, connections, models, transaction
from django.db.models import Q
from django.utils import timezone

from registry.models import Blob
from registry.models.lineage import JSONAsCame

AT_ONCE = 500
AT_ONCE_LARGE = 20  # directories of 100,000 entries
JSON = (models.JSONField, JSONAsCame)
LARGE = ("registry.tree", "registry.artifact")

# In the order of being written again: what triggers look for stands before the rows that set them off. The search index
# wants projects, models and blobs first; a version's parents and sources come before the moves that point to it.
TABLES = (
    "contenttypes.contenttype",
    "auth.permission",
    "auth.group",
    "auth.group_permissions",
    "accounts.user",
    "accounts.user_groups",
    "accounts.user_user_permissions",
    "accounts.name",
    "accounts.accesstoken",
    "admin.logentry",
    "registry.blob",
    "registry.tree",
    "registry.project",
    "registry.membership",
    "registry.invitation",
    "registry.registeredmodel",
    "registry.formermodelname",
    "registry.retentionrule",
    "registry.version",
    "registry.versionparent",
    "registry.derivation",
    "registry.occurrence",
    "registry.ref",
    "registry.refmove",
    "registry.metric",
    "registry.idempotencykey",
    "registry.hierarchy",
    "registry.artifact",
    "registry.event",
)
# Sign-ins would be old ones, whose tokens have gone on since; of uploads the bytes are on their machine.
LEFT_OUT = frozenset({"accounts.signin", "sessions.session", "registry.upload"})
MADE_BY_MIGRATING = ("auth.permission", "contenttypes.contenttype")
APPS = ("accounts", "admin", "auth", "contenttypes", "registry", "sessions")


def kept_rows(name: str) -> Q:
    """Return which rows of a table a backup holds."""
    if name == "accounts.accesstoken":
        return Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    return ~Q(state=Blob.State.DELETING) if name == "registry.blob" else Q()


@contextmanager
def one_moment() -> Iterator[str]:
    """Yield the alias of a connection that sees the database as it is now, until the block ends. Nobody waits for it."""
    own = connection.copy("one_moment")
    sqlite = own.vendor == "sqlite"
    if sqlite:
        own.settings_dict["OPTIONS"]["transaction_mode"] = "DEFERRED"  # it only reads: writers go on
    connections["one_moment"] = own
    try:
        with transaction.atomic(using="one_moment"):
            if not sqlite:
                with own.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield "one_moment"
    finally:
        own.close()
        del connections["one_moment"]


def columns_of(model: type[models.Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def read_rows(model: type[models.Model], wanted: Q, using: str) -> Iterator[list[Any]]:
    """Yield rows in the order of their keys, some at a time."""
    fields = model._meta.concrete_fields
    key = next(place for place, field in enumerate(fields) if field.primary_key)
    rows = model._base_manager.using(using).filter(wanted).order_by("pk").values_list(*columns_of(model))
    size = AT_ONCE_LARGE if model._meta.label_lower in LARGE else AT_ONCE
    some = list(rows[:size])
    while some:
        for row in some:
            yield [encode(value) for value in row]
        some = list(rows.filter(pk__gt=some[-1][key])[:size]) if len(some) == size else []


def write_rows(model: type[models.Model], columns: list[str], rows: Iterable[list[Any]]) -> int:
    """Insert rows as they are, times and keys included; return how many. In the caller's transaction."""
    by_name = {field.attname: field for field in model._meta.concrete_fields}
    fields = [by_name[column] for column in columns]
    most = AT_ONCE_LARGE if model._meta.label_lower in LARGE else AT_ONCE
    written, rows = 0, iter(rows)
    while some := list(islice(rows, most)):
        made = [model(**{field.attname: decode(field, value) for field, value in zip(fields, row)}) for row in some]  # noqa: B905 - checked where it is read
        size = max(1, min(most, connection.ops.bulk_batch_size(fields, made)))
        for start in range(0, len(made), size):
            model._base_manager._insert(made[start : start + size], fields=fields, raw=True, using=connection.alias)  # type: ignore[attr-defined] # raw: what auto_now would set stays as it was
        written += len(made)
    return written


def continue_keys(written: list[type[models.Model]]) -> None:
    """Let the keys that the database gives go on behind those that were inserted."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), written):
            cursor.execute(statement)


def encode(value: Any) -> Any:
    """Return a column's value as JSON holds it."""
    if isinstance(value, date):  # and datetime
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, (bytes, memoryview)):
        return base64.b64encode(value).decode()
    return value


def decode(field: Any, value: Any) -> Any:
    """Return a column's value from what `encode` made of it."""
    if value is None or isinstance(field, JSON):
        return value
    if isinstance(field, models.BinaryField):
        return base64.b64decode(value)
    return field.to_python(value)
