"""A new version before it is sent: what the caller says of it, and the files that were read and checked. No HTTP."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmvp.client import files, formats, measurements
from lmvp.client.files import LocalFile
from lmvp.client.formats import Kept
from lmvp.client.measurements import Metrics, Row
from lmvp.client.naming import ModelName
from lmvp.client.versions import LocalModel, Version

Source = str | LocalModel | Version  # what a version was made from
Given = str | os.PathLike[str] | LocalModel | Kept  # what a version is made of


@dataclass(frozen=True)
class Said:
    """What the caller says about a new version."""

    message: str | None
    branch: str
    parent: str | int | None
    metrics: Metrics | None
    metadata: Mapping[str, Any] | None
    alias: str | None
    tag: str | None
    derived_from: Sequence[Source]


@dataclass(frozen=True)
class Publication:
    """A new version: the files that are found, and what is said of them, checked here before a single byte is sent."""

    path: Path
    origin: LocalModel | None
    found: Mapping[str, Path]  # path in the version: file
    said: Said
    metrics: list[Row]
    progress: bool | None
    kept: str | None = None

    @classmethod
    def read(cls, source: Given, said: Said, *, progress: bool | None) -> Publication:
        metrics = measurements.rows(said.metrics)
        origin = source if isinstance(source, LocalModel) else None
        path = _path_of(source)
        kept = source.title if isinstance(source, Kept) else None
        return cls(path, origin, files.found(path), said, metrics, progress, kept)

    def body(self, model: ModelName, local: Sequence[LocalFile]) -> dict[str, Any]:
        """Return what the server is asked to make a version of."""
        said = self.said
        body = {
            "message": said.message or self._default_message(),
            "branch": said.branch,
            "parent": self._head(model) if said.parent is None else str(said.parent),
            "files": [{"path": file.path, "sha256": file.sha256} for file in local],
            "base": "empty",
            "metrics": self.metrics,
            "metadata": dict(said.metadata or {}),
            "alias": said.alias,
            "tag": said.tag,
            "derived_from": [source_name(source) for source in said.derived_from] or None,
        }
        return {key: value for key, value in body.items() if value is not None}

    def note(self, version: Version) -> None:
        """Let the LocalModel stand where it now is, so that it can be published again."""
        if self.origin:
            self.origin.version, self.origin.files = version, list(self.found)

    def _head(self, model: ModelName) -> str | None:
        """Return the version that the files came from, if it was this branch's newest then."""
        version = self.origin.version if self.origin else None
        if version and version.name.lower() == str(model).lower() and version.is_head_of(self.said.branch):
            return version.digest
        return None

    def _default_message(self) -> str:
        if self.kept:
            return f"Publish {self.kept}"
        if len(self.found) == 1:
            return f"Publish {next(iter(self.found))}"
        return f"Publish {len(self.found)} files from {self.path.resolve().name}"


def sources(derived_from: Source | Sequence[Source]) -> list[Source]:
    """Return what a version was made from as a list, given one alone or several."""
    if isinstance(derived_from, (str, LocalModel, Version)):
        return [derived_from]  # one alone
    return list(derived_from)


def source_name(source: Source) -> str:
    """Return project/model@revision of what a new version was made from."""
    version = source.version if isinstance(source, LocalModel) else source
    return f"{version.name}@{version.number}" if isinstance(version, Version) else str(version)


@contextlib.contextmanager
def as_files(source: Any) -> Iterator[Given]:
    """Give a path or a LocalModel as it is, and any other object as files, which are there until the block ends."""
    if isinstance(source, str | os.PathLike | LocalModel):
        yield source
    else:
        with formats.kept(source) as kept:
            yield kept


def _path_of(source: Given) -> Path:
    return source.path if isinstance(source, LocalModel | Kept) else Path(source).expanduser()
