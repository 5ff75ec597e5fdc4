"""What migrations do to tables that grow, while others go on writing to them. Knows no table.

For migrations with `atomic = False`: no operation holds a lock into the next one, and one that broke off can be run again.
On SQLite, which has one writer anyway, each does what Django's own does, and can be done again.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.operations import NotInTransactionMixin
from django.db import migrations, transaction
from django.db.models import BaseConstraint, CheckConstraint, Index


class AddFieldOnce(migrations.AddField):
    """Add a field, unless a run that broke off has added it."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        connection, model = schema_editor.connection, to_state.apps.get_model(app_label, self.model_name)
        with connection.cursor() as cursor:
            there = connection.introspection.get_table_description(cursor, model._meta.db_table)
        if model._meta.get_field(self.name).column not in {column.name for column in there}:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class _WithoutLock(NotInTransactionMixin):
    """An operation that PostgreSQL does in a way of its own, outside of transactions."""

    atomic = False
    model_name: str

    def does_it_so(self, schema_editor: Any) -> bool:
        if schema_editor.connection.vendor != "postgresql":
            return False
        self._ensure_not_in_transaction(schema_editor)
        return True

    def add(self, app_label: str, schema_editor: Any, state: Any, index: Index) -> None:
        self.remove(schema_editor, index)  # one of a run that broke off, not valid on PostgreSQL
        concurrently = {"concurrently": True} if self.does_it_so(schema_editor) else {}
        schema_editor.add_index(state.apps.get_model(app_label, self.model_name), index, **concurrently)

    def remove(self, schema_editor: Any, index: Index) -> None:
        how = "CONCURRENTLY IF EXISTS" if self.does_it_so(schema_editor) else "IF EXISTS"
        schema_editor.execute(f"DROP INDEX {how} {schema_editor.quote_name(index.name)}")


class AddIndexWithoutLock(_WithoutLock, migrations.AddIndex):
    """Add an index that is built while others write."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self.add(app_label, schema_editor, to_state, self.index)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self.remove(schema_editor, self.index)


class RemoveIndexWithoutLock(_WithoutLock, migrations.RemoveIndex):
    """Remove an index; nobody waits behind this operation while it waits for those who use the table."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self.remove(schema_editor, self._index_in(app_label, from_state))

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self.add(app_label, schema_editor, to_state, self._index_in(app_label, to_state))

    def _index_in(self, app_label: str, state: Any) -> Index:
        index: Index = state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
        return index


class AddCheckWithoutLock(_WithoutLock, migrations.AddConstraint):
    """Add a check that holds for what is written from now on, and look at the rows that are there afterwards.

    IntegrityError where one does not keep it: mend the rows, and run the migration again.
    """

    def __init__(self, model_name: str, constraint: BaseConstraint) -> None:
        if not isinstance(constraint, CheckConstraint):
            raise TypeError("PostgreSQL looks at rows afterwards for checks; this is another constraint.")
        super().__init__(model_name, constraint)

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if not self.does_it_so(schema_editor):
            with transaction.atomic(using=schema_editor.connection.alias):  # the table is made anew, or stays as it was
                super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        table, name = map(schema_editor.quote_name, (model._meta.db_table, self.constraint.name))
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")  # of a run that broke off
        schema_editor.execute(f"{self.constraint.create_sql(model, schema_editor)} NOT VALID", params=None)
        schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")  # writers go on meanwhile
