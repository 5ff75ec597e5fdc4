"""Names for versions: aliases and tags, set, moved, deleted, and who moved them."""

from __future__ import annotations

from enum import Enum
from itertools import islice
from typing import Any, Literal

from lmvp.client.calls.connection import LARGEST_PAGE, Connected, Revision, check_limit, ref_path
from lmvp.client.versions import Move


class Expected(Enum):
    """What `set_alias` finds when nothing was said of it."""

    ANYTHING = "anything"


class Refs(Connected):
    def set_alias(
        self,
        name: str,
        alias: str,
        revision: Revision,
        *,
        comment: str | None = None,
        expected: Revision | Literal[Expected.ANYTHING] | None = Expected.ANYTHING,
    ) -> dict[str, Any]:
        """Let the alias name another version; return {kind, name, version, digest, …}.

        Conflict when it does not stand at `expected` now (None: when it exists already).
        """
        body: dict[str, Any] = {"revision": str(revision)}
        if comment:
            body["comment"] = comment
        if expected is not Expected.ANYTHING:
            body["expected"] = None if expected is None else str(expected)
        return self._put_ref(name, "aliases", alias, revision, body)

    def set_tag(self, name: str, tag: str, revision: Revision, *, comment: str | None = None) -> dict[str, Any]:
        """Give a version a name that does not move. Conflict when another version has it."""
        body = {"revision": str(revision), **({"comment": comment} if comment else {})}
        return self._put_ref(name, "tags", tag, revision, body)

    def _put_ref(self, name: str, kind: str, ref: str, revision: Revision, body: dict[str, Any]) -> dict[str, Any]:
        model = self._names.resolve(name, writing=True)
        with self._names.explained(model, revision):
            answer: dict[str, Any] = self._session.call("PUT", ref_path(model, kind, ref), body)
        return answer

    def delete_alias(self, name: str, alias: str) -> None:
        """Delete the alias; its moves stay in the record."""
        model = self._names.resolve(name, writing=True)
        with self._names.explained(model):
            self._session.call("DELETE", ref_path(model, "aliases", alias))

    def aliases(self, name: str) -> list[dict[str, Any]]:
        """Return [{name, version, digest, updated_at, …}]."""
        model = self._names.resolve(name)
        with self._names.explained(model):
            return list(self._session.pages(f"{model.path}aliases/", page_size=LARGEST_PAGE))

    def moves(self, name: str, alias: str, *, limit: int = 50) -> list[Move]:
        """Return who moved the alias, from where to where, when and why, newest first; a deleted alias's too."""
        check_limit(limit)
        model = self._names.resolve(name)
        pages = self._session.pages(f"{ref_path(model, 'aliases', alias)}moves/", page_size=min(limit, LARGEST_PAGE))
        with self._names.explained(model), self._session.understood():
            return [Move.from_json(answer) for answer in islice(pages, limit)]
