"""Other people's libraries: whether they are imported or installed, and importing one when a file needs it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from typing import Any

from lmvp.client.errors import UnknownFormat


def is_a(obj: Any, *classes: str) -> bool:
    """Whether it is an instance of "module.Class". Of a library that nobody imported there are no instances."""
    return any(isinstance(obj, kind) for kind in map(_imported, classes) if kind is not None)


def _imported(dotted: str) -> type | None:
    module, _, name = dotted.rpartition(".")
    kind = getattr(sys.modules.get(module), name, None)
    return kind if isinstance(kind, type) else None


def is_installed(module: str) -> bool:
    """Whether a module could be imported; it is not."""
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def needed(module: str, package: str, what: str) -> Any:
    """Import a module; UnknownFormat says which package to install. `what` it is needed for begins the sentence."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if is_installed(module.partition(".")[0]):
            raise UnknownFormat(
                f"{what} needs {package}, which cannot be imported here: {error}. Repair it: pip install --upgrade {package}."
            ) from error
        raise UnknownFormat(f"{what} needs {package}. Install it: pip install {package}.") from error


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of every package that is installed."""
    from importlib import metadata  # slow to import, and rarely needed

    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
