"""A client of the test's server, signed in as one of the cast, with a home of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from accounts.models import User
from lmvp.client.api import Client
from tests.cast import PASSWORD


def home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of the developer's own machine be read or written."""
    for name in ("LMVP_SERVER", "LMVP_TOKEN", "LMVP_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for name, place in {"XDG_CONFIG_HOME": "config", "LMVP_CACHE": "cache", "LMVP_RUNS": "runs"}.items():
        monkeypatch.setenv(name, str(tmp_path / "home" / place))


def signed_in(server: str, user: User) -> Client:
    client = Client(server)
    client.login(user.email, PASSWORD)
    return client
