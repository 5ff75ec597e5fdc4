"""Sign-ins kept on this machine, by server: one private JSON file. Knows nothing of HTTP.

`{"default": url, "servers": {url: {"email", "username", "access", "refresh"} or {"email", "username", "token"}}}`,
mode 0600, replaced as a whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmvp.client.errors import LocalFileError
from lmvp.client.locks import locked

SignIn = dict[str, str]


def config_dir() -> Path:
    """Return where settings of a person are kept on this system."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming") / "lmvp"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "lmvp"


class CredentialFile:
    """The sign-ins of one person. Change it under `locked()`: other processes use it too."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    @property
    def path(self) -> Path:
        return self._path or config_dir() / "credentials.json"

    def default_server(self) -> str | None:
        return self._read().get("default")

    def servers(self) -> dict[str, SignIn]:
        """Return the sign-ins of all servers by their address."""
        sign_ins: dict[str, SignIn] = self._read()["servers"]
        return sign_ins

    def get(self, server: str) -> SignIn | None:
        return self.servers().get(server)

    def keep(self, server: str, sign_in: SignIn) -> None:
        """Keep the sign-in, and make its server the default of this machine."""
        content = self._read()
        content["servers"][server] = sign_in
        content["default"] = server
        self._write(content)

    def prefer(self, server: str) -> None:
        """Make a server the default of this machine."""
        content = self._read()
        content["default"] = server
        self._write(content)

    def forget(self, server: str) -> None:
        content = self._read()
        if content["servers"].pop(server, None) is not None:
            self._write(content)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the file against other threads and processes: a refresh token may be used once only."""
        with contextlib.ExitStack() as held:
            with self._writing():
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                held.enter_context(locked(self.path.with_suffix(".lock")))
            yield

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            content = {}
        except (OSError, ValueError) as error:
            raise LocalFileError(f"Cannot read {self.path} ({error}). Delete it and sign in again.") from error
        return {"default": content.get("default"), "servers": content.get("servers", {})}

    def _write(self, content: dict[str, Any]) -> None:
        draft = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}")
        with self._writing():
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                    json.dump(content, file, indent=1)
                draft.replace(self.path)
            finally:
                draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LocalFileError(
                f"Cannot keep the sign-in in {self.path} ({error.strerror}). Set XDG_CONFIG_HOME to a directory that "
                "you can write, or set LMVP_TOKEN to an access token instead of signing in."
            ) from error
