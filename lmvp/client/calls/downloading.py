"""Versions on their way to this machine, or from its cache."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from lmvp.client import files, remote
from lmvp.client.cache import Cache
from lmvp.client.calls.connection import Connected, Revision
from lmvp.client.errors import ConnectionFailed, DeprecatedVersion, LMVPError, Offline
from lmvp.client.fetching import Fetching
from lmvp.client.naming import ModelName
from lmvp.client.patience import may_pass
from lmvp.client.records import Record, Records
from lmvp.client.tables import visible, when_of
from lmvp.client.versions import LocalModel, Version


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
        Offline, what the cache has of a revision that was downloaded before is given. Warns (DeprecatedVersion) of a
        version that should not be used any more.
        """
        directory = None if path is None else files.directory(path)
        cache = Cache()
        known = Records(cache.root)
        if self._session.is_offline:
            return self._from_cache(cache, known, name, revision, directory, progress)
        try:
            model = self._names.resolve(name)
            record = self._record(known, model, revision)
            version = record.version
            if version.deprecated:
                warnings.warn(
                    f"{version} is deprecated: {visible(version.deprecated)}", DeprecatedVersion, stacklevel=2
                )
            local = self._local(cache, model, record, directory, progress)
        except LMVPError as error:
            raise self._with_way_out(known, name, revision, error) from error
        known.keep(record, server=self.server, names=[name, str(model)], revision=str(revision))
        return local

    def _record(self, known: Records, model: ModelName, revision: Revision) -> Record:
        with self._names.explained(model, revision):
            answer = self._session.call("GET", model.version_path(revision))
        with self._session.understood():
            digest = Version.from_json(answer).digest  # a branch may move on meanwhile
            before = known.of(digest)
        return Record(answer, before.files if before else remote.list_files(self._session, model.version_path(digest)))

    def _local(
        self, cache: Cache, model: ModelName, record: Record, directory: Path | None, progress: bool | None
    ) -> LocalModel:
        version = record.version
        fetching = Fetching(self._session, model.version_path(version.digest), record.files, cache, progress)
        if directory is None:
            directory = cache.snapshot(version.project, version.model, version.digest)
            fetching.into_cache(directory)
        else:
            fetching.into_directory(directory)
        return LocalModel(directory, version, [file.path for file in record.files])

    def _from_cache(
        self, cache: Cache, known: Records, name: str, revision: Revision, directory: Path | None, progress: bool | None
    ) -> LocalModel:
        record = self._known(known, name, revision)
        if record is None:
            raise Offline(
                f"You are offline, and {name}@{revision} was never downloaded from {self.server} to this machine. "
                "`lmvp cache list` shows what was; unset LMVP_OFFLINE when you are connected."
            )
        model = ModelName(record.version.project, record.version.model)
        try:
            return self._local(cache, model, record, directory, progress)
        except Offline as error:
            raise error.saying(
                f"You are offline, and files of {record.version} are not in the cache any more, or damaged. Download it "
                "again when you are connected, without LMVP_OFFLINE."
            ) from error

    def _known(self, known: Records, name: str, revision: Revision) -> Record | None:
        names = [name] if "/" in name else [f"{self._names.default_project()}/{name}", name]
        found = (known.find(server=self.server, name=one, revision=str(revision)) for one in names)
        return next((record for record in found if record), None)

    def _with_way_out(self, known: Records, name: str, revision: Revision, error: LMVPError) -> LMVPError:
        """Return the error, and of a server that cannot be reached what can be had without it."""
        if not may_pass(error) or not isinstance(error, ConnectionFailed):
            return error
        record = self._known(known, name, revision)
        if record is None:
            return error
        return error.saying(
            f"{error.message} {record.version} is what {name}@{revision} meant when it was last downloaded "
            f"({when_of(record.used_at)}), and it is in the cache: LMVP_OFFLINE=1, or lmvp.Client(offline=True), gives that."
        )
