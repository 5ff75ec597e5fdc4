"""Versions on machines that serve them: a directory that follows an alias."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from lmvp.client.calls.connection import Revision
from lmvp.client.calls.downloading import Downloading
from lmvp.client.errors import LMVPError
from lmvp.client.served import INTERVAL, KEPT, Served
from lmvp.client.versions import LocalModel

LONGEST_PAUSE = 300.0


class Syncing(Downloading):
    def sync(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        revision: Revision = "production",
        keep: int = KEPT,
        progress: bool | None = None,
    ) -> LocalModel:
        """Let the directory `path` be a version, whole and checked, switched in one step by a symbolic link.

        A process that reads there sees one version or the other, never a mixture; `keep` earlier ones stay beside it
        for those that have begun to read. What is there already is checked, and mended where it is damaged.
        """
        place = Served(path)
        version = self._fetched(self._names.resolve(name), revision)
        with place.writing():
            with place.filling(version.digest) as directory:
                local = self.download(version.name, revision=version.digest, path=directory, progress=progress)
            place.switch(version.digest)
            place.tidy(keep=keep)
        return LocalModel(place.link, version, local.files)

    def follow(
        self,
        name: str,
        path: str | os.PathLike[str],
        *,
        revision: Revision = "production",
        interval: float = INTERVAL,
        keep: int = KEPT,
        trouble: Callable[[LMVPError, float], None] = lambda error, pause: None,
    ) -> Iterator[LocalModel]:
        """Keep the directory at whatever the revision names, for ever: `sync`, and again whenever it names another.

        Yields what stands there after each switch. What fails is told to `trouble`, with the seconds until the next
        attempt; meanwhile the directory stays as it is.
        """
        served, pause = "", interval
        while True:
            try:
                if served != self._fetched(self._names.resolve(name), revision).digest:
                    local = self.sync(name, path, revision=revision, keep=keep)
                    served = local.version.digest
                    yield local
                pause = interval
            except LMVPError as error:
                pause = min(max(interval, pause * 2), max(interval, LONGEST_PAUSE))
                trouble(error, pause)
            time.sleep(pause)
