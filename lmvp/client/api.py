"""The verbs of LMVP: one `Client`, whose bound methods `import lmvp` offers as functions. Moves no bytes itself."""

from __future__ import annotations

import os
import sys
import uuid
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TextIO

from lmvp.client import files, measurements, transfer
from lmvp.client.cache import Cache
from lmvp.client.errors import Conflict, DeprecatedVersion, LMVPError, NotFound, ValidationFailed
from lmvp.client.files import LocalFile
from lmvp.client.http import Session, path_of
from lmvp.client.measurements import Metrics, Row
from lmvp.client.naming import ModelName, Names
from lmvp.client.transfer import Fetching
from lmvp.client.versions import History, LocalModel, Move, Version, visible

METRICS_BATCH = 1000
Revision = str | int
Source = str | LocalModel | Version  # what a version was made from


class Expected(Enum):
    """What `set_alias` finds when nothing was said of it."""

    ANYTHING = "anything"


@dataclass(frozen=True)
class Said:
    """What the caller says about a new version."""

    message: str | None
    branch: str
    parent: Revision | None
    metrics: Metrics | None
    metadata: Mapping[str, Any] | None
    alias: str | None
    tag: str | None
    derived_from: Sequence[Source]


@dataclass(frozen=True)
class Publication:
    """A new version, read and checked here before a single byte is sent."""

    path: Path
    origin: LocalModel | None
    local: list[LocalFile]
    said: Said
    metrics: list[Row]
    progress: bool | None

    @classmethod
    def read(cls, source: Any, said: Said, *, progress: bool | None) -> Publication:
        metrics = measurements.rows(said.metrics)
        origin = source if isinstance(source, LocalModel) else None
        path = origin.path if origin else _path_of(source)
        return cls(path, origin, transfer.read_source(path, progress=progress), said, metrics, progress)

    def body(self, model: ModelName) -> dict[str, Any]:
        """Return what the server is asked to make a version of."""
        said = self.said
        body = {
            "message": said.message or self._default_message(),
            "branch": said.branch,
            "parent": self._head(model) if said.parent is None else str(said.parent),
            "files": [{"path": file.path, "sha256": file.sha256} for file in self.local],
            "base": "empty",
            "metrics": self.metrics,
            "metadata": dict(said.metadata or {}),
            "alias": said.alias,
            "tag": said.tag,
            "derived_from": [_source_name(source) for source in said.derived_from] or None,
        }
        return {key: value for key, value in body.items() if value is not None}

    def note(self, version: Version) -> None:
        """Let the LocalModel stand where it now is, so that it can be published again."""
        if self.origin:
            self.origin.version, self.origin.files = version, [file.path for file in self.local]

    def _head(self, model: ModelName) -> str | None:
        """Return the version that the files came from, if it was this branch's newest then."""
        version = self.origin.version if self.origin else None
        if version and version.name.lower() == str(model).lower() and version.is_head_of(self.said.branch):
            return version.digest
        return None

    def _default_message(self) -> str:
        if len(self.local) == 1:
            return f"Publish {self.local[0].path}"
        return f"Publish {len(self.local)} files from {self.path.resolve().name}"


def _sources(derived_from: Source | Sequence[Source]) -> list[Source]:
    if isinstance(derived_from, (str, LocalModel, Version)):
        return [derived_from]  # one alone
    return list(derived_from)


def _source_name(source: Source) -> str:
    """Return project/model@revision of what a new version was made from."""
    version = source.version if isinstance(source, LocalModel) else source
    return f"{version.name}@{version.number}" if isinstance(version, Version) else str(version)


def _path_of(source: Any) -> Path:
    if isinstance(source, str | os.PathLike):
        return Path(source).expanduser()
    raise ValidationFailed(
        f"A {type(source).__name__} cannot be published yet. Save it to a file and give its path, or give a LocalModel."
    )


class Client:
    """One server, as one person or token. Without arguments: LMVP_SERVER, LMVP_TOKEN or the kept sign-in, LMVP_PROJECT.

    Names of models are project/model; the project may be left out where it is clear (see docs/client.md).
    """

    def __init__(self, server: str | None = None, token: str | None = None, project: str | None = None) -> None:
        self._session = Session(server, token)
        self._names = Names(self._session, project)

    @property
    def server(self) -> str:
        return self._session.server

    # --- Who

    def login(self, email: str, password: str, *, server: str | None = None) -> str:
        """Sign in and return the username. The sign-in is kept on this machine (docs/client.md says where)."""
        return self._session.login(email, password, server=server)

    def logout(self) -> bool:
        """Revoke and forget the sign-in kept on this machine; False when it is forgotten but no server heard of it."""
        return self._session.logout()

    def whoami(self) -> dict[str, Any]:
        """Return {email, username, …} of the caller."""
        me: dict[str, Any] = self._session.call("GET", "/auth/me/")
        return me

    # --- Files

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
        version = self._version(model, revision)
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

    def update(
        self,
        name: str,
        source: str | os.PathLike[str] | LocalModel,
        *,
        message: str | None = None,
        branch: str = "main",
        parent: Revision | None = None,
        metrics: Metrics | None = None,
        metadata: Mapping[str, Any] | None = None,
        alias: str | None = None,
        tag: str | None = None,
        derived_from: Source | Sequence[Source] = (),
        progress: bool | None = None,
    ) -> Version:
        """Publish a new version of a model that is there. NotFound when it is not: `publish` makes it.

        The new version holds exactly the files of `source`, a file or a directory. `derived_from` are versions of other
        models that it was made from: project/model@revision, a Version or a LocalModel. Conflict when `parent`, or the
        newest version that a LocalModel was downloaded from, is not the branch's newest any more.
        """
        said = Said(message, branch, parent, metrics, metadata, alias, tag, _sources(derived_from))
        model = self._names.resolve(name, writing=True)
        publication = Publication.read(source, said, progress=progress)
        with self._names.explained(model):
            return self._publish(model, publication)

    def publish(
        self,
        name: str,
        source: str | os.PathLike[str] | LocalModel,
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
        progress: bool | None = None,
    ) -> Version:
        """Publish a version as `update` does, and make the registered model first when it is not there.

        A name without “/” goes to LMVP_PROJECT's project, else to your personal one, never to somebody else's.
        """
        said = Said(message, branch, parent, metrics, metadata, alias, tag, _sources(derived_from))
        model = self._names.resolve_new(name)
        publication = Publication.read(source, said, progress=progress)
        try:
            return self._publish(model, publication)
        except NotFound:
            self._create_model(model, kind)
        return self._publish(model, publication)

    def _publish(self, model: ModelName, publication: Publication) -> Version:
        transfer.send_files(self._session, model.path, publication.local, progress=publication.progress)
        version = self._commit(model, publication.body(model))
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

    def _create_model(self, model: ModelName, kind: str) -> None:
        body = {"name": model.model, "kind": kind}
        try:
            self._session.call("POST", path_of("projects", model.project, "models"), body)
        except NotFound as error:
            raise error.saying(
                f"There is no project “{model.project}” that you may see. Make it with lmvp.create_project("
                f"{model.project!r}) / `lmvp create-project {model.project}`, or ask one of its owners for an invitation."
            ) from error
        except LMVPError as error:
            if error.code != "name_taken":  # somebody else made it just now: good
                raise

    # --- Versions

    def version(self, name: str, revision: Revision = "latest") -> Version:
        """Return everything about one version but its files."""
        return self._version(self._names.resolve(name), revision)

    def _version(self, model: ModelName, revision: Revision) -> Version:
        with self._names.explained(model, revision):
            answer = self._session.call("GET", model.version_path(revision))
        with self._session.understood():
            return Version.from_json(answer)

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
        _check_limit(limit)
        if "/" not in name and (models := self._names.models_of(name)):
            several = [self._versions(ModelName(name, model), branch, limit) for model in models]
            newest = sorted((v for versions in several for v in versions), key=lambda v: v.created_at, reverse=True)
            return History(name, newest[:limit])
        model = self._names.resolve(name)
        with self._names.explained(model, branch):
            return History(str(model), self._versions(model, branch, limit))

    def _versions(self, model: ModelName, branch: str | None, limit: int) -> list[Version]:
        filters = {"branch": branch} if branch else {}
        pages = self._session.pages(f"{model.path}versions/", page_size=max(1, min(limit, 200)), **filters)
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

    # --- Metrics

    def log_metrics(
        self, name: str, revision: Revision, metrics: Metrics, *, step: int | None = None
    ) -> dict[str, int]:
        """Add metrics to a published version; return {added, unchanged}. Conflict where another value stands."""
        model = self._names.resolve(name, writing=True)
        rows = measurements.rows(metrics, step=step)
        total = {"added": 0, "unchanged": 0}
        for start in range(0, len(rows), METRICS_BATCH):
            with self._names.explained(model, revision):
                answer = self._session.call(
                    "POST",
                    f"{model.version_path(revision)}metrics/",
                    rows[start : start + METRICS_BATCH],
                    repeatable=True,
                )
            with self._session.understood():
                total = {key: total[key] + int(answer[key]) for key in total}
        return total

    def metrics(self, name: str, revision: Revision = "latest", *, metric: str | None = None) -> list[dict[str, Any]]:
        """Return [{name, value | text, step, author, created_at}] of a version, of all metrics or of one."""
        model = self._names.resolve(name)
        filters = {"name": metric} if metric else {}
        with self._names.explained(model, revision):
            return list(self._session.pages(f"{model.version_path(revision)}metrics/", page_size=200, **filters))

    # --- Aliases and tags

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
            answer: dict[str, Any] = self._session.call("PUT", _ref_path(model, kind, ref), body)
        return answer

    def delete_alias(self, name: str, alias: str) -> None:
        """Delete the alias; its moves stay in the record."""
        model = self._names.resolve(name, writing=True)
        with self._names.explained(model):
            self._session.call("DELETE", _ref_path(model, "aliases", alias))

    def aliases(self, name: str) -> list[dict[str, Any]]:
        """Return [{name, version, digest, updated_at, …}]."""
        model = self._names.resolve(name)
        with self._names.explained(model):
            return list(self._session.pages(f"{model.path}aliases/", page_size=200))

    def moves(self, name: str, alias: str, *, limit: int = 50) -> list[Move]:
        """Return who moved the alias, from where to where, when and why, newest first; a deleted alias's too."""
        _check_limit(limit)
        model = self._names.resolve(name)
        pages = self._session.pages(f"{_ref_path(model, 'aliases', alias)}moves/", page_size=min(limit, 200))
        with self._names.explained(model), self._session.understood():
            return [Move.from_json(answer) for answer in islice(pages, limit)]

    # --- Projects and models

    def projects(self) -> list[dict[str, Any]]:
        """Return [{name, description, visibility, role, …}] of the projects that you may see."""
        return list(self._session.pages(path_of("projects"), page_size=200))

    def create_project(
        self, name: str, *, description: str = "", visibility: Literal["private", "internal", "public"] = "private"
    ) -> dict[str, Any]:
        """Make a project that you own."""
        body = {"name": name, "description": description, "visibility": visibility}
        project: dict[str, Any] = self._session.call("POST", path_of("projects"), body)
        return project

    def models(self, project: str | None = None) -> list[dict[str, Any]]:
        """Return [{name, kind, description, versions, latest, aliases, …}] of a project; without one, of yours."""
        owner = project or self._names.default_project() or self._names.personal_project()
        if not owner:
            raise ValidationFailed(
                "Name the project: lmvp.models(project) / `lmvp models PROJECT`, or set LMVP_PROJECT."
            )
        return list(self._session.pages(path_of("projects", owner, "models"), page_size=200))


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise ValidationFailed(f"A limit of {limit} would show nothing. Give 1 or more.")


def _ref_path(model: ModelName, kind: str, ref: str) -> str:
    return path_of("projects", model.project, "models", model.model, kind, ref)


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


default_client = Client()
