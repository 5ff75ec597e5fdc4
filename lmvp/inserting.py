"""Rows written by one short INSERT, its text made once for each table: what Model.save() and bulk_create() compile anew each
time. Sends no signals (there are no receivers). Knows no table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models

MOST_VALUES = 10_000  # in one statement, where the database sets no bound of its own
AS_THEY_ARE = {  # fields, and the type whose values (and null) their columns take unchanged
    **dict.fromkeys((models.CharField, models.TextField, models.SlugField, models.EmailField), str),
    **dict.fromkeys((models.IntegerField, models.BigIntegerField, models.PositiveIntegerField), int),
    **dict.fromkeys((models.AutoField, models.BigAutoField), int),
    models.FloatField: float,
    models.BooleanField: bool,
}

Fields = list[tuple["models.Field[Any, Any]", Any]]  # with that type, or None


def insert(*rows: models.Model) -> None:
    """Write new rows of one table, in order, and give each its key; IntegrityError where one may not be.

    Several statements where there are many: in one transaction, if all or none are to be there.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if not connection.features.can_return_rows_from_bulk_insert:  # SQLite before 3.35
        for row in rows:
            row.save(force_insert=True)
        return
    for some in _batches(connection, rows):
        key: Any = some[0]._meta.pk
        with connection.cursor() as cursor:
            cursor.execute(*_said(connection, some, f" RETURNING {connection.ops.quote_name(key.column)}"))
            keys = cursor.fetchall()
        for row, (made,) in zip(some, keys, strict=True):
            if row.pk is None:
                row.pk = made
            row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def insert_missing(rows: Iterable[models.Model]) -> None:
    """Write those rows of one table that are not there yet, by whatever constraint; keys are not told."""
    connection = connections[DEFAULT_DB_ALIAS]
    for some in _batches(connection, rows):
        with connection.cursor() as cursor:
            cursor.execute(*_said(connection, some, " ON CONFLICT DO NOTHING"))


def _batches(connection: Any, rows: Iterable[models.Model]) -> Iterator[list[models.Model]]:
    left = iter(rows)
    for first in left:
        columns = len(first._meta.concrete_fields)
        most = connection.features.max_query_params or MOST_VALUES
        yield [first, *islice(left, max(0, most // columns - 1))]


def _said(connection: Any, rows: Sequence[models.Model], tail: str) -> tuple[str, list[Any]]:
    """Return the statement and its values."""
    head, places, fields = _statement(type(rows[0]), connection.vendor)
    columns = [_column(rows, field, taken, connection) for field, taken in fields]
    return f"{head}{', '.join([places] * len(rows))}{tail}", [
        value for row in zip(*columns, strict=True) for value in row
    ]


def _column(rows: Sequence[models.Model], field: models.Field[Any, Any], taken: Any, connection: Any) -> list[Any]:
    """Return what the rows write into one column."""
    if taken:
        values = [getattr(row, field.attname) for row in rows]
        if all(value is None or type(value) is taken for value in values):
            return values
    if not isinstance(field, models.DateTimeField):
        return [field.get_db_prep_save(field.pre_save(row, add=True), connection=connection) for row in rows]
    moments = _moments(rows, field)
    said = {moment: field.get_db_prep_save(moment, connection=connection) for moment in set(moments)}
    return [said[moment] for moment in moments]


def _moments(rows: Sequence[models.Model], field: models.DateTimeField[Any, Any]) -> list[Any]:
    """Return the times in one column; where Django takes that of writing, the same for all."""
    first = field.pre_save(rows[0], add=True)
    if field.auto_now or field.auto_now_add:
        for row in rows[1:]:
            setattr(row, field.attname, first)
    return [getattr(row, field.attname) for row in rows]


def _taken(field: Any) -> Any:
    return AS_THEY_ARE.get(type(field.target_field if field.is_relation else field))


@lru_cache
def _statement(model: type[models.Model], vendor: str) -> tuple[str, str, Fields]:
    quote = connections[DEFAULT_DB_ALIAS].ops.quote_name
    known: Any = model._meta
    fields = [field for field in known.local_concrete_fields if not isinstance(field, models.AutoField)]
    columns = ", ".join(quote(field.column) for field in fields)
    places = f"({', '.join(['%s'] * len(fields))})"
    return (
        f"INSERT INTO {quote(known.db_table)} ({columns}) VALUES ",
        places,
        [(field, _taken(field)) for field in fields],
    )
