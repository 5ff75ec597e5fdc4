"""Names for versions: branches, tags and aliases; set, moved, deleted, rolled back, and who moved them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, TypeVar

from lmvp.client.calls.connection import (
    Connected,
    Expected,
    Readable,
    Revision,
    check_limit,
    expecting,
    given,
    ref_path,
)
from lmvp.client.calls.projects import Moment, told
from lmvp.client.errors import NotFound
from lmvp.client.guessing import close_to
from lmvp.client.naming import ModelName
from lmvp.client.results.refs import Alias, Branch, PastRef, StandingRef, Tag
from lmvp.client.versions import Move

RefKind = Literal["branch", "tag", "alias"]
R = TypeVar("R", bound=StandingRef)
PLURALS = {"branch": "branches", "tag": "tags", "alias": "aliases"}
ANYTHING: Literal[Expected.ANYTHING] = Expected.ANYTHING


class Refs(Connected):
    # --- Aliases

    def aliases(self, name: str) -> list[Alias]:
        """Return the aliases of a model."""
        return self._refs(Alias, name, "aliases")

    def alias(self, name: str, alias: str) -> Alias:
        """Return where an alias stands."""
        model = self._names.resolve(name)
        return self._at_ref(Alias, "GET", model, "aliases", alias)

    def set_alias(
        self,
        name: str,
        alias: str,
        revision: Revision,
        *,
        comment: str | None = None,
        expected: Revision | Literal[Expected.ANYTHING] | None = ANYTHING,
        protected: bool | None = None,
        active: bool | None = None,
    ) -> Alias:
        """Let the alias name another version. StaleRef when it does not stand at `expected` (None: when it exists).

        `protected`: only maintainers move it. `active`: its version stands as files on the server.
        """
        more = {**expecting(expected), **given(protected=protected, active=active)}
        return self._placed(Alias, name, "aliases", alias, revision, comment, more)

    def activate(self, name: str, alias: str, *, active: bool = True) -> Alias:
        """Keep an alias's version as files on the server, for a process that serves them; or stop that."""
        model = self._names.resolve(name, writing=True)
        return self._at_ref(Alias, "PUT", model, "aliases", alias, {"active": active})

    def rollback(
        self,
        name: str,
        alias: str,
        *,
        comment: str | None = None,
        expected: Revision | Literal[Expected.ANYTHING] | None = ANYTHING,
    ) -> Alias:
        """Take an alias back to where it stood before its latest move; again: one step further back."""
        model = self._names.resolve(name, writing=True)
        body = {**given(comment=comment), **expecting(expected)}
        path = f"{ref_path(model, 'aliases', alias)}rollback/"
        with self._names.explained(model):
            return self._ask(Alias, "POST", path, body)

    def delete_alias(
        self,
        name: str,
        alias: str,
        *,
        comment: str | None = None,
        expected: Revision | Literal[Expected.ANYTHING] = ANYTHING,
    ) -> None:
        """Delete the alias; its moves stay in the record."""
        self._deleted(name, "aliases", alias, comment, expected)

    # --- Branches

    def branches(self, name: str) -> list[Branch]:
        """Return the branches of a model."""
        return self._refs(Branch, name, "branches")

    def create_branch(
        self,
        name: str,
        branch: str,
        *,
        revision: Revision = "latest",
        comment: str | None = None,
        protected: bool | None = None,
    ) -> Branch:
        """Begin a branch at a version. AlreadyExists when there is one of this name."""
        model = self._names.resolve(name, writing=True)
        body = {"name": branch, "revision": str(revision), **given(comment=comment, protected=protected)}
        with self._names.explained(model, revision):
            return self._ask(Branch, "POST", f"{model.path}branches/", body)

    def move_branch(
        self,
        name: str,
        branch: str,
        revision: Revision,
        *,
        comment: str | None = None,
        expected: Revision | Literal[Expected.ANYTHING] | None = ANYTHING,
    ) -> Branch:
        """Let a branch stand at another version. Where it would lose versions, only maintainers may."""
        return self._placed(Branch, name, "branches", branch, revision, comment, expecting(expected))

    def delete_branch(
        self,
        name: str,
        branch: str,
        *,
        comment: str | None = None,
        expected: Revision | Literal[Expected.ANYTHING] = ANYTHING,
    ) -> None:
        """Delete a branch that is not the default one; its versions stay."""
        self._deleted(name, "branches", branch, comment, expected)

    # --- Tags

    def tags(self, name: str) -> list[Tag]:
        """Return the tags of a model."""
        return self._refs(Tag, name, "tags")

    def set_tag(self, name: str, tag: str, revision: Revision, *, comment: str | None = None) -> Tag:
        """Give a version a name that does not move. AlreadyExists when another version has it."""
        return self._placed(Tag, name, "tags", tag, revision, comment, {})

    def delete_tag(self, name: str, tag: str, *, comment: str | None = None) -> None:
        """Delete a tag; that it was there stays in the record."""
        self._deleted(name, "tags", tag, comment, ANYTHING)

    # --- All three

    def protect(self, name: str, ref: str, *, kind: RefKind = "alias", protected: bool = True) -> StandingRef:
        """Let only maintainers move, delete and publish onto a name; or lift that. For maintainers."""
        model = self._names.resolve(name, writing=True)
        shapes: dict[str, Readable[StandingRef]] = {"branch": Branch, "tag": Tag, "alias": Alias}
        return self._at_ref(shapes[kind], "PUT", model, PLURALS[kind], ref, {"protected": protected})

    def moves(self, name: str, ref: str, *, kind: RefKind = "alias", limit: int = 50) -> list[Move]:
        """Return who moved a name, from where to where, when and why, newest first; a deleted one's too."""
        check_limit(limit)
        model = self._names.resolve(name)
        with self._names.explained(model), self._known_ref(model, PLURALS[kind], ref):
            return self._all(Move, f"{ref_path(model, PLURALS[kind], ref)}moves/", limit=limit)

    def ref_at(self, name: str, ref: str, *, time: Moment | None = None, kind: RefKind = "alias") -> PastRef:
        """Return what a name stood for at a time (a date alone: its end in UTC), and who had moved it there."""
        model = self._names.resolve(name)
        path = f"{ref_path(model, PLURALS[kind], ref)}at/"
        with self._names.explained(model), self._known_ref(model, PLURALS[kind], ref):
            return self._ask(PastRef, "GET", path, params=given(time=told(time)))

    def _refs(self, shape: Readable[R], name: str, kind: str) -> list[R]:
        model = self._names.resolve(name)
        with self._names.explained(model):
            return self._all(shape, f"{model.path}{kind}/")

    def _placed(
        self,
        shape: Readable[R],
        name: str,
        kind: str,
        ref: str,
        revision: Revision,
        comment: str | None,
        more: dict[str, Any],
    ) -> R:
        model = self._names.resolve(name, writing=True)
        body = {"revision": str(revision), **given(comment=comment), **more}
        with self._names.explained(model, revision):
            return self._ask(shape, "PUT", ref_path(model, kind, ref), body)

    def _at_ref(self, shape: Readable[R], method: str, model: ModelName, kind: str, ref: str, body: Any = None) -> R:
        with self._names.explained(model), self._known_ref(model, kind, ref):
            return self._ask(shape, method, ref_path(model, kind, ref), body)

    def _deleted(self, name: str, kind: str, ref: str, comment: str | None, expected: Revision | Expected) -> None:
        model = self._names.resolve(name, writing=True)
        params = {**given(comment=comment), **expecting(expected)}
        with self._names.explained(model), self._known_ref(model, kind, ref):
            self._session.call("DELETE", ref_path(model, kind, ref), params=params)

    @contextlib.contextmanager
    def _known_ref(self, model: ModelName, kind: str, ref: str) -> Iterator[None]:
        """Say of a NotFound which of the model's names may have been meant."""
        try:
            yield
        except NotFound as error:
            known = [one.name for one in self._all(StandingRef, f"{model.path}{kind}/")]
            noun = {plural: noun for noun, plural in PLURALS.items()}[kind]
            listed = f"It has: {', '.join(known[:10])}." if known else "It has none."
            raise error.saying(f"{model} has no {noun} “{ref}”.{close_to(ref, known)} {listed}") from error
