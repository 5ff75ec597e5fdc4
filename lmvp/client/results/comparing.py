"""What became of a version on the way to another: files, metadata, metrics, lines, tensors; and several side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lmvp.client import notebook
from lmvp.client.results.reading import Result
from lmvp.client.tables import bytes_text, number, table, value_text, visible, visible_lines

HEAD = ("what", "name", "before", "after", "change")


@dataclass(frozen=True)
class FileState(Result):
    """A file on one side of a comparison."""

    digest: str
    size: int
    mode: str

    def __str__(self) -> str:
        return f"{bytes_text(self.size)} ({self.digest[:12]})"


@dataclass(frozen=True)
class FileChange(Result):
    """A file that came, went, changed, or moved from `former_path`; None: it is not there on that side."""

    path: str
    former_path: str | None = None
    before: FileState | None = None
    after: FileState | None = None


@dataclass(frozen=True)
class FileChanges(Result):
    """What became of files; at most 1,000 of each kind, `count` tells of all."""

    added: tuple[FileChange, ...]
    removed: tuple[FileChange, ...]
    changed: tuple[FileChange, ...]
    renamed: tuple[FileChange, ...]
    count: Mapping[str, int]

    def rows(self) -> Iterator[list[str]]:
        for kind in ("added", "removed", "changed", "renamed"):
            for one in getattr(self, kind):
                name = f"{one.former_path} → {one.path}" if one.former_path else one.path
                yield ["file", name, str(one.before or ""), str(one.after or ""), kind]
            if left := self.count.get(kind, 0) - len(getattr(self, kind)):
                yield ["file", f"{left} more", "", "", kind]


@dataclass(frozen=True)
class MetadataChanges(Result):
    """Keys of the metadata that came, went or changed ({"before": …, "after": …})."""

    added: Mapping[str, Any]
    removed: Mapping[str, Any]
    changed: Mapping[str, Any]

    def rows(self) -> Iterator[list[str]]:
        for key, value in self.added.items():
            yield ["metadata", key, "", value_text(value), "added"]
        for key, value in self.removed.items():
            yield ["metadata", key, value_text(value), "", "removed"]
        for key, value in self.changed.items():
            sides = value if isinstance(value, dict) else {}
            yield ["metadata", key, value_text(sides.get("before")), value_text(sides.get("after")), "changed"]


@dataclass(frozen=True)
class MetricChange(Result):
    """A metric of either version; `delta` is after − before where both are numbers."""

    name: str
    before: float | str | None
    after: float | str | None
    delta: float | None

    def row(self) -> list[str]:
        sign = "+" if self.delta and self.delta > 0 else ""
        change = "" if self.delta is None else f"{sign}{number(self.delta)}"
        return ["metric", self.name, value_text(self.before), value_text(self.after), change]


@dataclass(frozen=True)
class Side(Result):
    """One of the two versions that are compared."""

    number: int
    digest: str
    deprecated: str | None = None


@dataclass(frozen=True)
class Comparison(Result):
    """What became of one version (`base`) on the way to another (`head`). Printed, it is a table."""

    base: Side
    head: Side
    files: FileChanges
    metadata: MetadataChanges
    metrics: tuple[MetricChange, ...]

    @property
    def title(self) -> str:
        return f"v{self.base.number} → v{self.head.number}"

    def rows(self) -> list[list[str]]:
        """Return a row for each metric, metadata key and file: what, name, before, after, change."""
        return [*(one.row() for one in self.metrics), *self.metadata.rows(), *self.files.rows()]

    def __str__(self) -> str:
        rows = self.rows()
        return f"{self.title}\n{table(HEAD, rows)}" if rows else f"{self.title}: nothing differs."

    def _repr_html_(self) -> str:
        return notebook.table_html(HEAD, self.rows(), caption=self.title)


@dataclass(frozen=True)
class TensorKind(Result):
    """The data type and shape of a tensor."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


@dataclass(frozen=True)
class NamedTensor(TensorKind):
    name: str


@dataclass(frozen=True)
class TensorChange(Result):
    """A tensor that changed; `differs` says in what: dtype, shape, bytes."""

    name: str
    differs: tuple[str, ...]
    before: TensorKind
    after: TensorKind


@dataclass(frozen=True)
class TensorChanges(Result):
    """Tensors that came, went or changed; at most 1,000 of each kind, `count` tells of all."""

    added: tuple[NamedTensor, ...]
    removed: tuple[NamedTensor, ...]
    changed: tuple[TensorChange, ...]
    count: Mapping[str, int]

    def rows(self) -> list[list[str]]:
        return [
            *(["added", one.name, "", str(one)] for one in self.added),
            *(["removed", one.name, str(one), ""] for one in self.removed),
            *([", ".join(one.differs), one.name, str(one.before), str(one.after)] for one in self.changed),
        ]


@dataclass(frozen=True)
class FileComparison(Result):
    """What became of one file. `kind` says what could be compared: text (`diff`), tensors, too_large or binary."""

    path: str
    former_path: str | None
    before: FileState | None
    after: FileState | None
    kind: str
    diff: str | None = None
    additions: int | None = None
    deletions: int | None = None
    format: str | None = None
    bytes_compared: bool | None = None
    tensors: TensorChanges | None = None

    def __str__(self) -> str:
        if self.diff is not None:
            return visible_lines(self.diff)
        if self.tensors and (rows := self.tensors.rows()):
            return table(["change", "tensor", "before", "after"], rows)
        if self.tensors:
            return f"{visible(self.path)}: no tensor differs."
        return f"{visible(self.path)} ({self.kind}): {self.before or 'not there'} → {self.after or 'not there'}"


@dataclass(frozen=True)
class Column(Result):
    """A version beside others."""

    number: int
    digest: str
    title: str
    author: str
    created_at: datetime
    refs: tuple[Mapping[str, Any], ...]
    files: Mapping[str, Any]
    deprecated: str | None


@dataclass(frozen=True)
class MetricRow(Result):
    """A metric in each of the versions, None where one has it not."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class MetadataRow(Result):
    """A metadata key (`optimizer.lr` where it is nested) in each of the versions, None where one has it not."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class SideBySide(Result):
    """Several versions as columns, their metrics and metadata as rows. Printed, it is a table."""

    versions: tuple[Column, ...]
    metrics: tuple[MetricRow, ...]
    metadata: tuple[MetadataRow, ...]
    count: Mapping[str, int] = field(default_factory=dict)

    def head(self) -> list[str]:
        return ["", *(f"v{one.number}" for one in self.versions)]

    def rows(self) -> list[list[str]]:
        named = [*((one.name, one.values) for one in self.metrics), *((one.key, one.values) for one in self.metadata)]
        return [[name, *map(value_text, values)] for name, values in named]

    def __str__(self) -> str:
        return table(self.head(), self.rows())

    def _repr_html_(self) -> str:
        return notebook.table_html(self.head(), self.rows())
