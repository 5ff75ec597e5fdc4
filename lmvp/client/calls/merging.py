"""Lines of versions brought together, and old versions brought back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, overload

from lmvp.client.calls.connection import Connected, Expected, Revision, expecting, given
from lmvp.client.errors import MergeConflict, ValidationFailed
from lmvp.client.guessing import close_to
from lmvp.client.results.merging import Merge
from lmvp.client.results.refs import Alias
from lmvp.client.versions import Version

Picked = Literal["source", "target"]


class Merging(Connected):
    def merge(
        self,
        name: str,
        source: Revision,
        target: str = "main",
        *,
        message: str | None = None,
        resolve: Mapping[str, Picked] | None = None,
        expected: Revision | None = None,
    ) -> Merge:
        """Do to the branch `target` what was done on the way to `source`. MergeConflict names the paths that both changed.

        `resolve` picks a side for each of them: {"weights.npz": "source"}. StaleParent where the branch's newest version
        is not `expected`.
        """
        model = self._names.resolve(name, writing=True)
        body = {"source": str(source), "target": target, **given(message=message)}
        body |= {"resolve": dict(resolve)} if resolve else {}
        body |= {"expected": str(expected)} if expected is not None else {}
        with self._names.explained(model, source):
            try:
                return self._ask(Merge, "POST", f"{model.path}merge/", body)
            except MergeConflict as conflict:
                raise _explained(conflict, f"{model}", f"{source}", target) from conflict
            except ValidationFailed as error:
                if error.code != "unknown_branch":
                    raise
                branches = [one["name"] for one in self._session.pages(f"{model.path}branches/")]
                raise error.saying(f"{error.message}{close_to(target, branches)}") from error

    @overload
    def restore(self, name: str, revision: Revision, *, alias: str, message: str | None = None) -> Alias: ...

    @overload
    def restore(
        self,
        name: str,
        revision: Revision,
        *,
        branch: str = "main",
        alias: None = None,
        message: str | None = None,
        expected: Revision | Literal[Expected.ANYTHING] = Expected.ANYTHING,
    ) -> Version: ...

    def restore(
        self,
        name: str,
        revision: Revision,
        *,
        branch: str | None = None,
        alias: str | None = None,
        message: str | None = None,
        expected: Revision | Literal[Expected.ANYTHING] = Expected.ANYTHING,
    ) -> Version | Alias:
        """Bring an old version back: its files as a new version on `branch` (main), which is returned; or move `alias` to it.

        A version in the trash is taken out of it first.
        """
        if branch and alias:
            raise ValidationFailed("Name a branch or an alias to restore to, not both.", code="branch_or_alias")
        model = self._names.resolve(name, writing=True)
        place = {"alias": alias} if alias else {"branch": branch or "main"}
        body: dict[str, Any] = {**place, **given(message=message), **expecting(expected)}
        kind: Any = Alias if alias else Version
        with self._names.explained(model, revision):
            restored: Version | Alias = self._ask(kind, "POST", f"{model.version_path(revision)}restore/", body)
        return restored


def _explained(conflict: MergeConflict, name: str, source: str, target: str) -> MergeConflict:
    listed = ", ".join(conflict.paths[:5]) + (" …" if conflict.count > 5 else "")
    one = conflict.paths[0] if conflict.paths else "PATH"
    return conflict.saying(
        f"Both {source} and {target} changed {listed}, each differently. Pick a side for each, source or target: "
        f"lmvp.merge({name!r}, {source!r}, {target!r}, resolve={{{one!r}: 'source'}}) / "
        f"`lmvp merge {name} {source} {target} --resolve {one}=source`."
    )
