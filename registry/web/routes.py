"""The registry's pages and their addresses: /{project}/, /{project}/-/… for what belongs to it, /{project}/{model}/…"""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from accounts.models import NAME_PATTERN, RESERVED_NAMES
from registry.models.versions import MODEL_NAME
from registry.web import (
    activity,
    graph,
    history,
    members,
    metrics,
    model_settings,
    models,
    project_settings,
    projects,
    publishing,
    trash,
)
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
    at("trash/", trash.projects, "trash"),
    at("trash/<slug:project>/undelete/", trash.take_project_back, "undelete-project"),
    at(PROJECT, projects.overview, "project"),
    at(PROJECT + "-/members/", members.overview, "members"),
    at(PROJECT + "-/members/add/", members.add, "add-member"),
    at(PROJECT + "-/members/invite/", members.invite, "invite-member"),
    at(PROJECT + "-/members/<slug:username>/role/", members.set_role, "set-role"),
    at(PROJECT + "-/members/<slug:username>/remove/", members.remove, "remove-member"),
    at(PROJECT + "-/members/invitations/<int:pk>/resend/", members.resend, "resend-invitation"),
    at(PROJECT + "-/members/invitations/<int:pk>/withdraw/", members.withdraw, "withdraw-invitation"),
    at(PROJECT + "-/activity/", activity.overview, "activity"),
    at(PROJECT + "-/settings/", project_settings.overview, "project-settings"),
    at(PROJECT + "-/settings/visibility/", project_settings.set_visibility, "set-visibility"),
    at(PROJECT + "-/settings/rename/", project_settings.rename, "rename-project"),
    at(PROJECT + "-/settings/delete/", project_settings.delete, "delete-project"),
    at(PROJECT + "-/trash/", trash.models, "project-trash"),
    at(PROJECT + "-/trash/<model:model>/undelete/", trash.take_model_back, "undelete-model"),
    at(MODEL, models.overview, "model"),
    at(MODEL + "versions/", history.versions, "versions"),
    at(MODEL + "graph/", graph.graph, "graph"),
    at(MODEL + "metrics/", metrics.of_model, "metrics"),
    at(MODEL + "settings/", model_settings.overview, "model-settings"),
    at(MODEL + "settings/rename/", model_settings.rename, "rename-model"),
    at(MODEL + "settings/retention/", model_settings.rule, "retention"),
    at(MODEL + "settings/retention/delete/", model_settings.drop_rule, "delete-retention"),
    at(MODEL + "settings/delete/", model_settings.delete, "delete-model"),
    at(MODEL + "trash/", trash.versions, "model-trash"),
    at(MODEL + "trash/<str:revision>/undelete/", trash.take_version_back, "undelete-version"),
    at(VERSION, models.version, "version"),
    at(MODEL + "publish/", publishing.publish, "publish"),
]
