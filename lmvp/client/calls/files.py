"""Files of a version without downloading all: listed, read, looked into; and the whole as one archive."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from lmvp.client import bodies
from lmvp.client.calls.connection import Connected, Revision, quoted
from lmvp.client.errors import NotFound
from lmvp.client.guessing import close_to
from lmvp.client.naming import ModelName
from lmvp.client.results.files import Card, FileEntry, FileHeader

T = TypeVar("T")


class Files(Connected):
    def files(
        self, name: str, revision: Revision = "latest", *, path: str = "", recursive: bool = True
    ) -> list[FileEntry]:
        """Return the files of a version, or those below a directory; not `recursive`: one directory's entries."""
        model = self._names.resolve(name)
        below = f"tree/{quoted(path.strip('/'))}" if path.strip("/") else "tree/"
        asked: dict[str, Any] = {"recursive": "true"} if recursive else {}
        return self._in_version(model, revision, path, lambda at: self._all(FileEntry, f"{at}{below}", **asked))

    def read_file(self, name: str, path: str, *, revision: Revision = "latest") -> bytes:
        """Return the bytes of one file. For large ones use `download`, which keeps them on the disk."""
        model = self._names.resolve(name)

        def read(at: str) -> bytes:
            with self._session.content(f"{at}files/{quoted(path)}") as response:
                return bodies.whole(response)

        return self._in_version(model, revision, path, read)

    def inspect(
        self, name: str, path: str, *, revision: Revision = "latest", offset: int = 0, limit: int = 1000
    ) -> FileHeader:
        """Return what the header of a safetensors, GGUF, ONNX or NumPy file says: tensors, shapes, metadata."""
        model = self._names.resolve(name)
        params = {"offset": offset, "limit": limit}
        place = f"inspect/{quoted(path)}"
        return self._in_version(
            model, revision, path, lambda at: self._ask(FileHeader, "GET", f"{at}{place}", params=params)
        )

    def card(self, name: str, revision: Revision = "latest") -> Card:
        """Return the card of a version, its README.md. NotFound (code no_card) when it has none."""
        model = self._names.resolve(name)
        with self._names.explained(model, revision):
            return self._ask(Card, "GET", f"{model.version_path(revision)}card/")

    def download_archive(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        revision: Revision = "latest",
        format: Literal["zip", "tar"] = "zip",
    ) -> Path:
        """Write all files of a version into one archive at the path; return it."""
        model = self._names.resolve(name)
        address, params = f"{model.version_path(revision)}archive/", {"format": format}
        with self._names.explained(model, revision), self._session.content(address, params=params) as response:
            return bodies.into(response, path)

    def _in_version(self, model: ModelName, revision: Revision, path: str, read: Callable[[str], T]) -> T:
        """Read something at a path of a version; where it is not there, say whether the version or the path is missing."""
        try:
            return read(model.version_path(revision))
        except NotFound as error:
            version = self._fetched(model, revision)
            known = [one.path for one in self._all(FileEntry, f"{model.version_path(version.digest)}tree/")]
            raise error.saying(
                f"{version} has no “{path}”.{close_to(path, known)} List its files: "
                f"lmvp.files({version.name!r}, {version.number}) / `lmvp files {version.name}@{version.number}`."
            ) from error
