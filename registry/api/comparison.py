"""The call that compares two versions: what became of the files, the metadata and the metrics."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.diffs import values
from registry.models import Version
from registry.services import differences
from registry.trees import Difference

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
                "metadata": values.changes(before.metadata, after.metadata),
                "metrics": _metrics(before, after),
            }
        )


def _side(version: Version) -> dict[str, Any]:
    return {"number": version.number, "digest": version.digest, "deprecated": version.deprecated or None}


def _files(base: Version, head: Version) -> dict[str, Any]:
    kinds: dict[str, list[dict[str, Any]]] = {"added": [], "removed": [], "changed": [], "renamed": []}
    for one in differences.files_between(base, head):
        kinds[one.kind].append(_file(one))
    counts = {kind: len(files) for kind, files in kinds.items()}
    return {kind: files[:MOST_FILES] for kind, files in kinds.items()} | {"count": counts}


def _file(one: Difference) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": one.path} | ({"former_path": one.former_path} if one.former_path else {})
    for name, entry in (("before", one.before), ("after", one.after)):
        if entry:
            shown[name] = {"digest": entry.digest, "size": entry.size, "mode": entry.mode}
    return shown


def _metrics(base: Version, head: Version) -> list[dict[str, Any]]:
    """Return every metric of either version, with the difference where both are numbers."""
    before, after = ({one.name: one.shown for one in version.latest_metrics} for version in (base, head))
    return [
        {"name": one.name, "before": one.before, "after": one.after, "delta": one.delta}
        for one in values.metric_changes(before, after)
    ]
