"""Where a page is: the project, model and version of its address, and what its visitor may do there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse
from django.utils.encoding import escape_uri_path

from accounts.models import User
from registry.models import Project, RegisteredModel, Version
from registry.permissions import Action, can, require
from registry.services.projects import find_project
from registry.services.registered_models import find_model


class Moved(Exception):
    """The address holds a former name, or another spelling: the page is at `address`."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


@dataclass(frozen=True, slots=True)
class Rights:
    """What a visitor may do in a project, for templates: `{% if may.publish %}`."""

    request: HttpRequest
    project: Project

    def __getitem__(self, action: str) -> bool:
        return can(self.request.user, Action[action.upper()], self.project)


@dataclass(slots=True)
class Place:
    """What an address names, found for its visitor: a project."""

    request: HttpRequest
    project: Project

    @property
    def may(self) -> Rights:
        return Rights(self.request, self.project)

    @property
    def twin(self) -> str:
        """The address of the same thing as JSON."""
        return reverse("project", args=[self.project.name])


@dataclass(slots=True)
class ModelPlace(Place):
    """The place of a registered model."""

    model: RegisteredModel

    @property
    def twin(self) -> str:
        return reverse("model", args=[self.project.name, self.model.name])


@dataclass(slots=True)
class VersionPlace(ModelPlace):
    """The place of a version."""

    version: Version
    revision: str  # as it stands in the address

    @property
    def twin(self) -> str:
        return reverse("version", args=[self.project.name, self.model.name, self.revision])


def actor_of(request: HttpRequest) -> User:
    """Return who acts; PermissionDenied, which leads to signing in, where nobody is signed in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


P = TypeVar("P", bound=Place)


def project_at(request: HttpRequest, project: str, *, action: Action | None = None) -> Place:
    """Return the project of an address, to somebody who may do the action there.

    DoesNotExist for what its visitor may not see, Moved for a former name, RoleTooLow for who may see it and no more.
    """
    found = find_project(actor=request.user, name=project)
    _stay(request, found.name)
    return _allowed(Place(request, found), action)


def model_at(request: HttpRequest, project: str, model: str, *, action: Action | None = None) -> ModelPlace:
    """Return the model of an address, with its project; refuses as `project_at` does."""
    found = find_model(actor=request.user, project=project, name=model)
    _stay(request, found.project.name, found.name)
    return _allowed(ModelPlace(request, found.project, found), action)


def version_at(
    request: HttpRequest, project: str, model: str, revision: str, *, action: Action | None = None
) -> VersionPlace:
    """Return the version that a revision names, with the figures of its tree; not one that is in the trash."""
    there = model_at(request, project, model)
    version = there.model.versions.filter(trashed_at=None).with_figures().at(there.model, revision)
    version.model = there.model
    return _allowed(VersionPlace(request, there.project, there.model, version, revision), action)


def _allowed(place: P, action: Action | None) -> P:
    if action:
        require(place.request.user, action, place.project)
    return place


def _stay(request: HttpRequest, *names: str) -> None:
    """Raise Moved where the first parts of the address are not these names."""
    parts = request.path.split("/")
    if parts[1 : 1 + len(names)] != list(names) and request.method in ("GET", "HEAD"):
        parts[1 : 1 + len(names)] = names
        query = request.META.get("QUERY_STRING", "")
        raise Moved(escape_uri_path("/".join(parts)) + (f"?{query}" if query else ""))
