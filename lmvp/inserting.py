"""Rows written by one short INSERT, its text made once for each table: what Model.save() and bulk_create() compile anew each
time. Sends no signals (there are no receivers). Knows no table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models

MOST_VALUES = 999  # in one statement: what any SQLite takes
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
    if not rows:
        return
    connection = connections[DEFAULT_DB_ALIAS]
    if not connection.features.can_return_rows_from_bulk_insert:  # SQLite before 3.35
        for row in rows:
            row.save(force_insert=True)
        return
    statement = _statement(type(rows[0]), connection.vendor)
    at_once = max(1, MOST_VALUES // len(statement[-1]))
    for start in range(0, len(rows), at_once):
        _insert(connection, rows[start : start + at_once], *statement)


def _insert(connection: Any, rows: Sequence[models.Model], head: str, places: str, tail: str, fields: Fields) -> None:
    values = [_value(row, field, taken, connection) for row in rows for field, taken in fields]
    with connection.cursor() as cursor:
        cursor.execute(f"{head}{', '.join([places] * len(rows))}{tail}", values)
        keys = cursor.fetchall()
    for row, (key,) in zip(rows, keys, strict=True):
        if row.pk is None:
            row.pk = key
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def _value(row: models.Model, field: models.Field[Any, Any], taken: Any, connection: Any) -> Any:
    if taken:
        value = getattr(row, field.attname)
        if value is None or type(value) is taken:
            return value
    return field.get_db_prep_save(field.pre_save(row, add=True), connection=connection)


def _taken(field: Any) -> Any:
    return AS_THEY_ARE.get(type(field.target_field if field.is_relation else field))


@lru_cache
def _statement(model: type[models.Model], vendor: str) -> tuple[str, str, str, Fields]:
    quote = connections[DEFAULT_DB_ALIAS].ops.quote_name
    known: Any = model._meta
    fields = [field for field in known.local_concrete_fields if not isinstance(field, models.AutoField)]
    columns = ", ".join(quote(field.column) for field in fields)
    places = f"({', '.join(['%s'] * len(fields))})"
    return (
        f"INSERT INTO {quote(known.db_table)} ({columns}) VALUES ",
        places,
        f" RETURNING {quote(known.pk.column)}",
        [(field, _taken(field)) for field in fields],
    )
