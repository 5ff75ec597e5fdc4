"""Who speaks: signing in and out."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from lmvp.client.addresses import normal_server
from lmvp.client.calls.connection import Connected
from lmvp.client.errors import NotFound, ValidationFailed
from lmvp.client.results.people import User


@dataclass(frozen=True)
class SignedIn:
    """A server where this machine is signed in, and as whom."""

    server: str
    username: str
    preferred: bool


class Accounts(Connected):
    def login(
        self,
        email: str | None = None,
        password: str | None = None,
        *,
        server: str | None = None,
        token: str | None = None,
    ) -> str:
        """Sign in and return the username. The sign-in is kept on this machine (docs/client.md says where).

        With `token`, an access token is kept instead. What is not given is asked for; the password is not shown.
        """
        if token:
            return self._session.login_by_token(token, server=server)
        try:
            email = email or input("E-mail: ")
            password = password or getpass.getpass("Password: ")
        except EOFError as error:
            said = "Nobody can be asked here for e-mail and password: give them, or a token, or set LMVP_TOKEN."
            raise ValidationFailed(said) from error
        return self._session.login(email, password, server=server)

    def servers(self) -> list[SignedIn]:
        """Return the servers where this machine is signed in; the preferred one is used when none is named."""
        kept = self._session.credentials
        preferred = kept.default_server()
        return [SignedIn(url, one["username"], url == preferred) for url, one in sorted(kept.servers().items())]

    def prefer_server(self, server: str) -> None:
        """Use a server, where this machine is signed in, whenever none is named."""
        kept, url = self._session.credentials, normal_server(server)
        with kept.locked():
            if url not in kept.servers():
                known = ", ".join(kept.servers()) or "none yet"
                raise NotFound(
                    f"This machine is not signed in at {url} (it is at: {known}). `lmvp login --server {url}`."
                )
            kept.prefer(url)

    def logout(self) -> bool:
        """Revoke and forget the sign-in kept on this machine; False when it is forgotten but no server heard of it."""
        return self._session.logout()

    def whoami(self) -> User:
        """Return who the caller is; `.token` is the access token that spoke, if one did."""
        return self._ask(User, "GET", "/auth/me/")
