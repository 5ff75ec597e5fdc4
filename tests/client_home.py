"""A home of its own for the client in a test, and clients of the cast."""

import pytest

from accounts.models import User
from lmvp.client.api import Client
from tests.cast import PASSWORD


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    """Nothing of the developer's own machine is read or written."""
    for name in ("LMVP_SERVER", "LMVP_TOKEN", "LMVP_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    monkeypatch.setenv("LMVP_CACHE", str(tmp_path / "home" / "cache"))


def client_with_token(server: str, user: User) -> Client:
    """Return a client of this user by an access token: several of them share no credential file."""
    session = Client(server)
    session.login(user.email, PASSWORD)
    token = session._session.call("POST", "/auth/tokens/", {"name": "test", "scope": "write"})["token"]
    session.logout()
    return Client(server, token=token)
