"""What a version came from and what came of it, as a graph: its parents and children, the versions of other models that were
its sources or are derived from it, and the artifacts around them. Reads alone, level by level, so much per level and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lmvp.prepared import prepared
from registry.models import Artifact, Derivation, Project, Version, VersionParent

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from registry.models.projects import Actor

MOST_NODES = 500
MOST_LINKS = 2_000  # looked at from one level, of each kind

Node = Version | Artifact
Keys = set[Any]  # primary keys: numbers of versions, texts of artifacts


@dataclass(frozen=True, slots=True)
class Edge:
    """`start` came before `end`. Kinds: parent (of a version), derived (a source), artifact (of a version), child (artifact)."""

    start: Node
    end: Node
    kind: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """Nodes nearest first, the asked version at the head; how many there are that the reader may not see."""

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    hidden: int
    truncated: bool


def sources_of(version: Version, *, actor: Actor) -> list[Version | None]:
    """Return the versions that a version was made from, in order; None for one that the actor may not see."""
    sources = [link.source for link in _links(version.pk)]
    seen = _visible({source.model.project_id for source in sources}, actor)
    return [source if source.model.project_id in seen else None for source in sources]


@prepared
def _links(version: int) -> QuerySet[Derivation]:
    return Derivation.objects.filter(version=version).select_related("source__model__project")


def lineage_of(version: Version, *, actor: Actor, depth: int) -> Lineage:
    """Return all within `depth` steps before and after a version that the actor may see."""
    walk = _Walk(actor)
    walk.go(version, depth, _before)
    walk.go(version, depth, _after)
    nodes: list[Node] = [*walk.versions.values(), *walk.artifacts.values()]
    return Lineage(nodes, _edges(walk.versions, walk.artifacts), len(walk.hidden), walk.truncated)


@dataclass(slots=True)
class _Level:
    """Primary keys of what was reached with one step."""

    versions: Keys = field(default_factory=set)
    artifacts: Keys = field(default_factory=set)


class _Walk:
    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.versions: dict[int, Version] = {}
        self.artifacts: dict[str, Artifact] = {}
        self.hidden: Keys = set()
        self.projects: dict[int, bool] = {}  # whether the actor may see it
        self.truncated = False

    def go(self, version: Version, depth: int, step: Callable[[_Walk, _Level], _Level]) -> None:
        """Add what is reached from a version by so many steps of one direction."""
        self.versions[version.pk] = version
        reached, last = _Level({version.pk}), _Level({version.pk})
        for _ in range(depth):
            found = step(self, last)
            last = self._admit(found.versions - reached.versions, found.artifacts - reached.artifacts)
            reached.versions |= last.versions
            reached.artifacts |= last.artifacts
            if not last.versions and not last.artifacts:
                return

    def some(self, rows: QuerySet[Any], column: str) -> Keys:
        """Return what stands in a column of the newest rows: so many, or the walk is cut short."""
        found = list(rows.order_by("-pk").values_list(column, flat=True)[: MOST_LINKS + 1])
        self.truncated |= len(found) > MOST_LINKS
        return set(found[:MOST_LINKS])

    def _admit(self, versions: Keys, artifacts: Keys) -> _Level:
        """Take in those that the actor may see, as long as there is room; return what the walk goes on from."""
        of_versions = Version.objects.select_related("model__project").defer("metadata_json")
        rows = _fresh(of_versions, versions - self.versions.keys())
        nodes = _fresh(Artifact.objects.select_related("project", "hierarchy"), artifacts - self.artifacts.keys())
        self._look_at({row.model.project_id for row in rows} | {node.project_id for node in nodes})
        admitted = _Level(versions & self.versions.keys(), artifacts & self.artifacts.keys())
        for row in rows:
            if self._may_enter(row.pk, row.model.project_id):
                self.versions[row.pk] = row
                admitted.versions.add(row.pk)
        for node in nodes:
            if self._may_enter(node.pk, node.project_id):
                self.artifacts[node.pk] = node
                admitted.artifacts.add(node.pk)
        return admitted

    def _look_at(self, projects: set[int]) -> None:
        unknown = projects - self.projects.keys()
        seen = _visible(unknown, self.actor)
        self.projects |= {project: project in seen for project in unknown}

    def _may_enter(self, key: object, project: int) -> bool:
        if not self.projects[project]:
            self.hidden.add(key)
            return False
        full = len(self.versions) + len(self.artifacts) >= MOST_NODES
        self.truncated |= full
        return not full


def _before(walk: _Walk, level: _Level) -> _Level:
    versions = walk.some(VersionParent.objects.filter(version__in=level.versions), "parent")
    versions |= walk.some(Derivation.objects.filter(version__in=level.versions), "source")
    above = {walk.artifacts[key].parent_id for key in level.artifacts} - {None}
    return _around(walk, level, versions, above)


def _after(walk: _Walk, level: _Level) -> _Level:
    versions = walk.some(VersionParent.objects.filter(parent__in=level.versions), "version")
    versions |= walk.some(Derivation.objects.filter(source__in=level.versions), "version")
    below = walk.some(Artifact.objects.filter(parent__in=level.artifacts), "pk")
    return _around(walk, level, versions, below)


def _around(walk: _Walk, level: _Level, versions: Keys, artifacts: Keys) -> _Level:
    """Add the artifacts that stand for the level's versions, and the versions that its artifacts stand for."""
    standing = walk.some(Artifact.objects.filter(version__in=level.versions), "pk")
    stood_for = {walk.artifacts[key].version_id for key in level.artifacts} - {None}
    return _Level(versions | stood_for, artifacts | standing)


def _fresh(rows: QuerySet[Any], keys: Keys) -> list[Any]:
    return list(rows.filter(pk__in=keys).order_by("-pk")) if keys else []


def _visible(projects: Iterable[int], actor: Actor) -> set[int]:
    wanted = set(projects)
    if not wanted:
        return wanted
    return set(Project.objects.visible_to(actor).filter(pk__in=wanted).values_list("pk", flat=True))


def _edges(versions: Mapping[int, Version], artifacts: Mapping[str, Artifact]) -> list[Edge]:
    """Return every edge between these nodes, also where no step of the walk went along it."""
    parents = VersionParent.objects.filter(version__in=versions, parent__in=versions).order_by("pk")
    sources = Derivation.objects.filter(version__in=versions, source__in=versions).order_by("pk")
    edges = [Edge(versions[link.parent_id], versions[link.version_id], "parent") for link in parents]
    edges += [Edge(versions[link.source_id], versions[link.version_id], "derived") for link in sources]
    for node in artifacts.values():
        version, parent = versions.get(node.version_id or 0), artifacts.get(node.parent_id or "")
        edges += [Edge(version, node, "artifact")] if version else []
        edges += [Edge(parent, node, "child")] if parent else []
    return edges
