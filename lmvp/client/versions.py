"""What the server tells us, as values: Version, History, and LocalModel, a version's files on this machine. No HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from lmvp.client import formats, notebook
from lmvp.client.errors import NotFound
from lmvp.client.graph import drawn
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
    """An immutable commit of one registered model. `parents` are numbers, the first one first; `metrics` has the latest value of each name; `size` is in bytes."""

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
    parents: tuple[int, ...]
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
            parents=tuple(int(parent["number"]) for parent in answer["parents"]),
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
    """Versions, newest first. Printed, it is a table; that of one model has the graph of its lines beside it."""

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
        metrics = list(dict.fromkeys(name for version in self for name in version.metrics))[:METRIC_COLUMNS]
        head = ["version", "when", "author", "refs", *metrics, "message"]
        if len({version.name for version in self}) > 1:
            return f"{self.name}\n{table(['model', *head], [[v.model, *_row(v, metrics)] for v in self])}"
        return f"{self.name}\n{table(['', *head], self._beside_their_graph(metrics))}"

    def _beside_their_graph(self, metrics: Sequence[str]) -> list[list[str]]:
        """Return a row for each version of one model, and for what their lines do in between."""
        versions = {version.number: version for version in self}
        parents = {number: version.parents for number, version in versions.items()}
        in_order = list(parents) == sorted(parents, reverse=True)
        rows = drawn(parents) if in_order else [("", number) for number in parents]
        empty = [""] * (len(metrics) + 5)
        return [[lines, *(_row(versions[at], metrics) if at else empty)] for lines, at in rows]


def _row(version: Version, metrics: Sequence[str]) -> list[str]:
    title = version.title
    return [
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

    def load(self, path: str | None = None, *, trusted: bool | Sequence[str] = False, into: Any = None) -> Any:
        """Return the object that was published, or a file as what it is: arrays for .npz, JSON, text …

        A PyTorch module comes back as its state dict, or is loaded into the module `into`. NotTrusted where loading may
        run code in the file: `trusted` is True, or for skops the list of the types that it may make.
        """
        record = formats.Record.read(self.path, self.files)
        name = path or (record.file if record else self._only_file())
        kept = record if record and record.file == name else None
        return formats.load(self._place(name), trusted=trusted, into=into, record=kept)

    def _place(self, name: str) -> Path:
        """Return where a file stands, or a directory of files that is one object."""
        if any(file.startswith(f"{name}/") for file in self.files):
            return self.path / name
        return self.file(name)

    def _only_file(self) -> str:
        loadable = [name for name in self.files if formats.is_known(name)]
        if len(loadable) == 1:
            return loadable[0]
        if len(self.files) == 1:
            return self.files[0]
        raise NotFound(f"Name the file to load: .load(path). {self.version} has: {_listed(self.files)}.")

    def __str__(self) -> str:
        return f"{self.version} in {self.path}"


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
