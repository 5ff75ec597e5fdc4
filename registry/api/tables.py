"""The call that puts several versions side by side: a column for each, a row for each metric and each metadata key."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.diffs.values import MISSING, Row
from registry.models import Version
from registry.models.surroundings import Surroundings
from registry.services import tables

MOST_ROWS = 1000  # of each kind; `count` tells of all


class TableViewSet(Room):
    @documented(
        "Put several versions side by side",
        name="compare_table",
        tag="versions",
        answer=(200, "A column for each version, a row for each metric and metadata key.", doc.TABLE),
        errors=(400, 401, 404),
        query=[
            doc.query("versions", "2 to 20 revisions: 1,3,production", required=True),
            doc.query("differing", "true: leave out the rows that are the same everywhere.", "boolean"),
        ],
    )
    def list(self, request: Request, project: str, model: str) -> Response:
        columns = list(tables.versions_named(self.model(), request.query_params.get("versions", "")).values())
        table = tables.side_by_side(columns, differing=request.query_params.get("differing") == "true")
        rows = {"metrics": _rows("name", table.metrics), "metadata": _rows("key", table.metadata)}
        return Response(
            {"versions": [_column(version, table.around[version.pk]) for version in columns]}
            | {kind: told[:MOST_ROWS] for kind, told in rows.items()}
            | {"count": {kind: len(told) for kind, told in rows.items()}}
        )


def _column(version: Version, around: Surroundings) -> dict[str, Any]:
    return {
        "number": version.number,
        "digest": version.digest,
        "title": version.title,
        "author": version.author_name,
        "created_at": version.created_at,
        "refs": [{"kind": kind, "name": name} for kind, name in around.refs],
        "files": {"count": version.tree.files, "size": version.tree.size},
        "deprecated": version.deprecated or None,
    }


def _rows(heading: str, rows: list[Row]) -> list[dict[str, Any]]:
    return [{heading: row.name, "values": [None if said is MISSING else said for said in row.values]} for row in rows]
