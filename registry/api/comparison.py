"""The call that compares two versions: what became of the files, the metadata and the metrics."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from registry import trees
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.models import Tree, Version

MOST_FILES = 1000  # of each kind in one answer; `count` tells of all


class ComparisonViewSet(Room):
    @documented(
        "Compare two versions",
        name="compare",
        tag="versions",
        answer=(200, "What became of the files, the metadata and the metrics from base to head.", doc.COMPARISON),
        errors=(400, 401, 404),
    )
    def retrieve(self, request: Request, project: str, model: str, base: str, head: str) -> Response:
        there = self.model()
        versions = there.versions.filter(trashed_at=None).for_listing()
        before, after = versions.at(there, base), versions.at(there, head)
        return Response(
            {
                "base": _side(before),
                "head": _side(after),
                "files": _files(before, after),
                "metadata": _changes(before.metadata, after.metadata),
                "metrics": _metrics(before, after),
            }
        )


def _side(version: Version) -> dict[str, Any]:
    return {"number": version.number, "digest": version.digest, "deprecated": version.deprecated or None}


def _files(base: Version, head: Version) -> dict[str, Any]:
    kinds: dict[str, list[dict[str, Any]]] = {"added": [], "removed": [], "changed": [], "renamed": []}
    for one in trees.compare(Tree.objects.contents_of, base.tree_id, head.tree_id):
        kinds[one.kind].append(_file(one))
    counts = {kind: len(files) for kind, files in kinds.items()}
    return {kind: files[:MOST_FILES] for kind, files in kinds.items()} | {"count": counts}


def _file(one: trees.Difference) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": one.path} | ({"former_path": one.former_path} if one.former_path else {})
    for name, entry in (("before", one.before), ("after", one.after)):
        if entry:
            shown[name] = {"digest": entry.digest, "size": entry.size, "mode": entry.mode}
    return shown


def _changes(base: dict[str, Any], head: dict[str, Any]) -> dict[str, Any]:
    """Return the keys that were added, removed and changed, with their values."""
    return {
        "added": {key: head[key] for key in head.keys() - base.keys()},
        "removed": {key: base[key] for key in base.keys() - head.keys()},
        "changed": {
            key: {"before": base[key], "after": head[key]}
            for key in base.keys() & head.keys()
            if base[key] != head[key]
        },
    }


def _metrics(base: Version, head: Version) -> list[dict[str, Any]]:
    """Return every metric of either version, with the difference where both are numbers."""
    before, after = ({one.name: one.shown for one in version.latest_metrics} for version in (base, head))
    return [_metric(name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]


def _metric(name: str, before: float | str | None, after: float | str | None) -> dict[str, Any]:
    numbers = isinstance(before, float) and isinstance(after, float)
    delta = after - before if numbers else None  # type: ignore[operator]
    return {"name": name, "before": before, "after": after, "delta": delta}
