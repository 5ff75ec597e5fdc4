"""What a migration may be made of, so that people go on working while it runs, and older servers after it. Looks at operations alone.

CONTRIBUTING.md says the rules in words. What no operation shows (what Python or SQL does to rows) is watched while it runs:
tests/lock_watch.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, migrations, models
from django.db.migrations import operations as plain
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now

from lmvp import __version__
from lmvp.postgresql.operations import AddCheckWithoutLock, AddIndexWithoutLock, RemoveIndexWithoutLock
from tests import explaining

# Models whose tables grow with what people publish.
BIG = {("registry", table.removeprefix("registry_")) for table in explaining.BIG if "_search_" not in table}
WITHOUT_LOCK = (AddIndexWithoutLock, RemoveIndexWithoutLock, AddCheckWithoutLock)
NAMES_GONE = (plain.DeleteModel, plain.RemoveField, plain.RenameField, plain.RenameModel, plain.AlterModelTable)
GONE_IN_SQL = re.compile(r"\b(DROP\s+(TABLE|COLUMN)|RENAME)\b", re.IGNORECASE)
# Migrations (app.name) that drop what no code has known since a release, which is older than this one.
RETIRED: dict[str, str] = {}


@dataclass(frozen=True)
class Step:
    """An operation as it reaches the database, and the states around it."""

    app: str
    operation: Any
    before: ProjectState
    after: ProjectState

    @property
    def model(self) -> tuple[str, str]:
        names = (getattr(self.operation, name, None) for name in ("model_name_lower", "name_lower", "old_name_lower"))
        return self.app, next(filter(None, names), "")

    def altered(self) -> tuple[Any, Any]:
        """Return the field as it was and as it will be."""
        was, will_be = (state.apps.get_model(*self.model) for state in (self.before, self.after))
        return was._meta.get_field(self.operation.name), will_be._meta.get_field(self.operation.name)


def complaints(
    migration: migrations.Migration, before: ProjectState, retired: Mapping[str, str] = RETIRED
) -> list[str]:
    """Return what is wrong with a migration on top of a state."""
    name = f"{migration.app_label}.{migration.name}"
    may_drop = name in retired and _release(retired[name]) < _release(__version__)
    made, found = set[tuple[str, str]](), list[str]()
    for step in _steps(migration.app_label, migration.operations, before):
        if isinstance(step.operation, plain.CreateModel):
            made.add(step.model)
        said = list(_wrong_place(step, migration.atomic))
        if step.model not in made:  # else nobody uses the table yet
            said += [] if may_drop else _names_gone(step)
            said += [*_wrong_for_older_servers(step), *(_wrong_for_writers(step) if step.model in BIG else ())]
        found += [f"{name}: {step.operation.describe()}: {what}" for what in said]
    return found


def _release(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _steps(app: str, operations: Sequence[Any], before: ProjectState) -> Iterator[Step]:
    """Yield what reaches the database; what is of the state alone changes nothing there."""
    for operation in operations:
        after = before.clone()
        operation.state_forwards(app, after)
        if isinstance(operation, plain.SeparateDatabaseAndState):
            yield from _steps(app, operation.database_operations, before)
        else:
            yield Step(app, operation, before, after)
        before = after


def _wrong_place(step: Step, atomic: bool) -> Iterator[str]:
    if atomic and isinstance(step.operation, WITHOUT_LOCK):
        yield "say atomic = False: in a transaction it cannot be done without a lock"
    if not atomic and not isinstance(step.operation, (*WITHOUT_LOCK, plain.RunPython)):
        yield "have it in a migration of its own: when this one breaks off, it is run again from its beginning"


def _names_gone(step: Step) -> Iterator[str]:
    sql = str(step.operation.sql) if isinstance(step.operation, plain.RunSQL) else ""
    if isinstance(step.operation, NAMES_GONE) or GONE_IN_SQL.search(sql):
        yield "older servers use that name; let the code forget it in one release, and drop it in a later one"


def _wrong_for_older_servers(step: Step) -> Iterator[str]:
    """They write all columns that they know, and leave out the others."""
    if isinstance(step.operation, plain.AddField):
        field = step.operation.field
        filled = field.null or field.many_to_many or getattr(field, "generated", False)
        if not filled and field.db_default is models.NOT_PROVIDED:
            yield "older servers leave the new column out; let it be null, or give it a db_default"
    if isinstance(step.operation, plain.AlterField):
        old, new = step.altered()
        if old.null and not new.null:
            yield "older servers write NULL there; do so in a release after the one that writes a value"


def _wrong_for_writers(step: Step) -> Iterator[str]:
    """They wait while the table is read or written anew under a lock; a change of the catalogue alone is over at once."""
    operation = step.operation
    if isinstance(operation, plain.AddIndex) and not isinstance(operation, AddIndexWithoutLock):
        yield "use AddIndexWithoutLock"
    if isinstance(operation, plain.RemoveIndex) and not isinstance(operation, RemoveIndexWithoutLock):
        yield "use RemoveIndexWithoutLock"
    if isinstance(operation, plain.AddConstraint) and not isinstance(operation, AddCheckWithoutLock):
        yield "use AddCheckWithoutLock; what is unique needs an index that is built concurrently before"
    if isinstance(operation, (plain.AlterUniqueTogether, plain.AlterIndexTogether)):
        yield "use constraints and indexes"
    if isinstance(operation, plain.AddField):
        yield from _wrong_column(operation.field)
    if isinstance(operation, plain.AlterField) and not _only_the_catalogue(*step.altered()):
        yield "the table would be read or written anew; add a column beside it, and fill that"


def _wrong_column(field: Any) -> Iterator[str]:
    if field.db_index or field.unique:
        yield "say db_index=False, and add the index by AddIndexWithoutLock"
    if getattr(field, "generated", False):
        yield "a generated column is worked out for every row"
    default = field.db_default
    if isinstance(default, models.Expression) and not isinstance(default, (models.Value, Now)):
        yield "a default that is worked out for every row; take a plain value"


def _only_the_catalogue(old: Any, new: Any) -> bool:
    """Whether the change is none to the database, or one of null, of a default, of a longer text."""
    if not connection.SchemaEditorClass(connection)._field_should_be_altered(old, new):
        return True
    if type(old) is not type(new) or (old.null and not new.null):
        return False
    if (old.db_index, old.unique) != (new.db_index, new.unique):
        return False
    if isinstance(old, models.CharField):
        return new.max_length is None or (old.max_length is not None and old.max_length <= new.max_length)
    return bool(old.db_parameters(connection)["type"] == new.db_parameters(connection)["type"])
