"""The cast at their own machines: a client for each, by access token, and files to publish."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from accounts.models import User
from accounts.services.access_tokens import create_access_token
from lmvp.client.api import Client
from tests.cast import Cast


@dataclass(frozen=True)
class Team:
    """alice owns the project `vision`; carol maintains, bob contributes, dave views; charlie is an outsider."""

    server: str
    desk: Path
    alice: Client
    carol: Client
    bob: Client
    dave: Client
    charlie: Client

    def files(self, name: str = "weights", **content: object) -> Path:
        """Write a directory: arrays as .npy, texts as .md, anything else as JSON."""
        directory = self.desk / name
        directory.mkdir(exist_ok=True)
        for key, value in content.items():
            if isinstance(value, np.ndarray):
                np.save(directory / f"{key}.npy", value)
            else:
                text = value if isinstance(value, str) else json.dumps(value, indent=1) + "\n"
                (directory / f"{key}.{'md' if isinstance(value, str) else 'json'}").write_text(text, "utf-8")
        return directory


def make_team(server: str, cast: Cast, desk: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """Give everybody a client; nothing of the developer's own machine is read or written."""
    for name in ("LMVP_SERVER", "LMVP_TOKEN", "LMVP_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(desk / "home" / "config"))
    monkeypatch.setenv("LMVP_CACHE", str(desk / "home" / "cache"))
    names = ("alice", "carol", "bob", "dave", "charlie")
    return Team(server, desk, **{name: client_of(server, getattr(cast, name)) for name in names})


def client_of(server: str, user: User) -> Client:
    _, text = create_access_token(actor=user, name="desk", scope="write")
    return Client(server, token=text)
