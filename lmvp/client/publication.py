"""A new version before it is sent: what the caller says of it, and the files that were read and checked. No HTTP."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmvp.client import files, measurements
from lmvp.client.errors import ValidationFailed
from lmvp.client.files import LocalFile
from lmvp.client.measurements import Metrics, Row
from lmvp.client.naming import ModelName
from lmvp.client.versions import LocalModel, Version

Source = str | LocalModel | Version  # what a version was made from


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

    @classmethod
    def read(cls, source: Any, said: Said, *, progress: bool | None) -> Publication:
        metrics = measurements.rows(said.metrics)
        origin = source if isinstance(source, LocalModel) else None
        path = origin.path if origin else _path_of(source)
        return cls(path, origin, files.found(path), said, metrics, progress)

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
            "derived_from": [_source_name(source) for source in said.derived_from] or None,
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
        if len(self.found) == 1:
            return f"Publish {next(iter(self.found))}"
        return f"Publish {len(self.found)} files from {self.path.resolve().name}"


def sources(derived_from: Source | Sequence[Source]) -> list[Source]:
    """Return what a version was made from as a list, given one alone or several."""
    if isinstance(derived_from, (str, LocalModel, Version)):
        return [derived_from]  # one alone
    return list(derived_from)


def _source_name(source: Source) -> str:
    """Return project/model@revision of what a new version was made from."""
    version = source.version if isinstance(source, LocalModel) else source
    return f"{version.name}@{version.number}" if isinstance(version, Version) else str(version)


def _path_of(source: Any) -> Path:
    if isinstance(source, str | os.PathLike):
        return Path(source).expanduser()
    raise ValidationFailed(
        f"A {type(source).__name__} cannot be published yet. Save it to a file and give its path, or give a LocalModel."
    )
