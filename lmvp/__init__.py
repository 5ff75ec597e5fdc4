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
    from lmvp.client.versions import History as History
    from lmvp.client.versions import LocalModel as LocalModel
    from lmvp.client.versions import Move as Move
    from lmvp.client.versions import Version as Version

    _client = Client()
    aliases = _client.aliases
    create_project = _client.create_project
    delete_alias = _client.delete_alias
    download = _client.download
    history = _client.history
    lineage = _client.lineage
    list_cache = _client.list_cache
    log_metrics = _client.log_metrics
    login = _client.login
    logout = _client.logout
    metrics = _client.metrics
    models = _client.models
    moves = _client.moves
    projects = _client.projects
    prune_cache = _client.prune_cache
    publish = _client.publish
    set_alias = _client.set_alias
    set_tag = _client.set_tag
    show_history = _client.show_history
    showHistory = _client.show_history
    update = _client.update
    verify_cache = _client.verify_cache
    version = _client.version
    whoami = _client.whoami

_HOMES = {
    "Client": "lmvp.client.api",
    "History": "lmvp.client.versions",
    "LMVPError": "lmvp.client.errors",
    "LocalModel": "lmvp.client.versions",
    "Move": "lmvp.client.versions",
    "Version": "lmvp.client.versions",
}

__all__ = [
    "Client",
    "History",
    "LMVPError",
    "LocalModel",
    "Move",
    "Version",
    "__version__",
    "aliases",
    "create_project",
    "delete_alias",
    "download",
    "errors",
    "history",
    "lineage",
    "list_cache",
    "log_metrics",
    "login",
    "logout",
    "metrics",
    "models",
    "moves",
    "projects",
    "prune_cache",
    "publish",
    "set_alias",
    "set_tag",
    "showHistory",
    "show_history",
    "update",
    "verify_cache",
    "version",
    "whoami",
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
