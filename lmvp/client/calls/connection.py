"""What every call stands on: a session with one server, and the meaning of names for its caller."""

from __future__ import annotations

from enum import Enum
from itertools import islice
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from lmvp.client.errors import ValidationFailed
from lmvp.client.files import path_problem
from lmvp.client.http import Session, path_of
from lmvp.client.naming import ModelName, Names
from lmvp.client.versions import Version

Revision = str | int
LARGEST_PAGE = 200


class Expected(Enum):
    """What a call that moves a name finds when nothing was said of where it stands."""

    ANYTHING = "anything"


T_co = TypeVar("T_co", covariant=True)


class Readable(Protocol[T_co]):
    """A type whose values are read from JSON."""

    def from_json(self, answer: Any, /) -> T_co: ...


class Connected:
    """One server, as one person or token."""

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
        *,
        offline: bool | None = None,
    ) -> None:
        self._session = Session(server, token, offline=offline)
        self._names = Names(self._session, project)

    @property
    def server(self) -> str:
        """The address of the server, without a slash at its end."""
        return self._session.server

    def _owner(self, project: str | None) -> str:
        """Return the project that is meant where none is named: LMVP_PROJECT's, else the personal one."""
        owner = project or self._names.default_project() or self._names.personal_project()
        if not owner:
            raise ValidationFailed(
                "Name the project: lmvp.models(project) / `lmvp models PROJECT`, or set LMVP_PROJECT."
            )
        return owner

    def _fetched(self, model: ModelName, revision: Revision) -> Version:
        with self._names.explained(model, revision):
            return self._ask(Version, "GET", model.version_path(revision))

    def _ask(self, kind: Readable[T_co], method: str, path: str, body: Any = None, **options: Any) -> T_co:
        """Return what the server answers as a value of the kind."""
        answer = self._session.call(method, path, body, **options)
        with self._session.understood():
            return kind.from_json(answer)

    def _all(self, kind: Readable[T_co], path: str, *, limit: int | None = None, **params: Any) -> list[T_co]:
        """Return a list that comes in pages, whole or its first `limit`."""
        size = LARGEST_PAGE if limit is None else max(1, min(limit, LARGEST_PAGE))
        pages = islice(self._session.pages(path, page_size=size, **_said(params)), limit)
        return [self._read(kind, answer) for answer in pages]

    def _read(self, kind: Readable[T_co], answer: Any) -> T_co:
        with self._session.understood():
            return kind.from_json(answer)


def _said(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that were given a value: what is None is left as it is."""
    return _said(fields)


def expecting(expected: Revision | Expected | None) -> dict[str, str | None]:
    """Return the field that guards a move, if something is expected: a revision, or None for “nothing yet”."""
    if isinstance(expected, Expected):
        return {}
    return {"expected": None if expected is None else str(expected)}


def check_limit(limit: int) -> None:
    """Refuse to show nothing."""
    if limit < 1:
        raise ValidationFailed(f"A limit of {limit} would show nothing. Give 1 or more.")


def quoted(path: str) -> str:
    """Return the path of a file for an address; ValidationFailed for what is none, and would lead elsewhere."""
    if problem := path_problem(path):
        hint = " Write directories with “/”." if "\\" in path else ""
        raise ValidationFailed(f"“{path}” is no path in a version: it {problem}.{hint}")
    return quote(path)


def project_path(project: str, *more: str | int) -> str:
    """Return the API path of a project, or of something in it."""
    return path_of("projects", project, *more)


def ref_path(model: ModelName, kind: str, ref: str) -> str:
    """Return the API path of a ref; `kind` is branches, tags or aliases."""
    return path_of("projects", model.project, "models", model.model, kind, ref)
