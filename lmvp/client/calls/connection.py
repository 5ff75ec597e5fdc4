"""What every call stands on: a session with one server, and the meaning of names for its caller."""

from __future__ import annotations

from lmvp.client.errors import ValidationFailed
from lmvp.client.http import Session, path_of
from lmvp.client.naming import ModelName, Names
from lmvp.client.versions import Version

Revision = str | int
LARGEST_PAGE = 200


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
            answer = self._session.call("GET", model.version_path(revision))
        with self._session.understood():
            return Version.from_json(answer)


def check_limit(limit: int) -> None:
    """Refuse to show nothing."""
    if limit < 1:
        raise ValidationFailed(f"A limit of {limit} would show nothing. Give 1 or more.")


def ref_path(model: ModelName, kind: str, ref: str) -> str:
    """Return the API path of a ref; `kind` is branches, tags or aliases."""
    return path_of("projects", model.project, "models", model.model, kind, ref)
