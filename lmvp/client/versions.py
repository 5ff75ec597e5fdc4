"""What the server tells us, as values: Version, History, and LocalModel, a version's files on this machine. No HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from lmvp.client import formats, notebook
from lmvp.client.errors import NotFound
from lmvp.client.results.reading import Result
from lmvp.client.tables import moment, number, table, when

METRIC_COLUMNS = 4
TITLE_WIDTH = 60


@dataclass(frozen=True)
class Ref:
    """A name for a version: `kind` is branch, tag or alias."""

    kind: str
    name: str


@dataclass(frozen=True)
class Version:
    """An immutable commit of one registered model. `metrics` has the latest value of each name; `size` is in bytes."""

    project: str
    model: str
    number: int
    digest: str
    branch: str
    author: str
    message: str
    metadata: Mapping[str, Any]
    metrics: Mapping[str, float | str]
    refs: tuple[Ref, ...]
    created_at: datetime
    files_count: int
    size: int
    deprecated: str | None
    url: str

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Version:
        """Read the server's JSON; KeyError, TypeError or ValueError where it is something else."""
        return cls(
            project=answer["project"],
            model=answer["model"],
            number=int(answer["number"]),
            digest=answer["digest"],
            branch=answer["branch"],
            author=answer["author"],
            message=answer["message"],
            metadata=dict(answer["metadata"]),
            metrics=dict(answer["metrics"]),
            refs=tuple(Ref(ref["kind"], ref["name"]) for ref in answer["refs"]),
            created_at=moment(answer["created_at"]),
            files_count=int(answer["files"]["count"]),
            size=int(answer["files"]["size"]),
            deprecated=answer.get("deprecated"),
            url=answer.get("url", ""),
        )

    @property
    def name(self) -> str:
        return f"{self.project}/{self.model}"

    @property
    def title(self) -> str:
        return self.message.partition("\n")[0]

    def is_head_of(self, branch: str) -> bool:
        """Whether it was the branch's newest version when the server told us of it."""
        return Ref("branch", branch) in self.refs

    def __str__(self) -> str:
        return f"{self.name} v{self.number} ({self.digest[:12]})"


@dataclass(frozen=True)
class Move(Result):
    """One move of a branch, tag or alias. The numbers are of versions; None: there was none before, or it was deleted.

    `rollback`: it took another move back.
    """

    KEYS: ClassVar[Mapping[str, str]] = {"from_number": "from", "to_number": "to"}

    from_number: int | None
    to_number: int | None
    actor: str
    comment: str
    at: datetime
    rollback: bool = False


class History(list[Version]):
    """Versions, newest first. Printed, it is a table."""

    def __init__(self, name: str, versions: Iterable[Version] = ()) -> None:
        super().__init__(versions)
        self.name = name

    def _repr_html_(self) -> str:
        return notebook.history_html(self)

    def plot(self, metric: str) -> Any:
        """Draw a metric over the versions that have it as a number, with matplotlib or plotly; return the figure."""
        return notebook.history_plot(self, metric)

    def __repr__(self) -> str:
        return f"<History of {self.name}: {len(self)} version{'' if len(self) == 1 else 's'}>"

    def __str__(self) -> str:
        if not self:
            return (
                f"{self.name} has no versions yet. Make the first: "
                f"lmvp.publish({self.name!r}, path) / `lmvp publish {self.name} PATH`"
            )
        several = len({version.name for version in self}) > 1
        metrics = list(dict.fromkeys(name for version in self for name in version.metrics))[:METRIC_COLUMNS]
        head = [*(["model"] if several else []), "version", "when", "author", "refs", *metrics, "message"]
        return f"{self.name}\n{table(head, [_row(version, metrics, several=several) for version in self])}"


def _row(version: Version, metrics: Sequence[str], *, several: bool) -> list[str]:
    title = version.title
    return [
        *([version.model] if several else []),
        f"v{version.number}",
        when(version.created_at),
        version.author,
        ", ".join(ref.name for ref in version.refs),
        *(number(version.metrics.get(name, "")) for name in metrics),
        title if len(title) <= TITLE_WIDTH else title[: TITLE_WIDTH - 1] + "…",
    ]


@dataclass
class LocalModel:
    """A version's files on this machine: `path` is their directory, `files` the paths inside it."""

    path: Path
    version: Version
    files: list[str] = field(default_factory=list)

    def file(self, path: str) -> Path:
        """Return where one of its files stands; NotFound lists what there is."""
        if path not in self.files:
            raise NotFound(f"{self.version} has no file “{path}”. It has: {_listed(self.files)}.")
        return self.path / path

    def load(self, path: str | None = None) -> Any:
        """Read a file as what it is: arrays by name for .npz, an array for .npy, JSON, text. Runs no code in it."""
        return formats.load(self.file(path) if path else self._only_file())

    def _only_file(self) -> Path:
        loadable = [name for name in self.files if formats.is_known(name)]
        if len(loadable) == 1:
            return self.path / loadable[0]
        if len(self.files) == 1:
            return self.path / self.files[0]
        raise NotFound(f"Name the file to load: .load(path). {self.version} has: {_listed(self.files)}.")

    def __str__(self) -> str:
        return f"{self.version} in {self.path}"


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
