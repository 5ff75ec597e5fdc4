"""A directory that a serving process reads: always one whole version, changed in one step. Knows no server.

<parent>/<name>             a symbolic link to one of
<parent>/.<name>.lmvp/      <version digest>/…   whole versions: a directory gets this name when all its files are there
                            <digest>.part/…      one that is being filled
                            lock                 one writer at a time
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from lmvp.client.errors import LocalFileError
from lmvp.client.locks import locked

INTERVAL = 30.0  # seconds between two looks at the alias
KEPT = 1  # version that was served before: processes that have it open go on reading


class Served:
    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.link = Path(os.path.abspath(Path(path).expanduser()))
        self.store = self.link.parent / f".{self.link.name}.lmvp"

    def current(self) -> str | None:
        """Return the digest of the version that stands there, or None."""
        if not self.link.is_symlink():
            return None
        target = Path(os.readlink(self.link))
        return target.name if target.parent.name == self.store.name else None

    def version(self, digest: str) -> Path:
        """Return where a version's files are kept."""
        return self.store / digest

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the place against other writers; LocalFileError where something that is not ours stands in the way."""
        with self._explained():
            self._clear_the_way()
            self.store.mkdir(parents=True, exist_ok=True)
            with locked(self.store / "lock"):
                yield

    def _clear_the_way(self) -> None:
        if self.link.is_symlink():
            if self.current() is None:
                raise LocalFileError(f"{self.link} is a link to {os.readlink(self.link)}. Give another directory.")
        elif self.link.is_dir() and not any(self.link.iterdir()):
            self.link.rmdir()
        elif self.link.exists():
            raise LocalFileError(
                f"{self.link} is there already, and was not made by `lmvp sync`. Give another directory, or move it away."
            )

    @contextlib.contextmanager
    def filling(self, digest: str) -> Iterator[Path]:
        """Give the directory to fill: it becomes the version's when all went well; begun ones are gone on with."""
        whole = self.version(digest)
        if whole.is_dir():
            yield whole  # its files are compared, and mended where they are not what was published
            return
        part = self.store / f"{digest}.part"
        yield part
        part.rename(whole)

    def switch(self, digest: str) -> None:
        """Let the link lead to this version, in one step."""
        draft = self.link.with_name(f".{self.link.name}.{uuid.uuid4().hex}")
        try:
            draft.symlink_to(Path(self.store.name) / digest, target_is_directory=True)
            draft.replace(self.link)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    def tidy(self, *, keep: int) -> None:
        """Delete what is no longer served, but the `keep` versions that were served last."""
        others = [one for one in self.store.iterdir() if one.is_dir() and one.name != self.current()]
        whole = sorted((one for one in others if one.suffix != ".part"), key=lambda one: one.stat().st_mtime)
        parts = [one for one in others if one.suffix == ".part"]
        for one in [*parts, *whole[: max(0, len(whole) - keep)]]:
            shutil.rmtree(one)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LocalFileError(
                f"Cannot write {self.link}: {error.strerror or error}. Free some space, change the rights, or give "
                "another directory; on Windows, links need the developer mode or an administrator."
            ) from error
