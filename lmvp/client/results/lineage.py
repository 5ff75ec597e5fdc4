"""What a version came from and what came of it, as nodes and edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from lmvp.client.results.reading import Result
from lmvp.client.tables import table, visible


@dataclass(frozen=True)
class Node(Result):
    """A version (`id` is project/model@number) or an artifact (`id` is its ULID); None is what its `type` has not."""

    id: str
    type: str
    project: str
    created_at: datetime
    url: str | None = None
    model: str | None = None
    kind: str | None = None
    number: int | None = None
    digest: str | None = None
    title: str | None = None
    author: str | None = None
    deprecated: str | None = None
    trashed: bool = False
    hierarchy: str | None = None
    level: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        return visible(self.id)


@dataclass(frozen=True)
class Edge(Result):
    """It leads from what was there first, by `kind`: parent, derived, artifact or child. Both ends are ids of nodes."""

    KEYS: ClassVar[Mapping[str, str]] = {"start": "from", "end": "to"}

    start: str
    end: str
    kind: str


@dataclass(frozen=True)
class Lineage(Result):
    """The surroundings of `root`; `hidden` counts what you may not see, `truncated`: there is more. Printed, a table."""

    root: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    hidden: int
    truncated: bool

    def node(self, id: str) -> Node:
        """Return the node of an id; KeyError when there is none."""
        return {one.id: one for one in self.nodes}[id]

    def __str__(self) -> str:
        rows = [[edge.start, edge.kind, edge.end] for edge in self.edges]
        none = f"{self.root} came from nothing that you may see, nor did anything come of it."
        more = [f"{self.hidden} more that you may not see."] if self.hidden else []
        more += ["There is more than is shown here."] if self.truncated else []
        return "\n".join([table(["from", "kind", "to"], rows) if rows else visible(none), *more])
