"""Projects: made, changed, deleted and taken back; and what happened in them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from lmvp.client.calls.connection import Connected, check_limit, given, project_path
from lmvp.client.http import path_of
from lmvp.client.results.models import TrashEntry
from lmvp.client.results.people import Event, Project

Visibility = Literal["private", "internal", "public"]
Moment = str | date | datetime


class Projects(Connected):
    def projects(self) -> list[Project]:
        """Return the projects that you may see."""
        return self._all(Project, path_of("projects"))

    def project(self, name: str) -> Project:
        """Return one project."""
        with self._names.explained_in(name):
            return self._ask(Project, "GET", project_path(name))

    def create_project(self, name: str, *, description: str = "", visibility: Visibility = "private") -> Project:
        """Make a project that you own."""
        body = {"name": name, "description": description, "visibility": visibility}
        return self._ask(Project, "POST", path_of("projects"), body)

    def update_project(
        self, name: str, *, description: str | None = None, visibility: Visibility | None = None
    ) -> Project:
        """Change what is given."""
        with self._names.explained_in(name):
            body = given(description=description, visibility=visibility)
            return self._ask(Project, "PATCH", project_path(name), body)

    def rename_project(self, name: str, new_name: str) -> Project:
        """Give a project another name; the former one keeps leading to it."""
        with self._names.explained_in(name):
            return self._ask(Project, "PATCH", project_path(name), {"name": new_name})

    def delete_project(self, name: str) -> TrashEntry:
        """Put a project into the trash, with all that is in it; `undelete_project` takes it back."""
        with self._names.explained_in(name):
            return self._ask(TrashEntry, "DELETE", project_path(name))

    def undelete_project(self, name: str) -> Project:
        """Take a project back from the trash."""
        return self._ask(Project, "POST", project_path(name, "undelete"))

    def trash(self, name: str | None = None) -> list[TrashEntry]:
        """Return what can be taken back: your projects; with a project its models; with project/model its versions."""
        if name is None:
            return self._all(TrashEntry, path_of("trash"))
        project, _, model = name.partition("/")
        with self._names.explained_in(project):
            place = ("models", model) if model else ()
            return self._all(TrashEntry, project_path(project, *place, "trash"))

    def events(
        self,
        project: str | None = None,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 50,
    ) -> list[Event]:
        """Return the audit log of a project, newest first: who did what. For maintainers.

        `action` is like alias.moved, or alias. for all that begin so; `subject` the beginning of one.
        """
        check_limit(limit)
        owner = self._owner(project)
        asked = {"actor": actor, "action": action, "subject": subject, "since": told(since), "until": told(until)}
        with self._names.explained_in(owner):
            return self._all(Event, project_path(owner, "events"), limit=limit, **asked)


def told(moment: Moment | None) -> str | None:
    """Return a time as the server reads it; one without a zone is of this machine."""
    if isinstance(moment, datetime):
        return moment.astimezone().isoformat()
    return moment.isoformat() if isinstance(moment, date) else moment
