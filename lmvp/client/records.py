"""What the server has told of versions, kept beside their bytes: for days without it, and not to ask twice.

<root>/versions/<version digest>   its JSON and the list of its files; both never change
<root>/refs/<sha256 of server, name and revision>   the digest that this meant when it was last asked

Each file begins with the SHA-256 of the rest: a damaged one is none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmvp.client import files
from lmvp.client.remote import RemoteFile, checked_digest
from lmvp.client.versions import Version

PREFIX = 7  # digits of a digest that may stand for it


@dataclass(frozen=True)
class Record:
    """A version as the server told of it, and its files. `used_at`: seconds, when it was last downloaded."""

    answer: Mapping[str, Any]
    files: Sequence[RemoteFile]
    used_at: float = 0.0

    @property
    def version(self) -> Version:
        return Version.from_json(self.answer)

    @property
    def digest(self) -> str:
        return str(self.answer["digest"])

    @property
    def size(self) -> int:
        return sum({file.sha256: file.size for file in self.files}.values())


class Records:
    def __init__(self, root: Path) -> None:
        self._versions = root / "versions"
        self._refs = root / "refs"

    def keep(self, record: Record, *, server: str, names: Sequence[str], revision: str) -> None:
        """Remember a version, and that this revision of a model of these names means it now; it has been used now."""
        _write(
            self._versions / record.digest,
            {
                "version": record.answer,
                "files": [{"path": one.path, "digest": one.sha256, "size": one.size} for one in record.files],
            },
        )
        for name in names:
            for one in {revision, str(record.answer["number"])}:
                ref = {"server": server, "name": name, "revision": one, "digest": record.digest}
                _write(self._refs / _key(server, name, one), ref)

    def find(self, *, server: str, name: str, revision: str) -> Record | None:
        """Return the version that this meant when it was last asked, or that has this digest."""
        ref = _read(self._refs / _key(server, name, revision))
        if ref is not None and ref.get("revision") == _normal(revision):
            return self.of(str(ref["digest"]))
        if len(revision) < PREFIX:
            return None
        fitting = [one for one in self.all() if one.digest.startswith(revision.lower()) and _is_named(one, name)]
        return fitting[0] if len(fitting) == 1 else None

    def of(self, digest: str) -> Record | None:
        """Return what is known of a version by its digest."""
        path = self._versions / checked_digest(digest)
        content = _read(path)
        if content is None or content["version"]["digest"] != digest:
            return None
        return Record(content["version"], [RemoteFile.from_json(one) for one in content["files"]], path.stat().st_mtime)

    def all(self) -> Iterator[Record]:
        """Yield every version that is known."""
        for path in sorted(self._versions.glob("?" * 64)):
            with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
                if record := self.of(path.name):
                    yield record

    def forget(self, digest: str) -> None:
        """Forget a version; refs that mean it find nothing then."""
        with files.writing(self._versions):
            (self._versions / digest).unlink(missing_ok=True)

    def forget_lost_refs(self) -> None:
        """Forget the refs whose versions are not known."""
        for path in self._refs.glob("?" * 64):
            ref = _read(path)
            if ref is None or not (self._versions / str(ref["digest"])).exists():
                with files.writing(path):
                    path.unlink(missing_ok=True)


def _key(server: str, name: str, revision: str) -> str:
    return hashlib.sha256(f"{server}\n{name.lower()}\n{_normal(revision)}".encode()).hexdigest()


def _normal(revision: str) -> str:
    """Return a number in its one spelling: v3 is 3."""
    return revision[1:] if revision[:1] == "v" and revision[1:].isdecimal() else revision


def _is_named(record: Record, name: str) -> bool:
    full = f"{record.answer['project']}/{record.answer['model']}".lower()
    return name.lower() in (full, full.partition("/")[2])


def _write(path: Path, content: Mapping[str, Any]) -> None:
    body = json.dumps(content, ensure_ascii=False)
    with files.replacing(path) as draft:
        draft.write_text(f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}", "utf-8", newline="\n")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        digest, _, body = path.read_text("utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    if hashlib.sha256(body.encode()).hexdigest() != digest:
        return None
    content: dict[str, Any] = json.loads(body)
    return content


def touch(path: Path) -> None:
    """Note that a file has been used now."""
    with contextlib.suppress(OSError):
        os.utime(path)
