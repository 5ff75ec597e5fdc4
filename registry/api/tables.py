"""The call that puts several versions side by side: a column for each, a row for each metric and each metadata key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.digests import canonical_json
from registry.errors import Invalid
from registry.models import RegisteredModel, Version
from registry.models.versions import Surroundings

FEWEST, MOST = 2, 20  # versions
MOST_ROWS = 1000  # of each kind; `count` tells of all
LONGEST_WAY = 200  # characters of the keys above: what lies deeper stays one value

Cells = dict[str, Any]


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
        columns = _columns(self.model(), request.query_params.get("versions", ""))
        differing = request.query_params.get("differing") == "true"
        around = Version.objects.surroundings_of(columns)
        metrics = [around[version.pk].metrics for version in columns]
        metadata = [dict(_flat(version.metadata)) for version in columns]
        rows = {"metrics": _rows("name", metrics, differing), "metadata": _rows("key", metadata, differing)}
        return Response(
            {"versions": [_column(version, around[version.pk]) for version in columns]}
            | {kind: told[:MOST_ROWS] for kind, told in rows.items()}
            | {"count": {kind: len(told) for kind, told in rows.items()}}
        )


def _columns(model: RegisteredModel, said: str) -> list[Version]:
    """Return the versions in the order asked for, each once."""
    revisions = [one.strip() for one in said.split(",") if one.strip()]
    if not FEWEST <= len(revisions) <= MOST:
        raise Invalid("invalid_versions", f"Name {FEWEST} to {MOST} revisions, as in ?versions=1,3,production")
    there = model.versions.filter(trashed_at=None)
    keys = list(dict.fromkeys(there.only("model").at(model, revision).pk for revision in revisions))
    found = there.with_figures().in_bulk(keys)
    return [found[key] for key in keys]


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


def _flat(value: dict[str, Any], way: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested objects by keys joined with dots; a key that holds one itself stands in quotes."""
    for key, inner in value.items():
        name = way + (json.dumps(key, ensure_ascii=False) if "." in key or '"' in key else key)
        if isinstance(inner, dict) and inner and len(name) <= LONGEST_WAY:
            yield from _flat(inner, f"{name}.")
        else:
            yield name, inner


def _rows(heading: str, columns: list[Cells], differing: bool) -> list[dict[str, Any]]:
    names = sorted({name for cells in columns for name in cells})
    kept = filter(_differs_in(columns), names) if differing else names
    return [{heading: name, "values": [cells.get(name) for cells in columns]} for name in kept]


def _differs_in(columns: list[Cells]) -> Callable[[str], bool]:
    """Return what tells whether a row is not the same everywhere: not there is another thing than null, 1 than true."""
    return lambda name: len({canonical_json(cells[name]) if name in cells else "" for cells in columns}) > 1
