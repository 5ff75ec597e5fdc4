"""The file `lmvp.json` of a version that was published from an object: how it is kept. It lies beside the object, so
that it comes along with every download, archive and copy, and can be read without a server.

{"lmvp": 1, "format": "skops", "file": "model.skops", "object": "sklearn.pipeline.Pipeline",
 "versions": {"python": "3.12.1", "scikit-learn": "1.9.1"}, "details": {}}
"""

from __future__ import annotations

import json
import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmvp.client.errors import LocalFileError
from lmvp.client.files import reading
from lmvp.client.formats import libraries
from lmvp.client.formats.format import Format

RECORD = "lmvp.json"
LARGEST = 64 * 1024  # bytes


@dataclass(frozen=True)
class Record:
    """How the object of a version is kept. Somebody else may have written it: believed only where it can do no harm."""

    format: str
    file: str
    object: str
    versions: Mapping[str, str]
    details: Mapping[str, Any]

    @classmethod
    def of(cls, obj: Any, kept_in: Format, details: Mapping[str, Any] | None) -> Record:
        kind = type(obj)
        versions = {"python": platform.python_version(), **libraries.versions(kept_in.libraries)}
        return cls(kept_in.name, kept_in.file, f"{kind.__module__}.{kind.__qualname__}", versions, dict(details or {}))

    def write(self, directory: Path) -> None:
        text = json.dumps({"lmvp": 1, **vars(self)}, indent=1, sort_keys=True, ensure_ascii=False)
        (directory / RECORD).write_text(f"{text}\n", "utf-8")

    @classmethod
    def read(cls, directory: Path, files: Collection[str]) -> Record | None:
        """Return the record among the files of a version; None where there is none, or another file of that name."""
        if RECORD not in files:
            return None
        content = _content(directory / RECORD)
        if not isinstance(content, dict) or "lmvp" not in content:
            return None
        values = [content.get(name) for name in ("format", "file", "object", "versions", "details")]
        if content["lmvp"] != 1 or not all(map(isinstance, values, (str, str, str, dict, dict))):
            raise LocalFileError(
                f"{directory / RECORD} cannot be understood: it is damaged, or a newer client wrote it. "
                "Install the newest client, or name the file to load: .load(path)."
            )
        return cls(*values)  # type: ignore[arg-type]


def _content(path: Path) -> Any:
    with reading(path), path.open("rb") as file:
        text = file.read(LARGEST + 1)
    if len(text) > LARGEST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
