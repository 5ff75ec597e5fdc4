"""Projects and their registered models."""

from __future__ import annotations

from typing import Any, Literal

from lmvp.client.calls.connection import LARGEST_PAGE, Connected
from lmvp.client.http import path_of


class Projects(Connected):
    def projects(self) -> list[dict[str, Any]]:
        """Return [{name, description, visibility, role, …}] of the projects that you may see."""
        return list(self._session.pages(path_of("projects"), page_size=LARGEST_PAGE))

    def create_project(
        self, name: str, *, description: str = "", visibility: Literal["private", "internal", "public"] = "private"
    ) -> dict[str, Any]:
        """Make a project that you own."""
        body = {"name": name, "description": description, "visibility": visibility}
        project: dict[str, Any] = self._session.call("POST", path_of("projects"), body)
        return project

    def models(self, project: str | None = None) -> list[dict[str, Any]]:
        """Return [{name, kind, description, versions, latest, aliases, …}] of a project; without one, of yours."""
        owner = self._owner(project)
        return list(self._session.pages(path_of("projects", owner, "models"), page_size=LARGEST_PAGE))
