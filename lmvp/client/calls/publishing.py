"""New versions: what is read of this machine, checked, sent and made one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from lmvp.client import capturing, sending
from lmvp.client.calls.connection import Connected, Revision
from lmvp.client.errors import Conflict, LMVPError, NotFound
from lmvp.client.http import path_of
from lmvp.client.measurements import Metrics
from lmvp.client.naming import ModelName
from lmvp.client.publication import Publication, Said, Source, as_files, sources
from lmvp.client.versions import Version


class Publishing(Connected):
    def update(
        self,
        name: str,
        source: object,
        *,
        message: str | None = None,
        branch: str = "main",
        parent: Revision | None = None,
        metrics: Metrics | None = None,
        metadata: Mapping[str, Any] | None = None,
        alias: str | None = None,
        tag: str | None = None,
        derived_from: Source | Sequence[Source] = (),
        capture: bool = False,
        progress: bool | None = None,
    ) -> Version:
        """Publish a new version of a model that is there. NotFound when it is not: `publish` makes it.

        The new version holds exactly the files of `source`: a file, a directory, a LocalModel, or an object whose format
        is known, such as a PyTorch module or a data frame. `derived_from` are versions of other models that it was made
        from: project/model@revision, a Version or a LocalModel. `capture` adds the Git commit, the versions of Python
        and of the libraries in use, and the command line to the metadata, as “captured”. Conflict when `parent`, or the
        newest version that a LocalModel was downloaded from, is not the branch's newest any more.
        """
        metadata = capturing.added(metadata) if capture else metadata
        said = Said(message, branch, parent, metrics, metadata, alias, tag, sources(derived_from))
        model = self._names.resolve(name, writing=True)
        with as_files(source) as given:
            publication = Publication.read(given, said, progress=progress)
            with self._names.explained(model):
                return self._publish(model, publication, lambda: self._require_welcome(model))

    def publish(
        self,
        name: str,
        source: object,
        *,
        kind: Literal["model", "dataset", "config"] = "model",
        message: str | None = None,
        branch: str = "main",
        parent: Revision | None = None,
        metrics: Metrics | None = None,
        metadata: Mapping[str, Any] | None = None,
        alias: str | None = None,
        tag: str | None = None,
        derived_from: Source | Sequence[Source] = (),
        capture: bool = False,
        progress: bool | None = None,
    ) -> Version:
        """Publish a version as `update` does, and make the registered model first when it is not there.

        A name without “/” goes to LMVP_PROJECT's project, else to your personal one, never to somebody else's.
        """
        metadata = capturing.added(metadata) if capture else metadata
        said = Said(message, branch, parent, metrics, metadata, alias, tag, sources(derived_from))
        model = self._names.resolve_new(name)
        with as_files(source) as given:
            publication = Publication.read(given, said, progress=progress)
            return self._publish(model, publication, lambda: self._made(model, kind))

    def _require_welcome(self, model: ModelName) -> None:
        """Raise what the server has against files for this model, before hours are spent on hashing them."""
        self._session.call("POST", f"{model.path}uploads/", [], repeatable=True)

    def _made(self, model: ModelName, kind: str) -> None:
        """Make the registered model if it is not there."""
        try:
            self._require_welcome(model)
        except NotFound:
            self._create_model(model, kind)

    def _publish(self, model: ModelName, publication: Publication, prepare: Callable[[], object]) -> Version:
        found, progress = publication.found, publication.progress
        local = sending.send_files(self._session, model.path, found, meanwhile=prepare, progress=progress)
        version = self._commit(model, publication.body(model, local))
        publication.note(version)
        return version

    def _commit(self, model: ModelName, body: dict[str, Any]) -> Version:
        # The key makes a second sending after a broken connection find the first one's version.
        key = {"Idempotency-Key": str(uuid.uuid4())}
        try:
            answer = self._session.call("POST", f"{model.path}versions/", body, headers=key, repeatable=True)
        except Conflict as error:
            raise _explained_conflict(error, model, body["branch"]) from error
        with self._session.understood():
            return Version.from_json(answer)

    def _no_project(self, error: NotFound, model: ModelName) -> NotFound:
        """Say what is missing, and how to get it: a project, or a token that is for it."""
        token = self._session.call("GET", "/auth/me/").get("token") or {}
        if token.get("project"):
            return error.saying(
                f"There is no project “{model.project}” for this access token: it is for “{token['project']}” alone. "
                "Sign in with another, made at the server's page of your account."
            )
        return error.saying(
            f"There is no project “{model.project}” that you may see. Make it with lmvp.create_project("
            f"{model.project!r}) / `lmvp create-project {model.project}`, or ask one of its owners for an invitation."
        )

    def _create_model(self, model: ModelName, kind: str) -> None:
        body = {"name": model.model, "kind": kind}
        try:
            self._session.call("POST", path_of("projects", model.project, "models"), body)
        except NotFound as error:
            raise self._no_project(error, model) from error
        except LMVPError as error:
            if error.code != "name_taken":  # somebody else made it just now: good
                raise


def _explained_conflict(error: Conflict, model: ModelName, branch: str) -> Conflict:
    if error.code != "parent_moved":
        return error
    head = error.fields.get("head") or {}
    newer = f"version {head['number']}" if "number" in head else "another version"
    return error.saying(
        f"{model} has moved on: {newer} is the newest on {branch} now. Look at it: lmvp.download({str(model)!r}) / "
        f"`lmvp download {model}`. Then publish on top of it, without `parent`; in Python by giving the path instead of "
        "the LocalModel."
    )
