"""What can go wrong, as types. Every message ends with the next step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class LMVPError(Exception):
    """Anything that LMVP refuses or cannot do. `code` is a stable word, `status` the HTTP status where there is one."""

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.status = status
        self.fields = dict(fields or {})

    def saying(self, message: str) -> Self:
        """Return the same error in other words."""
        return type(self)(message, code=self.code, status=self.status, fields=self.fields)


class DeprecatedVersion(UserWarning):
    """A warning, no error: the version works, and its maintainers say why it should not be used any more."""


class AuthenticationError(LMVPError):
    """Not signed in, or the credentials are wrong, expired or revoked."""


class PermissionDenied(LMVPError):
    """You may see it, and may not do this to it."""


class NotFound(LMVPError):
    """It does not exist, or you may not see it."""


class Conflict(LMVPError):
    """The state on the server is another one than you believed, for example a newer version."""


class ValidationFailed(LMVPError):
    """What was given cannot be taken as it is."""

    code = "invalid"


class AmbiguousName(ValidationFailed):
    """A name without its project fits several models; `fields["models"]` lists them."""

    code = "ambiguous_name"


class Throttled(LMVPError):
    """Too many attempts; wait."""


class ServerError(LMVPError):
    """The server, or a proxy in front of it, failed."""


class ConnectionFailed(LMVPError):
    """The server cannot be reached, or the connection broke."""

    code = "connection_failed"


class Offline(ConnectionFailed):
    """The server was not asked, because it was said that there is no connection; and what is wanted is not here."""

    code = "offline"


class NotLMVPServer(LMVPError):
    """Something answered at the address, and it does not speak as LMVP does."""

    code = "not_lmvp"


class IntegrityError(LMVPError):
    """Bytes that arrived are not the bytes that were published."""

    code = "digest_mismatch"


class LocalFileError(LMVPError):
    """A file on this machine cannot be read, written or taken."""

    code = "local_file"


class UnknownFormat(LMVPError):
    """There is no loader for this file."""

    code = "unknown_format"


_OF_STATUS: dict[int, type[LMVPError]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    429: Throttled,
}


def of_status(status: int) -> type[LMVPError]:
    """Return the type for an HTTP status of 400 or more."""
    return _OF_STATUS.get(status, ServerError if status >= 500 else ValidationFailed)
