"""The call that tells what became of one file between two versions: its lines, or its tensors."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, BinaryIO

from rest_framework.request import Request
from rest_framework.response import Response

from registry import connections, trees
from registry.api import documentation as doc
from registry.api.documentation import documented
from registry.api.rooms import Room
from registry.diffs import tensors, text
from registry.errors import Invalid
from registry.headers.formats import read_header
from registry.headers.reading import BadHeader, Header, Tensor
from registry.models import Tree, Version
from registry.services import downloads
from registry.storage import open_ranges
from registry.trees import Difference, Entry

MOST_TENSORS = 1000  # of each kind in one answer; `count` tells of all
MOST_BYTES = 2 * 2**30  # that are compared without being asked, of both files together
SNIFFED = 8192


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
        found = _difference(before, after, path.strip("/"))
        for version in (before, after):
            downloads.note(actor=request.user, version=version)
        connections.release()  # from here on bytes are read
        return Response(_about(found) | _content(found, budget))


def _budget(said: str) -> int | None:
    """Return how many bytes of tensors are read; None for as many as there are."""
    if said not in ("", "true", "false"):
        raise Invalid("invalid", "bytes: “true” or “false”, or leave it out.")
    return {"": MOST_BYTES, "true": None, "false": 0}[said]


def _difference(base: Version, head: Version, path: str) -> Difference:
    """Return what became of one file; Tree.DoesNotExist when neither version has it."""
    load = Tree.objects.content_of
    before, after = (_file(trees.find(load, version.tree_id, path)) for version in (base, head))
    if before is None and after is None:
        raise Tree.DoesNotExist
    if before is None:  # it may have been renamed: then the whole comparison tells from where
        whole = trees.compare(Tree.objects.contents_of, base.tree_id, head.tree_id)
        return next(one for one in whole if one.path == path and one.after)
    return Difference(path, before, after)


def _file(entry: Entry | None) -> Entry | None:
    return entry if entry and not entry.is_directory else None


def _about(found: Difference) -> dict[str, Any]:
    shown: dict[str, Any] = {"path": found.path, "former_path": found.former_path or None}
    for name, entry in (("before", found.before), ("after", found.after)):
        shown[name] = entry and {"digest": entry.digest, "size": entry.size, "mode": entry.mode}
    return shown


def _content(found: Difference, budget: int | None) -> dict[str, Any]:
    return _tensors(found, budget) or _text(found)


# --- Texts


def _text(found: Difference) -> dict[str, Any]:
    both = [entry for entry in (found.before, found.after) if entry]
    if any(entry.size > text.MAX_BYTES for entry in both):
        texts = all(_begins_as_text(entry) for entry in both)
        return {"kind": "too_large" if texts else "binary"}
    contents = [text.readable(_bytes(entry)) if entry else "" for entry in (found.before, found.after)]
    if contents[0] is None or contents[1] is None:
        return {"kind": "binary"}
    before, after = map(text.lines_of, contents)  # type: ignore[arg-type]
    if max(len(before), len(after)) > text.MAX_LINES:
        return {"kind": "too_large"}
    former = (found.former_path or found.path) if found.before else None
    diff = text.unified(before, after, former_path=former, path=found.path if found.after else None)
    return {"kind": "text", "diff": diff.diff, "additions": diff.additions, "deletions": diff.deletions}


def _bytes(entry: Entry, most: int = text.MAX_BYTES) -> bytes:
    with open_ranges(entry.digest) as file:
        return tensors.exactly(file, min(entry.size, most))


def _begins_as_text(entry: Entry) -> bool:
    return text.begins_readable(_bytes(entry, SNIFFED))


# --- Tensors


def _tensors(found: Difference, budget: int | None) -> dict[str, Any] | None:
    """Return what became of the tensors; None where a file has no header that can be read, or one of another format."""
    sides = (found.former_path or found.path, found.before), (found.path, found.after)
    with ExitStack() as opened:
        files = [opened.enter_context(open_ranges(entry.digest)) for _, entry in sides if entry]
        there = [(path, entry) for path, entry in sides if entry]
        try:
            headers = [read_header(path, file, entry.size) for file, (path, entry) in zip(files, there, strict=True)]
        except BadHeader:
            return None
        forms = {header and header.format for header in headers}
        if None in forms or len(forms) > 1:
            return None
        before = _told(headers[0]) if found.before else []
        after = _told(headers[-1]) if found.after else []
        return {"kind": "tensors", "format": forms.pop()} | _shown(
            tensors.compare(before, after, _comparing(found, files, budget))
        )


def _told(header: Header | None) -> list[Tensor]:
    return header.tensors if header else []


def _comparing(found: Difference, files: list[BinaryIO], budget: int | None) -> tensors.Same:
    if len(files) < 2 or (found.before and found.after and found.before.digest == found.after.digest):
        return lambda before, after: True
    return tensors.Bytes(*files, budget=budget).same


def _shown(diff: tensors.TensorDiff) -> dict[str, Any]:
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


def _changed(one: tensors.Changed) -> dict[str, Any]:
    return {
        "name": one.after.name,
        "differs": one.differs,
        "before": _typed(one.before),
        "after": _typed(one.after),
    }


def _typed(tensor: Tensor) -> dict[str, Any]:
    return {"dtype": tensor.dtype, "shape": tensor.shape}
