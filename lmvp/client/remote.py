"""Files of a version on the server: their paths, digests and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from lmvp.client.http import Session

HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a version on the server: its path in the version, its digest and size."""

    path: str
    sha256: str
    size: int

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> RemoteFile:
        """Read an entry of a tree; KeyError, TypeError or ValueError for something else."""
        return cls(str(entry["path"]), checked_digest(entry["digest"]), int(entry["size"]))

    @property
    def quoted(self) -> str:
        return quote(self.path)


def list_files(session: Session, version_path: str) -> list[RemoteFile]:
    """Return all files of a version. `version_path` is the version's API path."""
    with session.understood():
        entries = session.pages(f"{version_path}tree/", recursive="true", page_size=200)
        return [RemoteFile.from_json(entry) for entry in entries if entry["type"] == "file"]


def checked_digest(text: str) -> str:
    """Refuse what is no SHA-256: it becomes a file name in the cache."""
    if len(text) != 64 or not set(text) <= HEX:
        raise ValueError(f"{text!r} is not a SHA-256")
    return text
