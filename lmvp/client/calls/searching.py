"""Search over everything that the caller may see."""

from __future__ import annotations

from typing import Literal

from lmvp.client.calls.connection import Connected, check_limit
from lmvp.client.http import path_of
from lmvp.client.results.finding import SearchResult

Kind = Literal["project", "model", "version", "file"]


class Searching(Connected):
    def search(
        self,
        query: str,
        *,
        type: Kind | None = None,
        project: str | None = None,
        model: str | None = None,
        limit: int = 50,
    ) -> list[SearchResult]:
        """Return projects, models, versions and files that fit, the best first.

        All words are looked for, "several words" stand together, 7 or more hex digits are the beginning of a digest.
        """
        check_limit(limit)
        where = {"type": type, "project": project, "model": model}
        return self._all(SearchResult, path_of("search"), limit=limit, q=query, **where)
