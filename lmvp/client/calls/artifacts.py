"""Artifacts, the nodes of lineage trees: recorded, listed, read, and the hierarchies that name their levels."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from lmvp.client import bodies, contents, formats, sending
from lmvp.client.calls.connection import Connected, given, project_path
from lmvp.client.contents import Form
from lmvp.client.errors import NotFound, ValidationFailed
from lmvp.client.formats import Record, Trusted
from lmvp.client.http import path_of
from lmvp.client.publication import Source, source_name
from lmvp.client.results.artifacts import Artifact, Hierarchy, Loadable

Node = Artifact | str


class Kept(Enum):
    """What a call that replaces finds where nothing was said: what is there stays."""

    AS_IT_IS = "as it is"


AS_IT_IS: Literal[Kept.AS_IT_IS] = Kept.AS_IT_IS


class Artifacts(Connected):
    # --- Hierarchies

    def hierarchies(self, project: str | None = None) -> list[Hierarchy]:
        """Return the hierarchies of a project."""
        owner = self._owner(project)
        with self._names.explained_in(owner):
            return self._all(Hierarchy, project_path(owner, "hierarchies"))

    def create_hierarchy(self, name: str, labels: Sequence[str] = (), *, project: str | None = None) -> Hierarchy:
        """Name the levels of artifact trees, from the root down; without labels any depth. They do not change any more."""
        owner = self._owner(project)
        body = {"name": name, "level_labels": {str(level): label for level, label in enumerate(labels)}}
        with self._names.explained_in(owner):
            return self._ask(Hierarchy, "POST", project_path(owner, "hierarchies"), body)

    # --- Artifacts

    def artifacts(
        self,
        project: str | None = None,
        *,
        hierarchy: str | None = None,
        parent: Node | None = None,
        roots: bool = False,
        limit: int | None = None,
    ) -> list[Artifact]:
        """Return the artifacts that you may see, oldest first: of a project, a hierarchy, below a parent, or `roots` alone."""
        parent_id = "null" if roots else _id(parent)
        asked = given(project=project, hierarchy=hierarchy, parent_id=parent_id)
        found: list[Artifact] = []
        for item in self._items(asked):
            if limit is not None and len(found) >= limit:
                break
            found.append(self._read(Loadable(self), item))
        return found

    def _items(self, asked: dict[str, Any]) -> Iterator[Any]:
        page, pages = 1, 1
        while page <= pages:
            answer = self._session.call("GET", path_of("artifacts"), params={**asked, "page": page, "size": 200})
            with self._session.understood():
                items, pages = list(answer["items"]), int(answer["pages"])
            yield from items
            page += 1

    def artifact(self, artifact: Node) -> Artifact:
        """Return one artifact, with the label of its level."""
        return self._ask(Loadable(self), "GET", _path(artifact, "$expand"))

    def artifact_tree(self, artifact: Node, *, max_depth: int | None = None) -> Artifact:
        """Return an artifact with its `children`, and theirs. `print(….tree())` draws it."""
        body = {"root_id": _id(artifact), **given(max_depth=max_depth)}
        return self._ask(Loadable(self), "POST", f"{path_of('artifacts')}$tree/", body, repeatable=True)

    def artifact_metadata(self, artifact: Node) -> Any:
        """Return what stands in `data.metadata`; {} where nothing does."""
        return self._session.call("GET", _path(artifact, "$metadata"))

    def create_artifact(
        self,
        data: Mapping[str, Any],
        *,
        content: Any = None,
        content_type: str | None = None,
        parent: Node | None = None,
        project: str | None = None,
        hierarchy: str | None = None,
        version: Source | None = None,
        progress: bool | None = None,
    ) -> Artifact:
        """Record an artifact: below a `parent`, else a root of a project and hierarchy.

        `content` is a path, bytes, an object whose format is known (a data frame, a NumPy array, a scikit-learn estimator
        …), or a value of JSON; `version` what it stands for.
        """
        owner = self.artifact(parent).project if parent else self._owner(project)
        body: dict[str, Any] = {"data": dict(data), **given(parent_id=_id(parent), hierarchy=hierarchy)}
        body |= {} if parent else {"project": owner}
        body |= {"version": source_name(version)} if version else {}
        if content is not None:
            body["content"] = self._sent(owner, content, content_type, progress)
        with self._names.explained_in(owner):
            return self._ask(Loadable(self), "POST", path_of("artifacts"), body)

    def update_artifact(
        self,
        artifact: Node,
        data: Mapping[str, Any] | None = None,
        *,
        content: Any = AS_IT_IS,
        content_type: str | None = None,
        parent: Node | Kept | None = AS_IT_IS,
        version: Source | Kept | None = AS_IT_IS,
        progress: bool | None = None,
    ) -> Artifact:
        """Replace what is given of an artifact. None takes content or version away, and makes it a root."""
        there = self.artifact(artifact)
        body: dict[str, Any] = {"data": dict(there.data if data is None else data)}
        if not isinstance(parent, Kept):
            body["parent_id"] = _id(parent)
        if not isinstance(version, Kept):
            body["version"] = source_name(version) if version else None
        if content is not AS_IT_IS:
            body["content"] = None if content is None else self._sent(there.project, content, content_type, progress)
        return self._ask(Loadable(self), "PUT", _path(there), body)

    def delete_artifact(self, artifact: Node) -> None:
        """Delete an artifact for good. InUse while others stand below it."""
        self._session.call("DELETE", _path(artifact))

    def _sent(self, project: str, content: Any, content_type: str | None, progress: bool | None) -> dict[str, str]:
        """Send the bytes, where the server has not got them, and return what names them."""
        with contents.outgoing(content, content_type) as out:
            found = {out.file.name: out.file}
            [local] = sending.send_files(self._session, project_path(project), found, progress=progress)
        return {"sha256": local.sha256, "content_type": out.content_type}

    # --- Their content

    def load_artifact(
        self, artifact: Node, *, to: Form | None = None, trusted: Trusted = False, into: Any = None
    ) -> Any:
        """Return the content: the object that was kept, a table as a data frame, JSON, text, bytes; or as `to` says.

        `to` is bytes, json, text, records (a list of dicts), csv (a text), pandas or polars. `trusted` and `into` are
        those of `LocalModel.load`: NotTrusted where loading may run code in the file. NotFound: there is no content.
        """
        there = self.artifact(artifact)
        kept = _content_type(there)
        record = contents.object_in(kept) if to is None and there.content else None
        if record:
            return self._loaded(there, record, trusted, into)
        if into is not None:
            raise ValidationFailed(f"The content ({kept}) is not loaded into another object. Leave `into` out.")
        form = to or contents.form_of(kept)
        with self._session.content(_path(there, "$download"), accept=contents.accepted(form, kept)) as response:
            body = bodies.whole(response)
        return contents.read(body, form, kept)

    def _loaded(self, there: Artifact, record: Record, trusted: Trusted, into: Any) -> Any:
        with tempfile.TemporaryDirectory(prefix="lmvp-", ignore_cleanup_errors=True) as scratch:
            file = self.download_artifact(there, Path(scratch) / record.file)
            otherwise = f"Take its bytes: lmvp.download_artifact({there.id!r}, path)."
            return formats.load(file, trusted=trusted, into=into, record=record, otherwise=otherwise)

    def download_artifact(self, artifact: Node, path: str | os.PathLike[str]) -> Path:
        """Write the content of an artifact to a file; return it. An existing file is replaced, at once or not at all."""
        with self._session.content(_path(artifact, "$download")) as response:
            return bodies.into(response, path)


def _content_type(artifact: Artifact) -> str:
    said = artifact.content.content_type if artifact.content else artifact.data.get("content_type")
    if not artifact.content and artifact.data.get("content") is None:
        raise NotFound(f"The artifact {artifact.id} has no content.", code="no_content", status=404)
    return str(said or contents.JSON)


def _id(artifact: Node | None) -> str | None:
    return artifact.id if isinstance(artifact, Artifact) else artifact


def _path(artifact: Node, *more: str) -> str:
    """Return the API path of an artifact; the “$” of the calls below it stands as it is."""
    below = "".join(f"{segment}/" for segment in more)
    return f"{path_of('artifacts', _id(artifact) or '')}{below}"
