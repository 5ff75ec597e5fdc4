"""What a service says when it refuses: a stable code, a sentence with the next step. Doors translate to their own terms.

Wrong rights are Django's PermissionDenied, and a thing one may not see is DoesNotExist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """The request is understood and refused. `code` is a stable word, `message` says what to do next."""

    status = 400

    def __init__(self, code: str, message: str, *, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = dict(fields or {})


class Invalid(Refusal):
    """What was sent cannot be taken as it is."""


class Forbidden(Refusal):
    """The caller may see the thing and may not do this to it."""

    status = 403


class NotVerified(Refusal):
    """The password is right, and the e-mail address is still to be verified. No Forbidden: nobody is signed in."""

    status = 403


class Conflict(Refusal):
    """The state is another one than the caller believed."""

    status = 409


class TooLarge(Refusal):
    """More bytes than this server takes."""

    status = 413


class Throttled(Refusal):
    """Too many attempts; `seconds` until the next one can succeed."""

    status = 429

    def __init__(self, code: str, message: str, *, seconds: int) -> None:
        super().__init__(code, message)
        self.seconds = seconds


class BadCredentials(Refusal):
    """The password or the token is wrong, expired or revoked."""

    status = 401
