"""Where a page is: the project, model and version of its address, and what its visitor may do there."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.encoding import escape_uri_path

from registry.models import Project, RegisteredModel, Version
from registry.permissions import Action, can
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
    """What an address names, found for its visitor."""

    request: HttpRequest
    project: Project
    model: RegisteredModel | None = None
    version: Version | None = None
    revision: str = ""  # as it stands in the address

    @property
    def may(self) -> Rights:
        return Rights(self.request, self.project)

    @property
    def named(self) -> tuple[RegisteredModel, Version]:
        """The model and the version, of an address that names both."""
        assert self.model
        assert self.version
        return self.model, self.version

    @property
    def twin(self) -> str:
        """The address of the same thing as JSON."""
        if self.model is None:
            return reverse("project", args=[self.project.name])
        if self.version is None:
            return reverse("model", args=[self.project.name, self.model.name])
        return reverse("version", args=[self.project.name, self.model.name, self.revision])


def project_at(request: HttpRequest, project: str) -> Place:
    """Return the project of an address; DoesNotExist for what its visitor may not see, Moved for a former name."""
    found = find_project(actor=request.user, name=project)
    _stay(request, found.name)
    return Place(request, found)


def model_at(request: HttpRequest, project: str, model: str) -> Place:
    """Return the model of an address, with its project; refuses as `project_at` does."""
    found = find_model(actor=request.user, project=project, name=model)
    _stay(request, found.project.name, found.name)
    return Place(request, found.project, found)


def version_at(request: HttpRequest, project: str, model: str, revision: str) -> Place:
    """Return the version that a revision names, with the figures of its tree; not one that is in the trash."""
    place = model_at(request, project, model)
    assert place.model
    place.version = place.model.versions.filter(trashed_at=None).with_figures().at(place.model, revision)
    place.version.model = place.model
    place.revision = revision
    return place


def _stay(request: HttpRequest, *names: str) -> None:
    """Raise Moved where the first parts of the address are not these names."""
    parts = request.path.split("/")
    if parts[1 : 1 + len(names)] != list(names) and request.method in ("GET", "HEAD"):
        parts[1 : 1 + len(names)] = names
        query = request.META.get("QUERY_STRING", "")
        raise Moved(escape_uri_path("/".join(parts)) + (f"?{query}" if query else ""))
