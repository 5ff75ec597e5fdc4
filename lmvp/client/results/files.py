"""Files of versions as the server tells of them, and what stands in their headers and cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmvp.client.results.reading import Result
from lmvp.client.tables import bytes_text, visible


@dataclass(frozen=True)
class FileEntry(Result):
    """A file or directory of a version (`type`); `version` is the one that brought it, None where nobody can tell."""

    path: str
    name: str
    type: str
    mode: str
    size: int
    digest: str
    version: int | None

    def __str__(self) -> str:
        return visible(f"{self.path} ({bytes_text(self.size)})")


@dataclass(frozen=True)
class Tensor(Result):
    """A tensor as a file's header tells of it; `begin` and `size` are bytes of the file, None where it does not tell."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    parameters: int
    begin: int | None
    size: int | None
    external: str | None = None

    def __str__(self) -> str:
        return visible(f"{self.name} {self.dtype} {list(self.shape)}")


@dataclass(frozen=True)
class TensorPage(Result):
    """Some of a file's tensors, from `offset` on; `count` tells of all."""

    count: int
    offset: int
    results: tuple[Tensor, ...]


@dataclass(frozen=True)
class FileHeader(Result):
    """What a model's file says of itself: parameters, data types, tensors, metadata."""

    path: str
    digest: str
    size: int
    format: str
    parameters: int | None
    dtypes: Mapping[str, Any]
    tensors: TensorPage
    metadata: Mapping[str, Any]
    metadata_cut: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return visible(f"{self.path}: {self.format}, {self.parameters} parameters, {self.tensors.count} tensors")


@dataclass(frozen=True)
class Card(Result):
    """The README.md of a version: its text, and the YAML before it; `problem` says why that could not be read."""

    path: str
    digest: str
    size: int
    text: str
    truncated: bool
    metadata: Mapping[str, Any]
    problem: str | None

    def __str__(self) -> str:
        return self.text
