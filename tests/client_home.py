"""A home of its own for the client in a test, and clients of the cast."""

from __future__ import annotations

from pathlib import Path

import pytest

from accounts.models import User
from accounts.services.access_tokens import create_access_token
from lmvp.client.api import Client
from tests.cast import PASSWORD

SAID = ("LMVP_SERVER", "LMVP_TOKEN", "LMVP_PROJECT", "LMVP_OFFLINE")
KEPT = {"XDG_CONFIG_HOME": "config", "LMVP_CACHE": "cache", "LMVP_RUNS": "runs"}


def home_of_its_own(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing of the developer's own machine be read or written."""
    for name in SAID:
        monkeypatch.delenv(name, raising=False)
    for name, directory in KEPT.items():
        monkeypatch.setenv(name, str(place / "home" / directory))


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home_of_its_own(tmp_path, monkeypatch)


def client_with_token(server: str, user: User) -> Client:
    """Return a client of this user by an access token: several of them share no credential file."""
    _, text = create_access_token(actor=user, name="desk", scope="write")
    return Client(server, token=text)


def signed_in(server: str, user: User) -> Client:
    """Return a client that has signed in with the password, which its home keeps."""
    client = Client(server)
    client.login(user.email, PASSWORD)
    return client
