"""Who speaks: signing in and out."""

from __future__ import annotations

from lmvp.client.calls.connection import Connected
from lmvp.client.results.people import User


class Accounts(Connected):
    def login(self, email: str, password: str, *, server: str | None = None) -> str:
        """Sign in and return the username. The sign-in is kept on this machine (docs/client.md says where)."""
        return self._session.login(email, password, server=server)

    def logout(self) -> bool:
        """Revoke and forget the sign-in kept on this machine; False when it is forgotten but no server heard of it."""
        return self._session.logout()

    def whoami(self) -> User:
        """Return who the caller is; `.token` is the access token that spoke, if one did."""
        return self._ask(User, "GET", "/auth/me/")
