"""Rows written by one short INSERT, its text made once for each table: what Model.save() and bulk_create() compile anew each
time. Sends no signals (there are no receivers). Knows no table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models

MOST_ROWS = 50  # in one statement: some hundred values


def insert(*rows: models.Model) -> None:
    """Write new rows of one table, in order, and give each its key; IntegrityError where one may not be."""
    for start in range(0, len(rows), MOST_ROWS):
        _insert(rows[start : start + MOST_ROWS])


def _insert(rows: Sequence[models.Model]) -> None:
    connection = connections[DEFAULT_DB_ALIAS]
    if not connection.features.can_return_rows_from_bulk_insert:  # SQLite before 3.35
        for row in rows:
            row.save(force_insert=True)
        return
    head, places, tail, fields = _statement(type(rows[0]), connection.vendor)
    values = [
        field.get_db_prep_save(field.pre_save(row, add=True), connection=connection) for row in rows for field in fields
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"{head}{', '.join([places] * len(rows))}{tail}", values)
        keys = cursor.fetchall()
    for row, (key,) in zip(rows, keys, strict=True):
        row.pk, row._state.adding, row._state.db = key, False, DEFAULT_DB_ALIAS


@lru_cache
def _statement(model: type[models.Model], vendor: str) -> tuple[str, str, str, list[models.Field[Any, Any]]]:
    quote = connections[DEFAULT_DB_ALIAS].ops.quote_name
    known: Any = model._meta
    fields = [field for field in known.local_concrete_fields if not isinstance(field, models.AutoField)]
    columns = ", ".join(quote(field.column) for field in fields)
    places = f"({', '.join(['%s'] * len(fields))})"
    return (
        f"INSERT INTO {quote(known.db_table)} ({columns}) VALUES ",
        places,
        f" RETURNING {quote(known.pk.column)}",
        fields,
    )
