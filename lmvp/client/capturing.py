"""What a version can be traced back by: the commit, Python, its libraries, the command line. Only if asked for; no secrets.

{"git": {"commit", "branch", "dirty", "remote"}, "python", "platform", "libraries": {package: version}, "command"}
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from lmvp.client.formats import libraries

CAPTURED = "captured"  # its key in a version's metadata
HIDDEN = "***"
LONGEST_COMMAND = 2000  # characters
MOST_LIBRARIES = 500
GIT_SECONDS = 5
# A word that ends like one of these, as an option or before “=”, names a secret.
SECRET_NAME = re.compile(
    r"(token|password|passwd|passphrase|pass|pwd|secret|credentials?|auth|(api|access|private)?[-_]?key)$", re.I
)
SECRET_WORD = re.compile(
    r"^(lmvp_|hf_|gh[a-z]_|github_pat_|glpat-|sk-|xox[a-z]-|AKIA|eyJ)[\w.-]{8,}$|^(Bearer|Basic)\s", re.I
)
USER_OF_ADDRESS = re.compile(r"(?<=://)[^/\s]*@")


def added(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the metadata with what is captured now; a key “captured” of the caller's own stays as it is."""
    return {CAPTURED: captured(), **(metadata or {})}


def captured() -> dict[str, Any]:
    """Return what can be known here; what cannot is left out."""
    found = {
        "git": _git(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": _libraries(),
        "command": command(sys.argv),
    }
    return {name: value for name, value in found.items() if value}


def command(words: Sequence[str]) -> str:
    """Return a command line as one writes it, its secrets hidden."""
    return shlex.join(_masked(words))[:LONGEST_COMMAND]


def _masked(words: Sequence[str]) -> list[str]:
    masked: list[str] = []
    follows = False  # the word before was an option that takes a secret
    for word in words:
        name, equals, value = word.partition("=")
        if follows or SECRET_WORD.search(word):
            masked.append(HIDDEN)
        elif equals and (SECRET_NAME.search(name) or SECRET_WORD.search(value)):
            masked.append(f"{name}={HIDDEN}")
        else:
            masked.append(without_user(word))
        follows = word.startswith("-") and not equals and bool(SECRET_NAME.search(word))
    return masked


def without_user(address: str) -> str:
    """Return an address without the name and password that may stand in it."""
    return USER_OF_ADDRESS.sub("", address)


def _git() -> dict[str, Any]:
    commit = _ask_git("rev-parse", "HEAD")
    if not commit:
        return {}
    remote = _ask_git("config", "--get", "remote.origin.url") or ""
    found = {
        "commit": commit,
        "branch": _ask_git("symbolic-ref", "--short", "--quiet", "HEAD"),  # None: detached
        "remote": without_user(remote).partition("?")[0],
    }
    changed = _ask_git("status", "--porcelain", "--untracked-files=no")
    return {name: value for name, value in found.items() if value} | (
        {} if changed is None else {"dirty": bool(changed)}
    )


def _ask_git(*words: str) -> str | None:
    """Return what Git says of the current directory; None where there is no Git, no repository or no answer in time."""
    import subprocess  # slow to import, and rarely needed, like the next one

    try:
        done = subprocess.run(
            ["git", *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _libraries() -> dict[str, str]:
    """Return {package: version} of the packages whose top-level modules are imported."""
    from importlib import metadata

    homes = metadata.packages_distributions()
    imported = {name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names
    packages = sorted({package for name in imported for package in homes.get(name, ())}, key=str.lower)
    return libraries.versions(packages[:MOST_LIBRARIES])
