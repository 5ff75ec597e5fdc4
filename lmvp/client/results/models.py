"""Registered models, their retention rules, and what stands in the trash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lmvp.client.results.reading import Result
from lmvp.client.tables import bytes_text, visible, when


@dataclass(frozen=True)
class Latest(Result):
    """The newest version of the default branch, in short."""

    number: int
    digest: str
    message: str
    author: str
    created_at: datetime


@dataclass(frozen=True)
class RegisteredModel(Result):
    """A named line of versions. `versions` is the number of the newest; `aliases` gives each alias's version number."""

    project: str
    name: str
    kind: str
    description: str
    default_branch: str
    versions: int
    latest: Latest | None
    aliases: Mapping[str, int]
    created_at: datetime
    url: str

    def __str__(self) -> str:
        return visible(f"{self.project}/{self.name}")


@dataclass(frozen=True)
class WouldTrash(Result):
    """What a rule would put into the trash now; `bytes` counts files that other versions share too."""

    versions: int
    bytes: int


@dataclass(frozen=True)
class RetentionRule(Result):
    """Which versions of a model are kept: the newest `keep_last`, and those younger than `keep_days`."""

    keep_last: int | None
    keep_days: int | None
    set_by: str
    set_at: datetime
    would_trash: WouldTrash

    def __str__(self) -> str:
        kept = [f"the newest {self.keep_last}"] if self.keep_last else []
        kept += [f"those of the last {self.keep_days} days"] if self.keep_days else []
        now = f"{self.would_trash.versions} versions ({bytes_text(self.would_trash.bytes)})"
        return f"Kept are {' and '.join(kept)}; it would trash {now} now."


@dataclass(frozen=True)
class TrashEntry(Result):
    """A project, model or version that was deleted, and can be taken back so long. `trashed_by` None: by a rule."""

    kind: str
    name: str
    trashed_by: str | None
    trashed_at: datetime
    until: datetime
    number: int | None = None
    digest: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        return visible(f"{self.name} (until {when(self.until)})")
