"""Versions on their way to this machine."""

from __future__ import annotations

import os
import warnings

from lmvp.client import files, transfer
from lmvp.client.cache import Cache
from lmvp.client.calls.connection import Connected, Revision
from lmvp.client.errors import DeprecatedVersion
from lmvp.client.tables import visible
from lmvp.client.transfer import Fetching
from lmvp.client.versions import LocalModel


class Downloading(Connected):
    def download(
        self,
        name: str,
        *,
        revision: Revision = "latest",
        path: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> LocalModel:
        """Fetch a version's files, checked against their digests.

        Without `path` they are read-only and kept in the cache; with it they are written there, to be changed at will.
        Warns (DeprecatedVersion) of a version that should not be used any more.
        """
        directory = None if path is None else files.directory(path)
        model = self._names.resolve(name)
        version = self._fetched(model, revision)
        if version.deprecated:
            warnings.warn(f"{version} is deprecated: {visible(version.deprecated)}", DeprecatedVersion, stacklevel=2)
        pinned = model.version_path(version.digest)  # a branch may move on meanwhile
        wanted = transfer.list_files(self._session, pinned)
        cache = Cache()
        fetching = Fetching(self._session, pinned, wanted, cache, progress)
        if directory is None:
            directory = cache.snapshot(version.project, version.model, version.digest)
            fetching.into_cache(directory)
        else:
            fetching.into_directory(directory)
        return LocalModel(directory, version, [file.path for file in wanted])
