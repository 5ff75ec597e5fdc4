"""Which model a name means, and what to say when it means none. Reads only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lmvp.client.errors import AmbiguousName, AuthenticationError, NotFound, ValidationFailed
from lmvp.client.guessing import close_of, close_to
from lmvp.client.http import Session, path_of

WRITING_ROLES = frozenset(["contributor", "maintainer", "owner"])


@dataclass(frozen=True)
class ModelName:
    """A model's full name; `str()` gives project/model."""

    project: str
    model: str

    @property
    def path(self) -> str:
        """Its API path."""
        return path_of("projects", self.project, "models", self.model)

    def version_path(self, revision: str | int) -> str:
        return path_of("projects", self.project, "models", self.model, "versions", revision)

    def __str__(self) -> str:
        return f"{self.project}/{self.model}"


@dataclass(frozen=True)
class Names:
    """Resolves names for one caller. `project` is the one that names without “/” belong to, if there is one."""

    session: Session
    project: str | None = None

    def default_project(self) -> str | None:
        return self.project or os.environ.get("LMVP_PROJECT") or None

    def resolve(self, name: str, *, writing: bool = False) -> ModelName:
        """Return what the name means: project/model; else the default project's; else the personal project's; else
        the only visible model of that name (writing: that one may write). AmbiguousName lists several."""
        if said := self._said(name):
            return said
        personal = self.personal_project()
        own = [ModelName(personal, model) for model in self.models_of(personal)] if personal else []
        for one in own:
            if one.model.lower() == name.lower():
                return one
        return self._elsewhere(name, personal, own, writing=writing)

    def resolve_new(self, name: str) -> ModelName:
        """Return where a model of this name is published, there already or not: never in a project that was not named.

        A name without “/” is the default project's, else the personal project's.
        """
        if said := self._said(name):
            return said
        personal = self.personal_project()
        if not personal:
            raise AuthenticationError("You are not signed in. Sign in: `lmvp login` or lmvp.login(…).")
        return ModelName(personal, name)

    def _said(self, name: str) -> ModelName | None:
        """Return what the name means by itself or by the default project, without asking the server."""
        if "/" in name:
            return _split(name)
        if not name:
            raise ValidationFailed("The name is empty. Write it like project/model.")
        project = self.default_project()
        return ModelName(project, name) if project else None

    def _elsewhere(self, name: str, personal: str | None, own: list[ModelName], *, writing: bool) -> ModelName:
        projects = [
            project["name"]
            for project in self.session.pages(path_of("projects"), page_size=200)
            if project["name"] != personal and (not writing or project["role"] in WRITING_ROLES)
        ]
        visible = [ModelName(project, model) for project in projects for model in self.models_of(project)]
        fitting = [one for one in visible if one.model.lower() == name.lower()]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            listed = sorted(map(str, fitting))
            raise AmbiguousName(
                f"“{name}” may be any of {', '.join(listed)}. Write it in full, or set LMVP_PROJECT.",
                fields={"models": listed},
            )
        may = "write to" if writing else "see"
        raise NotFound(
            f"There is no model “{name}” that you may {may}.{close_of(name, _known(own + visible))} {self._next_step()}"
        )

    def personal_project(self) -> str | None:
        """Return the caller's, or None for someone who is not signed in."""
        try:
            username: str = self.session.call("GET", "/auth/me/")["username"]
        except AuthenticationError:
            if self.session.has_credentials:
                raise
            return None
        return username

    def models_of(self, project: str) -> list[str]:
        with contextlib.suppress(NotFound):
            return [m["name"] for m in self.session.pages(path_of("projects", project, "models"), page_size=200)]
        return []

    def refs_of(self, name: ModelName) -> list[str]:
        """Return the names of versions that a model has: branches, tags, aliases."""
        kinds = ("aliases", "branches", "tags")
        with contextlib.suppress(NotFound):
            return [ref["name"] for kind in kinds for ref in self.session.pages(f"{name.path}{kind}/", page_size=200)]
        return []

    @contextlib.contextmanager
    def explained_in(self, project: str) -> Iterator[None]:
        """Say of a NotFound in a project that the project is missing, if it is, and which may have been meant."""
        try:
            yield
        except NotFound as error:
            projects = [one["name"] for one in self.session.pages(path_of("projects"), page_size=200)]
            if project in projects or error.code != "not_found":
                raise
            raise error.saying(
                f"There is no project “{project}” that you may see.{close_to(project, projects)} "
                "List what there is: lmvp.projects() / `lmvp projects`."
            ) from error

    @contextlib.contextmanager
    def explained(self, name: ModelName, revision: str | int | None = None) -> Iterator[None]:
        """Say of a NotFound what exactly is missing, and what may have been meant."""
        try:
            yield
        except NotFound as error:
            raise self._missing(name, revision, error) from error
        except ValidationFailed as error:
            if error.code != "unknown_revision" or revision is None:
                raise
            raise error.saying(f"{error.message}{close_to(str(revision), self.refs_of(name))}") from error

    def _missing(self, name: ModelName, revision: str | int | None, error: NotFound) -> NotFound:
        models = [ModelName(name.project, model) for model in self.models_of(name.project)]
        if name.model.lower() not in (one.model.lower() for one in models):
            meant = close_of(name.model, _known(models)) if models else self._project_meant(name.project)
            return error.saying(f"There is no model {name} that you may see.{meant} {self._next_step()}")
        if revision is None or error.code != "not_found":
            return error
        meant = close_to(str(revision), self.refs_of(name))
        return error.saying(
            f"{name} has no revision “{revision}”.{meant} See what it has: "
            f"lmvp.show_history({str(name)!r}) / `lmvp history {name}`."
        )

    def _project_meant(self, project: str) -> str:
        """Return which project may have been meant; nothing for one that is there, and has no models."""
        known = [one["name"] for one in self.session.pages(path_of("projects"), page_size=200)]
        return "" if project in known else close_to(project, known)

    def _next_step(self) -> str:
        if self.session.has_credentials:
            return (
                "List what there is: lmvp.models(project) / `lmvp models PROJECT`, "
                "or make it: lmvp.publish(name, path) / `lmvp publish NAME PATH`."
            )
        return "You are not signed in: `lmvp login` or lmvp.login(…) may show you more."


def _split(name: str) -> ModelName:
    project, _, model = name.partition("/")
    if not project or not model or "/" in model:
        raise ValidationFailed(f"“{name}” is not the name of a model. Write it like project/model.")
    return ModelName(project, model)


def _known(models: Iterable[ModelName]) -> dict[str, str]:
    return {one.model: str(one) for one in models}
