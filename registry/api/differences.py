"""The call that tells what became of one file between two versions: its lines, or its tensors."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from registry import connections
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.diffs.tensors import Changed, TensorDiff
from registry.errors import Invalid
from registry.headers.reading import Tensor
from registry.services import differences, downloads
from registry.services.differences import Content
from registry.trees import Difference

MOST_TENSORS = 1000  # of each kind in one answer; `count` tells of all


class DifferenceViewSet(Room):
    @documented(
        "Compare one file of two versions",
        name="compare_file",
        tag="versions",
        answer=(200, "A unified diff of a small text, or what became of the tensors.", doc.DIFFERENCE),
        errors=(400, 401, 404),
        query=[
            doc.query(
                "bytes",
                "Of tensors: false looks at headers alone, true at all bytes however many; left out, at 2 GiB of them.",
                enum=["true", "false"],
            )
        ],
    )
    def retrieve(self, request: Request, project: str, model: str, base: str, head: str, path: str) -> Response:
        budget = _budget(request.query_params.get("bytes", ""))
        there = self.model()
        versions = there.versions.filter(trashed_at=None)
        before, after = versions.at(there, base), versions.at(there, head)
        found = differences.file_between(before, after, path.strip("/"))
        for version in (before, after):
            downloads.note(actor=request.user, version=version)
        connections.release()  # from here on bytes are read
        return Response(_about(found) | _content(differences.content_of(found, budget=budget)))


def _budget(said: str) -> int | None:
    """Return how many bytes of tensors are read; None for as many as there are."""
    if said not in ("", "true", "false"):
        raise Invalid("invalid", "bytes: “true” or “false”, or leave it out.")
    return {"": differences.MOST_BYTES, "true": None, "false": 0}[said]


def _about(found: Difference) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": found.path, "former_path": found.former_path or None}
    for name, entry in (("before", found.before), ("after", found.after)):
        shown[name] = entry and {"digest": entry.digest, "size": entry.size, "mode": entry.mode}
    return shown


def _content(content: Content) -> dict[str, Any]:
    shown: dict[str, Any] = {"kind": content.kind}
    if content.text:
        diff = content.text
        shown |= {"diff": diff.diff, "additions": diff.additions, "deletions": diff.deletions}
    if content.tensors:
        shown |= {"format": content.format} | _tensors(content.tensors)
    return shown


def _tensors(diff: TensorDiff) -> dict[str, Any]:
    count = {
        "added": len(diff.added),
        "removed": len(diff.removed),
        "changed": len(diff.changed),
        "unchanged": diff.unchanged,
        "not_compared": diff.not_compared,
    }
    return {
        "bytes_compared": not diff.not_compared,
        "tensors": {
            "added": [{"name": one.name} | _typed(one) for one in diff.added[:MOST_TENSORS]],
            "removed": [{"name": one.name} | _typed(one) for one in diff.removed[:MOST_TENSORS]],
            "changed": [_changed(one) for one in diff.changed[:MOST_TENSORS]],
            "count": count,
        },
    }


def _changed(one: Changed) -> dict[str, Any]:
    return {
        "name": one.after.name,
        "differs": one.differs,
        "before": _typed(one.before),
        "after": _typed(one.after),
    }


def _typed(tensor: Tensor) -> dict[str, Any]:
    return {"dtype": tensor.dtype, "shape": tensor.shape}
