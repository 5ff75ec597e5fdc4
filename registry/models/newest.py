"""The newest few of each of several: one query of many short looks into an index, where a window would read every row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connections, models


def few_of_each(parts: Iterable[models.QuerySet[Any]]) -> list[int]:
    """Return the keys of the rows of sliced querysets of one table, some hundred of them at most, by one query."""
    return [key for keys in each_of([part.values_list("pk") for part in parts]) for key in keys]


def each_of(parts: Sequence[models.QuerySet[Any, Any]]) -> list[list[int]]:
    """Return the one column of each of several sliced querysets, in their order, by one query.

    Written out, since Django makes no union of slices where the database is SQLite.
    """
    found: list[list[int]] = [[] for _ in parts]
    if not parts:
        return found
    said = [part.query.sql_with_params() for part in parts]
    sql = " UNION ALL ".join(f"SELECT {n}, part{n}.* FROM ({one}) part{n}" for n, (one, _) in enumerate(said))
    with connections[parts[0].db].cursor() as cursor:
        cursor.execute(sql, [value for _, values in said for value in values])
        for n, key in cursor.fetchall():
            found[n].append(key)
    return found
