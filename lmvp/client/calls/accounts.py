"""Who speaks: signing in and out."""

from __future__ import annotations

from typing import Any

from lmvp.client.calls.connection import Connected


class Accounts(Connected):
    def login(self, email: str, password: str, *, server: str | None = None) -> str:
        """Sign in and return the username. The sign-in is kept on this machine (docs/client.md says where)."""
        return self._session.login(email, password, server=server)

    def logout(self) -> bool:
        """Revoke and forget the sign-in kept on this machine; False when it is forgotten but no server heard of it."""
        return self._session.logout()

    def whoami(self) -> dict[str, Any]:
        """Return {email, username, …} of the caller."""
        me: dict[str, Any] = self._session.call("GET", "/auth/me/")
        return me
