"""Runs: metrics collected while a model is trained, and published with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from lmvp.client import capturing
from lmvp.client.calls.metrics import Measuring
from lmvp.client.calls.publishing import Publishing
from lmvp.client.calls.versions import Versions
from lmvp.client.errors import NotFound, PermissionDenied
from lmvp.client.http import path_of
from lmvp.client.naming import WRITING_ROLES
from lmvp.client.publication import Source
from lmvp.client.runs import Ending, Run


class Running(Publishing, Versions, Measuring):
    def run(
        self,
        name: str,
        *,
        kind: Literal["model", "dataset", "config"] = "model",
        message: str | None = None,
        branch: str = "main",
        metadata: Mapping[str, Any] | None = None,
        alias: str | None = None,
        tag: str | None = None,
        derived_from: Source | Sequence[Source] = (),
        capture: bool = False,
        save_on_error: bool = False,
        resume: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> Run:
        """Return a run for a `with` block: log(name, value, step=), log_params({…}), keep(source), publish(source).

        At the end of the block what was kept is published with all that was logged; `alias` and `tag` name that version.
        When an exception ends the block, nothing is published unless `save_on_error`; what was logged stays in a file,
        and a warning says where: `resume` goes on with it. Fails at once where you may not publish.
        """
        every = {"kind": kind, "message": message, "branch": branch, "derived_from": derived_from}
        last = {"alias": alias, "tag": tag}
        ending = Ending({**every, "progress": progress}, last, save_on_error)
        begun = capturing.added(metadata) if capture else dict(metadata or {})
        return Run(self, lambda: self._writable(name), ending, begun, Path(resume).expanduser() if resume else None)

    def _writable(self, name: str) -> str:
        """Return the full name of a model to be published when a training is over; refuse before it begins."""
        model = self._names.resolve_new(name)
        self._names.personal_project()  # asks who we are: not signed in is told now
        try:
            project = self._session.call("GET", path_of("projects", model.project))
        except NotFound as error:
            raise self._no_project(error, model) from error
        with self._session.understood():
            role = project["role"]
        if role is not None and role not in WRITING_ROLES:
            raise PermissionDenied(
                f"You may read “{model.project}” as its {role}, and not publish there. Ask one of its owners to make you a "
                "contributor, or name another project."
            )
        return str(model)
