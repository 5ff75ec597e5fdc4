"""Artifacts, nodes of a lineage tree, and the hierarchies that name its levels. No HTTP: a Loader fetches their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from lmvp.client.errors import ValidationFailed
from lmvp.client.results.reading import Result
from lmvp.client.tables import bytes_text, visible

if TYPE_CHECKING:
    from lmvp.client.contents import Form
    from lmvp.client.formats import Trusted


@dataclass(frozen=True)
class Hierarchy(Result):
    """The levels of artifact trees by name; no labels at all mean any depth."""

    name: str
    project: str
    level_labels: Mapping[str, str]
    created_at: datetime

    @property
    def labels(self) -> list[str]:
        """The labels from the root down."""
        return [self.level_labels[key] for key in sorted(self.level_labels, key=int)]

    def __str__(self) -> str:
        return visible(f"{self.name}: {' → '.join(self.labels) or 'any levels'}")


@dataclass(frozen=True)
class Content(Result):
    """The bytes of an artifact."""

    sha256: str
    size: int
    content_type: str


class Loader(Protocol):
    """The client that an artifact was read with."""

    def load_artifact(self, artifact: Artifact, *, to: Form | None, trusted: Trusted, into: Any) -> Any: ...


@dataclass(frozen=True)
class Artifact(Result):
    """A node: data, bytes where it has some (`content`), and the version that it stands for (project/model@number).

    `level_label` is None where its hierarchy has no labels, or where it was not asked for; `children` are there in a tree.
    """

    id: str
    parent_id: str | None
    level: int
    data: Mapping[str, Any]
    project: str
    hierarchy: str
    content: Content | None
    version: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    level_label: str | None = None
    children: tuple[Artifact, ...] = ()

    @property
    def label(self) -> str:
        """What people call it: the name or type in its data, else its level."""
        named = [self.data.get(key) for key in ("name", "title", "type")]
        return next((one for one in named if isinstance(one, str) and one), self.level_label or f"level {self.level}")

    def load(self, *, to: Form | None = None, trusted: Trusted = False, into: Any = None) -> Any:
        """Return the content as `lmvp.load_artifact` does, from the server that told of the artifact."""
        loader: Loader | None = vars(self).get("_loader")
        if loader is None:
            raise ValidationFailed(
                f"{self.id} was copied without its server. Load it: lmvp.load_artifact({self.id!r})."
            )
        return loader.load_artifact(self, to=to, trusted=trusted, into=into)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the client at home when the artifact is pickled: it holds connections, and may hold a token."""
        return {name: value for name, value in vars(self).items() if name != "_loader"}

    def tree(self) -> str:
        """Return it and all below it as an indented text."""
        return "\n".join(_lines(self, 0))

    def __str__(self) -> str:
        size = f", {bytes_text(self.content.size)}" if self.content else ""
        level = f"{self.level_label}: " if self.level_label and self.level_label != self.label else ""
        return visible(f"{self.id} {level}{self.label}{size}")


def _lines(artifact: Artifact, depth: int) -> list[str]:
    below = [line for child in artifact.children for line in _lines(child, depth + 1)]
    return [f"{'  ' * depth}{artifact}", *below]


@dataclass(frozen=True)
class Loadable:
    """Reads artifacts that load their content with this client. It is no field of theirs: they are values all the same."""

    loader: Loader

    def from_json(self, answer: Mapping[str, Any]) -> Artifact:
        """Read the server's JSON as `Artifact.from_json` does."""
        return self._known_to(Artifact.from_json(answer))

    def _known_to(self, artifact: Artifact) -> Artifact:
        vars(artifact)["_loader"] = self.loader
        for child in artifact.children:
            self._known_to(child)
        return artifact
