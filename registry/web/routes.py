"""The registry's pages and their addresses: /{project}/, /{project}/-/… for what belongs to it, /{project}/{model}/…"""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from accounts.models import NAME_PATTERN, RESERVED_NAMES
from registry.models.versions import MODEL_NAME
from registry.web import models, project_metrics, projects, publishing, search
from registry.web.pages import View, page


class ProjectName:
    """A name that a project can have: no word of the site's own addresses."""

    regex = NAME_PATTERN

    def to_python(self, value: str) -> str:
        if value in RESERVED_NAMES:
            raise ValueError(value)
        return value

    def to_url(self, value: str) -> str:
        return value


class ModelName:
    """A name that a model can have; `-` is none, and so divides a project's own pages from its models."""

    regex = MODEL_NAME.pattern

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ProjectName, "project")
register_converter(ModelName, "model")


def at(address: str, view: View, name: str) -> URLPattern:
    return path(address, page(view), name=name)


PROJECT = "<project:project>/"
MODEL = PROJECT + "<model:model>/"
VERSION = MODEL + "versions/<str:revision>/"

routes = [
    at("search/", search.results, "search"),
    at("projects/new/", projects.new_project, "new-project"),
    at(PROJECT, projects.overview, "project"),
    at(PROJECT + "-/models/new/", projects.new_model, "new-model"),
    at(PROJECT + "-/metrics/", project_metrics.overview, "project-metrics"),
    at(MODEL, models.overview, "model"),
    at(MODEL + "versions/", models.history, "versions"),
    at(VERSION, models.version, "version"),
    at(MODEL + "publish/", publishing.publish, "publish"),
]
