"""What a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lmvp.client.results.reading import Result
from lmvp.client.tables import visible


@dataclass(frozen=True)
class SearchResult(Result):
    """A project, model, version or file (`type`); None is what its type has not. `version` is a number."""

    type: str
    name: str
    project: str
    url: str
    model: str | None = None
    version: int | None = None
    path: str | None = None
    digest: str | None = None
    size: int | None = None
    title: str | None = None
    author: str | None = None
    created_at: datetime | None = None
    deprecated: str | None = None

    @property
    def place(self) -> str:
        """What to hand on to `download` and the like: project, project/model or project/model@number."""
        model = f"/{self.model}" if self.model else ""
        return f"{self.project}{model}{'' if self.version is None else f'@{self.version}'}"

    def __str__(self) -> str:
        return visible(f"{self.type} {self.name} in {self.place}")
