"""Versions as they stand on the server: one, their history and lineage; deprecated, deleted, taken back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TextIO

from lmvp.client.calls.connection import Connected, Revision, check_limit
from lmvp.client.naming import ModelName
from lmvp.client.results.lineage import Lineage
from lmvp.client.results.models import TrashEntry
from lmvp.client.versions import History, Version

Where = Mapping[str, float | str]


class Versions(Connected):
    def version(self, name: str, revision: Revision = "latest") -> Version:
        """Return everything about one version but its files."""
        return self._fetched(self._names.resolve(name), revision)

    def lineage(self, name: str, revision: Revision = "latest", *, depth: int = 3) -> Lineage:
        """Return what a version came from and what came of it, so many steps each way.

        An edge leads from what was there first; versions are called project/model@number.
        """
        model = self._names.resolve(name)
        with self._names.explained(model, revision):
            return self._ask(Lineage, "GET", f"{model.version_path(revision)}lineage/", params={"depth": depth})

    def history(
        self,
        name: str,
        *,
        branch: str | None = None,
        author: str | None = None,
        order_by: str | None = None,
        where: Where | None = None,
        limit: int = 20,
    ) -> History:
        """Return the newest versions of a model, or of all models of a project, newest first.

        `where` chooses by metrics: {"loss__lt": 0.2, "note": "good"} with lt, lte, gt, gte, eq, ne. `order_by` is number
        or metric:NAME, with a “-” for the largest first.
        """
        check_limit(limit)
        said = {"branch": branch, "author": author, "order_by": order_by, **conditions(where)}
        if "/" not in name and (models := self._names.models_of(name)):
            several = [self._versions(ModelName(name, model), said, limit) for model in models]
            found = [version for versions in several for version in versions]
            if order_by is None:
                found.sort(key=lambda version: version.created_at, reverse=True)
            return History(name, found[:limit])
        model = self._names.resolve(name)
        with self._names.explained(model, branch):
            return History(str(model), self._versions(model, said, limit))

    def _versions(self, model: ModelName, said: Mapping[str, Any], limit: int) -> list[Version]:
        return self._all(Version, f"{model.path}versions/", limit=limit, **said)

    def show_history(
        self, name: str, *, branch: str | None = None, limit: int = 20, file: TextIO | None = None
    ) -> History:
        """Print the newest versions as a table (to `file`, else stdout), and return them."""
        history = self.history(name, branch=branch, limit=limit)
        (file or sys.stdout).write(f"{history}\n")
        return history

    showHistory = show_history

    def deprecate(self, name: str, revision: Revision, *, reason: str) -> Version:
        """Tell everybody who uses a version why it should not be used any more. For maintainers."""
        return self._deprecated(name, revision, reason)

    def undeprecate(self, name: str, revision: Revision) -> Version:
        """Take a deprecation back."""
        return self._deprecated(name, revision, None)

    def _deprecated(self, name: str, revision: Revision, reason: str | None) -> Version:
        model = self._names.resolve(name, writing=True)
        with self._names.explained(model, revision):
            return self._ask(Version, "PATCH", model.version_path(revision), {"deprecated": reason})

    def delete_version(self, name: str, revision: Revision) -> TrashEntry:
        """Put a version that no branch, tag or alias names into the trash. InUse where one does."""
        model = self._names.resolve(name, writing=True)
        with self._names.explained(model, revision):
            return self._ask(TrashEntry, "DELETE", model.version_path(revision))

    def undelete_version(self, name: str, revision: Revision) -> Version:
        """Take a version back from the trash, by its number or digest. Purged when its time is over."""
        model = self._names.resolve(name, writing=True)
        with self._names.explained(model, revision):
            return self._ask(Version, "POST", f"{model.version_path(revision)}undelete/")


def conditions(where: Where | None) -> dict[str, float | str]:
    """Return the query of conditions on metrics."""
    return {f"metric:{name}": value for name, value in (where or {}).items()}
