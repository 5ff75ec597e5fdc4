"""Versions as they stand on the server: one, their history, their lineage."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Any, TextIO

from lmvp.client.calls.connection import LARGEST_PAGE, Connected, Revision, check_limit
from lmvp.client.naming import ModelName
from lmvp.client.versions import History, Version


class Versions(Connected):
    def version(self, name: str, revision: Revision = "latest") -> Version:
        """Return everything about one version but its files."""
        return self._fetched(self._names.resolve(name), revision)

    def lineage(self, name: str, revision: Revision = "latest", *, depth: int = 3) -> dict[str, Any]:
        """Return {root, nodes, edges, hidden, truncated}: what a version came from and what came of it.

        An edge {from, to, kind} leads from what was there first; versions are called project/model@number.
        """
        model = self._names.resolve(name)
        with self._names.explained(model, revision):
            path = f"{model.version_path(revision)}lineage/"
            answer: dict[str, Any] = self._session.call("GET", path, params={"depth": depth})
        return answer

    def history(self, name: str, *, branch: str | None = None, limit: int = 20) -> History:
        """Return the newest versions of a model, or of all models of a project, newest first."""
        check_limit(limit)
        if "/" not in name and (models := self._names.models_of(name)):
            several = [self._versions(ModelName(name, model), branch, limit) for model in models]
            newest = sorted((v for versions in several for v in versions), key=lambda v: v.created_at, reverse=True)
            return History(name, newest[:limit])
        model = self._names.resolve(name)
        with self._names.explained(model, branch):
            return History(str(model), self._versions(model, branch, limit))

    def _versions(self, model: ModelName, branch: str | None, limit: int) -> list[Version]:
        filters = {"branch": branch} if branch else {}
        pages = self._session.pages(f"{model.path}versions/", page_size=max(1, min(limit, LARGEST_PAGE)), **filters)
        with self._session.understood():
            return [Version.from_json(answer) for answer in islice(pages, limit)]

    def show_history(
        self, name: str, *, branch: str | None = None, limit: int = 20, file: TextIO | None = None
    ) -> History:
        """Print the newest versions as a table (to `file`, else stdout), and return them."""
        history = self.history(name, branch=branch, limit=limit)
        (file or sys.stdout).write(f"{history}\n")
        return history

    showHistory = show_history
