"""The public Python face of LMVP: `import lmvp`, then login, download, update, publish, show_history …

The functions are the bound methods of one default `Client`. Importing this package imports nothing else: the server
lives below the same name, and must not load the client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lmvp.client import errors as errors
    from lmvp.client.api import Client as Client
    from lmvp.client.errors import LMVPError as LMVPError
    from lmvp.client.formats import Format as Format
    from lmvp.client.formats import Loading as Loading
    from lmvp.client.formats import register_format as register_format
    from lmvp.client.results.artifacts import Artifact as Artifact
    from lmvp.client.results.artifacts import Hierarchy as Hierarchy
    from lmvp.client.results.comparing import Comparison as Comparison
    from lmvp.client.results.comparing import FileComparison as FileComparison
    from lmvp.client.results.comparing import SideBySide as SideBySide
    from lmvp.client.results.files import Card as Card
    from lmvp.client.results.files import FileEntry as FileEntry
    from lmvp.client.results.files import FileHeader as FileHeader
    from lmvp.client.results.finding import SearchResult as SearchResult
    from lmvp.client.results.lineage import Lineage as Lineage
    from lmvp.client.results.merging import Merge as Merge
    from lmvp.client.results.metrics import Metric as Metric
    from lmvp.client.results.metrics import MetricOfVersion as MetricOfVersion
    from lmvp.client.results.metrics import Metrics as Metrics
    from lmvp.client.results.metrics import Series as Series
    from lmvp.client.results.models import RegisteredModel as RegisteredModel
    from lmvp.client.results.models import RetentionRule as RetentionRule
    from lmvp.client.results.models import TrashEntry as TrashEntry
    from lmvp.client.results.people import AccessToken as AccessToken
    from lmvp.client.results.people import Event as Event
    from lmvp.client.results.people import Invitation as Invitation
    from lmvp.client.results.people import Member as Member
    from lmvp.client.results.people import Membership as Membership
    from lmvp.client.results.people import Project as Project
    from lmvp.client.results.people import User as User
    from lmvp.client.results.refs import Alias as Alias
    from lmvp.client.results.refs import Branch as Branch
    from lmvp.client.results.refs import PastRef as PastRef
    from lmvp.client.results.refs import Tag as Tag
    from lmvp.client.runs import Run as Run
    from lmvp.client.versions import History as History
    from lmvp.client.versions import LocalModel as LocalModel
    from lmvp.client.versions import Move as Move
    from lmvp.client.versions import Version as Version

    _client = Client()
    accept_invitation = _client.accept_invitation
    activate = _client.activate
    alias = _client.alias
    aliases = _client.aliases
    artifact = _client.artifact
    artifact_metadata = _client.artifact_metadata
    artifact_tree = _client.artifact_tree
    artifacts = _client.artifacts
    best = _client.best
    branches = _client.branches
    card = _client.card
    compare = _client.compare
    compare_file = _client.compare_file
    create_artifact = _client.create_artifact
    create_branch = _client.create_branch
    create_hierarchy = _client.create_hierarchy
    create_model = _client.create_model
    create_project = _client.create_project
    create_token = _client.create_token
    create_user = _client.create_user
    delete_alias = _client.delete_alias
    delete_artifact = _client.delete_artifact
    delete_branch = _client.delete_branch
    delete_model = _client.delete_model
    delete_project = _client.delete_project
    delete_retention = _client.delete_retention
    delete_tag = _client.delete_tag
    delete_version = _client.delete_version
    deprecate = _client.deprecate
    download = _client.download
    follow = _client.follow
    download_archive = _client.download_archive
    download_artifact = _client.download_artifact
    events = _client.events
    files = _client.files
    hierarchies = _client.hierarchies
    history = _client.history
    inspect = _client.inspect
    invitations = _client.invitations
    invite = _client.invite
    lineage = _client.lineage
    load_artifact = _client.load_artifact
    list_cache = _client.list_cache
    log_metrics = _client.log_metrics
    login = _client.login
    logout = _client.logout
    members = _client.members
    merge = _client.merge
    metric_names = _client.metric_names
    metric_over_versions = _client.metric_over_versions
    metrics = _client.metrics
    model = _client.model
    models = _client.models
    move_branch = _client.move_branch
    moves = _client.moves
    prefer_server = _client.prefer_server
    project = _client.project
    projects = _client.projects
    protect = _client.protect
    prune_cache = _client.prune_cache
    publish = _client.publish
    servers = _client.servers
    run = _client.run
    read_file = _client.read_file
    ref_at = _client.ref_at
    remove_member = _client.remove_member
    rename_model = _client.rename_model
    rename_project = _client.rename_project
    restore = _client.restore
    retention = _client.retention
    revoke_token = _client.revoke_token
    rollback = _client.rollback
    search = _client.search
    series = _client.series
    set_alias = _client.set_alias
    set_member = _client.set_member
    set_retention = _client.set_retention
    set_tag = _client.set_tag
    showHistory = _client.show_history
    sync = _client.sync
    show_history = _client.show_history
    side_by_side = _client.side_by_side
    tags = _client.tags
    tokens = _client.tokens
    trash = _client.trash
    undelete_model = _client.undelete_model
    undelete_project = _client.undelete_project
    undelete_version = _client.undelete_version
    undeprecate = _client.undeprecate
    update = _client.update
    update_artifact = _client.update_artifact
    update_model = _client.update_model
    update_project = _client.update_project
    update_user = _client.update_user
    users = _client.users
    verify_cache = _client.verify_cache
    version = _client.version
    whoami = _client.whoami
    withdraw_invitation = _client.withdraw_invitation

_HOMES = {
    "AccessToken": "lmvp.client.results.people",
    "Alias": "lmvp.client.results.refs",
    "Artifact": "lmvp.client.results.artifacts",
    "Branch": "lmvp.client.results.refs",
    "Card": "lmvp.client.results.files",
    "Client": "lmvp.client.api",
    "Format": "lmvp.client.formats",
    "Comparison": "lmvp.client.results.comparing",
    "Event": "lmvp.client.results.people",
    "FileComparison": "lmvp.client.results.comparing",
    "FileEntry": "lmvp.client.results.files",
    "FileHeader": "lmvp.client.results.files",
    "Hierarchy": "lmvp.client.results.artifacts",
    "History": "lmvp.client.versions",
    "Invitation": "lmvp.client.results.people",
    "LMVPError": "lmvp.client.errors",
    "Loading": "lmvp.client.formats",
    "Lineage": "lmvp.client.results.lineage",
    "LocalModel": "lmvp.client.versions",
    "Member": "lmvp.client.results.people",
    "Membership": "lmvp.client.results.people",
    "Merge": "lmvp.client.results.merging",
    "Metric": "lmvp.client.results.metrics",
    "MetricOfVersion": "lmvp.client.results.metrics",
    "Metrics": "lmvp.client.results.metrics",
    "Move": "lmvp.client.versions",
    "Run": "lmvp.client.runs",
    "PastRef": "lmvp.client.results.refs",
    "Project": "lmvp.client.results.people",
    "RegisteredModel": "lmvp.client.results.models",
    "RetentionRule": "lmvp.client.results.models",
    "SearchResult": "lmvp.client.results.finding",
    "Series": "lmvp.client.results.metrics",
    "SideBySide": "lmvp.client.results.comparing",
    "Tag": "lmvp.client.results.refs",
    "TrashEntry": "lmvp.client.results.models",
    "User": "lmvp.client.results.people",
    "Version": "lmvp.client.versions",
    "register_format": "lmvp.client.formats",
}

__all__ = [
    "AccessToken",
    "Alias",
    "Artifact",
    "Branch",
    "Card",
    "Client",
    "Comparison",
    "Event",
    "FileComparison",
    "FileEntry",
    "FileHeader",
    "Format",
    "Hierarchy",
    "History",
    "Invitation",
    "LMVPError",
    "Lineage",
    "Loading",
    "LocalModel",
    "Member",
    "Membership",
    "Merge",
    "Metric",
    "MetricOfVersion",
    "Metrics",
    "Move",
    "PastRef",
    "Project",
    "RegisteredModel",
    "RetentionRule",
    "Run",
    "SearchResult",
    "Series",
    "SideBySide",
    "Tag",
    "TrashEntry",
    "User",
    "Version",
    "__version__",
    "accept_invitation",
    "activate",
    "alias",
    "aliases",
    "artifact",
    "artifact_metadata",
    "artifact_tree",
    "artifacts",
    "best",
    "branches",
    "card",
    "compare",
    "compare_file",
    "create_artifact",
    "create_branch",
    "create_hierarchy",
    "create_model",
    "create_project",
    "create_token",
    "create_user",
    "delete_alias",
    "delete_artifact",
    "delete_branch",
    "delete_model",
    "delete_project",
    "delete_retention",
    "delete_tag",
    "delete_version",
    "deprecate",
    "download",
    "download_archive",
    "download_artifact",
    "errors",
    "events",
    "files",
    "follow",
    "hierarchies",
    "history",
    "inspect",
    "invitations",
    "invite",
    "lineage",
    "list_cache",
    "load_artifact",
    "log_metrics",
    "login",
    "logout",
    "members",
    "merge",
    "metric_names",
    "metric_over_versions",
    "metrics",
    "model",
    "models",
    "move_branch",
    "moves",
    "prefer_server",
    "project",
    "projects",
    "protect",
    "prune_cache",
    "publish",
    "read_file",
    "ref_at",
    "register_format",
    "remove_member",
    "rename_model",
    "rename_project",
    "restore",
    "retention",
    "revoke_token",
    "rollback",
    "run",
    "search",
    "series",
    "servers",
    "set_alias",
    "set_member",
    "set_retention",
    "set_tag",
    "showHistory",
    "show_history",
    "side_by_side",
    "sync",
    "tags",
    "tokens",
    "trash",
    "undelete_model",
    "undelete_project",
    "undelete_version",
    "undeprecate",
    "update",
    "update_artifact",
    "update_model",
    "update_project",
    "update_user",
    "users",
    "verify_cache",
    "version",
    "whoami",
    "withdraw_invitation",
]


def __getattr__(name: str) -> Any:
    # Names that are not ours must fail without an import: `from lmvp import settings` asks here first.
    if name not in __all__:
        raise AttributeError(f"module 'lmvp' has no attribute {name!r}")
    if name == "errors":
        return import_module("lmvp.client.errors")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    return getattr(import_module("lmvp.client.api").default_client, name)


def __dir__() -> list[str]:
    return __all__
