"""A lineage as a picture: boxes that lead to pages, and lines that say what came from what."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from django.urls import reverse

from registry.layers import Layout, Measures, Point, lay_out
from registry.lineage import Edge, Lineage, Node
from registry.models import Artifact, Version
from registry.templatetags.pages import KIND_ICONS
from registry.typed_data import RUNS

MEASURES = Measures()
EDGE = 2  # of free space around the picture, for outlines
LABEL, NOTE = 23, 29  # characters that fit into a box
WORDS = {
    "parent": "is the parent of",
    "derived": "is a source of",
    "artifact": "has the artifact",
    "child": "has below it",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A node as it is drawn: two lines of words and the whole of them as a title; no address: it cannot be opened."""

    icon: str
    label: str
    note: str
    title: str
    address: str = ""
    look: str = ""
    x: float = 0
    y: float = 0


@dataclass(frozen=True, slots=True)
class Line:
    """An edge as it is drawn, and in words."""

    kind: str
    path: str
    start: Box
    end: Box

    @property
    def words(self) -> str:
        return WORDS[self.kind]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn, how large, and what of the lineage is not."""

    boxes: Sequence[Box]
    lines: Sequence[Line]
    width: float
    height: float
    hidden: int
    omitted: int
    truncated: bool

    @property
    def kinds(self) -> list[str]:
        there = {line.kind for line in self.lines}
        return [kind for kind in WORDS if kind in there]


def picture_of(lineage: Lineage, *, most: int | None = None) -> Picture:
    """Draw a lineage around its first node, or those of its nodes that are nearest to that."""
    root = cast(Version, lineage.nodes[0])  # the version that it was asked of
    nodes = _nearest(lineage)[:most]
    keys = {_key(node) for node in nodes}
    edges = [edge for edge in lineage.edges if _key(edge.start) in keys and _key(edge.end) in keys]
    found = lay_out([_key(node) for node in nodes], [(_key(edge.start), _key(edge.end)) for edge in edges], MEASURES)
    boxes = {_key(node): _box(node, root, found) for node in nodes}
    lines = [_line(edge, boxes, found) for edge in edges if (_key(edge.start), _key(edge.end)) in found.lines]
    return Picture(
        list(boxes.values()),
        lines,
        found.width + 2 * EDGE,
        found.height + 2 * EDGE,
        lineage.hidden,
        len(lineage.nodes) - len(nodes),
        lineage.truncated,
    )


def _key(node: Node) -> tuple[str, object]:
    return ("artifact" if isinstance(node, Artifact) else "version", node.pk)


def _nearest(lineage: Lineage) -> list[Node]:
    """Return the nodes by how many lines they are away from the first; those that no line leads to last."""
    beside: dict[object, list[Node]] = defaultdict(list)
    for edge in lineage.edges:
        beside[_key(edge.start)].append(edge.end)
        beside[_key(edge.end)].append(edge.start)
    found = {_key(lineage.nodes[0]): lineage.nodes[0]}
    waiting = deque(found.values())
    while waiting:
        for node in beside[_key(waiting.popleft())]:
            if _key(node) not in found:
                found[_key(node)] = node
                waiting.append(node)
    return [*found.values(), *(node for node in lineage.nodes if _key(node) not in found)]


def _box(node: Node, root: Version, found: Layout) -> Box:
    x, y = found.places[_key(node)]
    if isinstance(node, Artifact):
        return _artifact(node, root, x + EDGE, y + EDGE)
    return _version(node, root, x + EDGE, y + EDGE)


def _version(version: Version, root: Version, x: float, y: float) -> Box:
    model, end = version.model, f" v{version.number}"
    gone = bool(version.trashed_at or model.trashed_at)
    near = model.project_id == root.model.project_id
    name = model.name if near else f"{model.project.name}/{model.name}"
    note = "in the trash" if gone else version.title or f"by {version.author_name}"
    look = "gone" if gone else "here" if version == root else "deprecated" if version.deprecated else ""
    said = f"deprecated: {note}" if look == "deprecated" else note
    return Box(
        icon=KIND_ICONS[model.Kind(model.kind)],
        label=_short(name, LABEL - len(end)) + end,
        note=_short(said, NOTE),
        title=f"{model} v{version.number}: {said[:200]}",
        address="" if gone or version == root else version.get_absolute_url(),
        look=look,
        x=x,
        y=y,
    )


def _artifact(artifact: Artifact, root: Version, x: float, y: float) -> Box:
    label = artifact.hierarchy.label_of(artifact.level) or f"level {artifact.level}"
    name = name_of(artifact.data)
    return Box(
        icon="workflow",
        label=_short(name or label, LABEL),
        note=_short(f"artifact · {label}", NOTE),
        title=f"artifact {artifact.pk}, {label}{f': {name[:200]}' if name else ''}",
        address=reverse("web:artifact", args=[artifact.project.name, artifact.pk]),
        look="artifact",
        x=x,
        y=y,
    )


def name_of(data: Mapping[str, object]) -> str:
    """Return what the data of an artifact call it, a run by its config; empty where they do not."""
    about = data.get("metadata")
    config = about.get("config_id") if data.get("type") in RUNS and isinstance(about, Mapping) else None
    said = (*(data.get(key) for key in ("name", "title", "label")), config)
    return next((one.strip() for one in said if isinstance(one, str) and one.strip()), "")


def _short(text: str, most: int) -> str:
    """Shorten in the middle, where names differ least."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 1]}…{text[-end:]}"


def _line(edge: Edge, boxes: Mapping[tuple[str, object], Box], found: Layout) -> Line:
    keys = (_key(edge.start), _key(edge.end))
    return Line(edge.kind, _path(found.lines[keys]), boxes[keys[0]], boxes[keys[1]])


def _path(points: Sequence[Point]) -> str:
    """Write the way of a line: a curve through each gap between layers, straight past each layer."""
    path = f"M{points[0][0] + EDGE:.0f} {points[0][1] + EDGE:.0f}"
    for n in range(0, len(points) - 1):
        (x, y), (to_x, to_y) = points[n], points[n + 1]
        x, y, to_x, to_y = x + EDGE, y + EDGE, to_x + EDGE, to_y + EDGE
        middle = (x + to_x) / 2
        curve = f"C{middle:.0f} {y:.0f} {middle:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
        path += curve if n % 2 == 0 else f"H{to_x:.0f}"
    return path
