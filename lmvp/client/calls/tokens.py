"""Access tokens of the caller, and the users of the server. Neither is open to access tokens: it takes a sign-in."""

from __future__ import annotations

from typing import Literal

from lmvp.client.calls.connection import Connected, given
from lmvp.client.errors import NotFound
from lmvp.client.guessing import close_to
from lmvp.client.http import path_of
from lmvp.client.results.people import AccessToken, User

TOKENS = "/auth/tokens/"


class Tokens(Connected):
    def tokens(self) -> list[AccessToken]:
        """Return your access tokens that are not revoked."""
        return self._all(AccessToken, TOKENS)

    def create_token(
        self,
        name: str,
        *,
        scope: Literal["read", "write"] = "read",
        project: str | None = None,
        expires_in_days: int | None = None,
    ) -> AccessToken:
        """Make an access token for a machine. Its text, `.token`, is shown this once. `project` binds it to one."""
        body = {"name": name, "scope": scope, **given(project=project, expires_in_days=expires_in_days)}
        return self._ask(AccessToken, "POST", TOKENS, body)

    def revoke_token(self, token: AccessToken | int | str) -> None:
        """Make an access token worthless; given itself, its id, or its name."""
        id = token.id if isinstance(token, AccessToken) else token
        if isinstance(id, str):
            id = self._named_token(id)
        self._session.call("DELETE", f"{TOKENS}{int(id)}/")

    def _named_token(self, name: str) -> int:
        tokens = self.tokens()
        fitting = [one.id for one in tokens if one.name == name]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise NotFound(f"Several tokens are called “{name}”: say the id, one of {', '.join(map(str, fitting))}.")
        close = close_to(name, [one.name for one in tokens])
        raise NotFound(f"You have no access token “{name}”.{close} List them: lmvp.tokens() / `lmvp token list`.")

    # --- For staff

    def users(self) -> list[User]:
        """Return the users of the server. For staff."""
        return self._all(User, path_of("users"))

    def create_user(self, username: str, *, email: str, password: str, staff: bool = False) -> User:
        """Make a user, who need not verify the address. For staff."""
        roles = {"roles": ["admin"]} if staff else {}
        return self._ask(
            User, "POST", path_of("users"), {"username": username, "email": email, "password": password, **roles}
        )

    def update_user(self, username: str, *, active: bool | None = None, staff: bool | None = None) -> User:
        """Switch a user off or on; make them staff or not (superusers). For staff."""
        try:
            return self._ask(User, "PATCH", path_of("users", username), given(is_active=active, is_staff=staff))
        except NotFound as error:
            raise error.saying(
                f"There is no user “{username}”.{close_to(username, [one.username for one in self.users()])} "
                "List them: lmvp.users() / `lmvp user list`."
            ) from error
