"""How the database goes about what is asked of it: every statement of a call explained on its way, just before it runs.

PostgreSQL runs it a second time (and takes that back), so that the rows that it read are counted; SQLite tells its plan.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

# Tables that grow with what people publish. Whoever reads one of these from its beginning to its end waits ever longer.
BIG = {
    "registry_blob",
    "registry_event",
    "registry_idempotencykey",
    "registry_metric",
    "registry_occurrence",
    "registry_ref",
    "registry_refmove",
    "registry_search_file",
    "registry_search_version",
    "registry_tree",
    "registry_upload",
    "registry_version",
    "registry_versionparent",
}
GLANCE = (
    50  # rows: a look from the beginning on that ends so soon (EXISTS, where all rows are such) reads nothing whole
)
PLANNED = re.compile(r"\s*\(?\s*(SELECT|WITH|UPDATE|DELETE)\b", re.IGNORECASE)
NAMED = re.compile(r'"?(registry_\w+)"?(?:\s+(?:AS\s+)?"?(?!WHERE|ON|INNER|LEFT|JOIN|ORDER|GROUP|SET|LIMIT)(\w+)"?)?')
SCAN = re.compile(r"SCAN (\w+)(?! USING| VIRTUAL)\b")


@dataclass(frozen=True)
class Explained:
    """A statement, the big tables that it reads whole, and how many rows it reads (None: the database does not say)."""

    sql: str
    whole: tuple[str, ...]
    rows: int | None
    plan: str

    def reads(self, table: str) -> bool:
        return table in self.sql

    def __str__(self) -> str:
        return f"{self.rows} rows, whole: {', '.join(self.whole) or 'none'}\n{self.sql}\n{self.plan}"


@contextmanager
def explained(only: str = "") -> Iterator[list[Explained]]:
    """Give a list that fills with the statements that are made inside: those of querysets, compiled ones, and raw SQL.

    With `only`, those alone that have this in them.
    """
    found: list[Explained] = []
    explain = _of_sqlite if connection.vendor == "sqlite" else _of_postgresql

    def on_its_way(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if PLANNED.match(sql) and only in sql and not many:
            found.append(explain(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(on_its_way):
        yield found


def _of_postgresql(sql: str, params: Any) -> Explained:
    with closing(connection.create_cursor()) as cursor:  # below the wrappers
        cursor.execute("SAVEPOINT explained")
        try:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", params)
            plan = cursor.fetchone()[0][0]["Plan"]
        finally:
            cursor.execute("ROLLBACK TO SAVEPOINT explained")
            cursor.execute("RELEASE SAVEPOINT explained")
    nodes = list(_nodes(plan))
    scans = [node for _, node in nodes if node["Node Type"] == "Seq Scan"]
    whole = {node["Relation Name"] for node in scans if _rows(node) > GLANCE} & BIG
    lines = [f"{'  ' * depth}{_said(node)}" for depth, node in nodes]
    return Explained(sql, tuple(sorted(whole)), sum(_rows(node) for _, node in nodes), "\n".join(lines))


def _nodes(plan: dict[str, Any], depth: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    yield depth, plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below, depth + 1)


def _rows(node: dict[str, Any]) -> int:
    """Return how many rows, or entries of an index, a node took up, those that it then left out as well."""
    if not node["Node Type"].endswith("Scan") or not {"Relation Name", "Index Name"} & node.keys():
        return 0
    each = sum(node.get(key, 0) for key in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"))
    return round(each * node["Actual Loops"])


def _said(node: dict[str, Any]) -> str:
    on = " ".join(str(node[key]) for key in ("Relation Name", "Index Name") if key in node)
    return f"{node['Node Type']} {on}: {node['Actual Rows']} rows × {node['Actual Loops']}, read {_rows(node)}"


def _of_sqlite(sql: str, params: Any) -> Explained:
    with closing(connection.create_cursor()) as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        lines = [row[-1] for row in cursor.fetchall()]
    tables = {alias or table: table for table, alias in NAMED.findall(sql)}
    whole = {tables.get(scanned[1], scanned[1]) for line in lines if (scanned := SCAN.match(line))} & BIG
    return Explained(sql, tuple(sorted(whole)), None, "\n".join(lines))
