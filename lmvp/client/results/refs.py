"""Names of versions as they stand: branches, tags, aliases; and what one stood for at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lmvp.client.results.reading import Result
from lmvp.client.tables import visible
from lmvp.client.versions import Move


@dataclass(frozen=True)
class StandingRef(Result):
    """A branch, tag or alias (`kind`), and the version that it names: its number and digest."""

    kind: str
    name: str
    version: int
    digest: str
    deprecated: str | None
    protected: bool
    updated_at: datetime

    def __str__(self) -> str:
        return visible(f"{self.name} → v{self.version} ({self.digest[:12]})")


@dataclass(frozen=True)
class Branch(StandingRef):
    """A name that moves with new versions."""


@dataclass(frozen=True)
class Tag(StandingRef):
    """A name that does not move."""


@dataclass(frozen=True)
class Materialised(Result):
    """What the server's disk shows of an active alias: the version's number, the path below its root, since when."""

    version: int
    path: str
    at: datetime


@dataclass(frozen=True)
class Alias(StandingRef):
    """A name that is moved on purpose; an active one stands as files on the server."""

    active: bool
    materialised: Materialised | None


@dataclass(frozen=True)
class PastRef(Result):
    """What a name stood for at a time, and the move that had put it there; None: it named nothing then."""

    kind: str
    name: str
    time: datetime
    version: int | None
    digest: str | None
    move: Move | None

    def __str__(self) -> str:
        return visible(f"{self.name} → {'nothing' if self.version is None else f'v{self.version}'}")
