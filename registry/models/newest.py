"""The newest few of each of several: one query of many short looks into an index, where a window would read every row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connections, models


def few_of_each(parts: Iterable[models.QuerySet[Any]]) -> list[int]:
    """Return the keys of the rows of sliced querysets of one table, some hundred of them at most, by one query.

    Written out, since Django makes no union of slices where the database is SQLite.
    """
    ready = [part.values("pk") for part in parts]
    if not ready:
        return []
    said = [part.query.sql_with_params() for part in ready]
    sql = " UNION ALL ".join(f"SELECT * FROM ({one}) part{n}" for n, (one, _) in enumerate(said))
    with connections[ready[0].db].cursor() as cursor:
        cursor.execute(sql, [value for _, values in said for value in values])
        return [key for (key,) in cursor.fetchall()]
