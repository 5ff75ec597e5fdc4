"""The registry's pages and their addresses: /{project}/, /{project}/-/… for what belongs to it, /{project}/{model}/…"""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from accounts.models import NAME_PATTERN, RESERVED_NAMES
from registry.models import Ref
from registry.models.versions import MODEL_NAME
from registry.web import (
    activity,
    artifacts,
    client,
    comparing,
    files,
    graph,
    history,
    members,
    merging,
    metrics,
    model_settings,
    overview,
    project_metrics,
    project_settings,
    projects,
    publishing,
    refs,
    search,
    trash,
    trees,
    version_actions,
    versions,
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


class RefKind:
    """What a ref is: a branch, a tag or an alias."""

    regex = "|".join(Ref.Kind.values)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(RefKind, "kind")
register_converter(ProjectName, "project")
register_converter(ModelName, "model")


def at(address: str, view: View, name: str) -> URLPattern:
    return path(address, page(view), name=name)


PROJECT = "<project:project>/"
MODEL = PROJECT + "<model:model>/"
VERSION = MODEL + "versions/<str:revision>/"
REF = MODEL + "refs/<kind:kind>/<str:name>/"
COMPARED = MODEL + "compare/<str:base>...<str:head>/"

routes = [
    # The site
    at("search/", search.results, "search"),
    at("client/", client.overview, "client"),
    at("client/<str:name>", client.wheel, "client-wheel"),
    at("projects/new/", projects.new_project, "new-project"),
    at("trash/", trash.projects, "trash"),
    at("trash/<slug:project>/undelete/", trash.take_project_back, "undelete-project"),
    # A project
    at(PROJECT, projects.overview, "project"),
    at(PROJECT + "-/metrics/", project_metrics.overview, "project-metrics"),
    at(PROJECT + "-/activity/", activity.overview, "activity"),
    at(PROJECT + "-/models/new/", projects.new_model, "new-model"),
    at(PROJECT + "-/members/", members.overview, "members"),
    at(PROJECT + "-/members/add/", members.add, "add-member"),
    at(PROJECT + "-/members/invite/", members.invite, "invite-member"),
    at(PROJECT + "-/members/<slug:username>/role/", members.set_role, "set-role"),
    at(PROJECT + "-/members/<slug:username>/remove/", members.remove, "remove-member"),
    at(PROJECT + "-/members/invitations/<int:pk>/resend/", members.resend, "resend-invitation"),
    at(PROJECT + "-/members/invitations/<int:pk>/withdraw/", members.withdraw, "withdraw-invitation"),
    at(PROJECT + "-/settings/", project_settings.overview, "project-settings"),
    at(PROJECT + "-/settings/visibility/", project_settings.set_visibility, "set-visibility"),
    at(PROJECT + "-/settings/rename/", project_settings.rename, "rename-project"),
    at(PROJECT + "-/settings/delete/", project_settings.delete, "delete-project"),
    at(PROJECT + "-/trash/", trash.models, "project-trash"),
    at(PROJECT + "-/trash/<model:model>/undelete/", trash.take_model_back, "undelete-model"),
    at(PROJECT + "-/artifacts/", artifacts.roots, "artifacts"),
    at(PROJECT + "-/artifacts/<str:artifact>/", artifacts.artifact, "artifact"),
    # A model
    at(MODEL, overview.overview, "model"),
    at(MODEL + "metrics/", metrics.of_model, "metrics"),
    at(MODEL + "publish/", publishing.publish, "publish"),
    at(MODEL + "settings/", model_settings.overview, "model-settings"),
    at(MODEL + "settings/rename/", model_settings.rename, "rename-model"),
    at(MODEL + "settings/retention/", model_settings.rule, "retention"),
    at(MODEL + "settings/retention/delete/", model_settings.drop_rule, "delete-retention"),
    at(MODEL + "settings/delete/", model_settings.delete, "delete-model"),
    at(MODEL + "trash/", trash.versions, "model-trash"),
    at(MODEL + "trash/<str:revision>/undelete/", trash.take_version_back, "undelete-version"),
    # Versions
    at(MODEL + "versions/", history.versions, "versions"),
    at(MODEL + "graph/", graph.graph, "graph"),
    at(VERSION, versions.version, "version"),
    at(VERSION + "lineage/", versions.lineage, "version-lineage"),
    at(VERSION + "tag/", version_actions.tag, "tag-version"),
    at(VERSION + "branch/", version_actions.branch, "branch-version"),
    at(VERSION + "alias/", version_actions.alias, "alias-version"),
    at(VERSION + "restore/", version_actions.restore, "restore-version"),
    at(VERSION + "log/", version_actions.log_metric, "log-metric"),
    at(VERSION + "deprecate/", version_actions.deprecate, "deprecate-version"),
    at(VERSION + "delete/", version_actions.delete, "delete-version"),
    at(VERSION + "take-back/", version_actions.take_back, "take-back-version"),
    # The files of a version
    at(VERSION + "tree/", trees.tree, "tree"),
    at(VERSION + "tree/<path:path>", trees.tree, "tree-at"),
    at(VERSION + "files/", files.root, "files"),
    at(VERSION + "files/<path:path>", files.file, "file"),
    at(VERSION + "raw/<path:path>", files.raw, "raw"),
    # Refs
    at(MODEL + "refs/", refs.overview, "refs"),
    at(MODEL + "refs/new/", refs.new, "new-ref"),
    at(REF, refs.history, "ref"),
    at(REF + "move/", refs.move, "move-ref"),
    at(REF + "change/", refs.change, "change-ref"),
    at(REF + "delete/", refs.delete, "delete-ref"),
    at(MODEL + "refs/alias/<str:name>/rollback/", refs.roll_back, "roll-back-alias"),
    at(MODEL + "merge/", merging.merge, "merge"),
    # Comparing
    at(MODEL + "compare/", comparing.choose, "compare-choose"),
    at(COMPARED, comparing.compare, "compare"),
    at(COMPARED + "files/<path:path>", comparing.file, "compare-file"),
]
