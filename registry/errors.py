"""What the registry's services say when they refuse, beside those of accounts.errors."""

from __future__ import annotations

from accounts.errors import Conflict, Forbidden, Invalid, Refusal, TooLarge

__all__ = [
    "Busy",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "Locked",
    "Missing",
    "Refusal",
    "StorageFull",
    "TooLarge",
]


class Missing(Refusal):
    """The caller may see the place, and what is asked for is not there."""

    status = 404


class Gone(Refusal):
    """It was here and is not any more: an expired upload."""

    status = 410


class Busy(Refusal):
    """Somebody else is at it just now; the same call later can succeed."""

    status = 503


class Locked(Refusal):
    """Somebody else writes it just now, and only one may."""

    status = 423


class StorageFull(Refusal):
    """The disk is full."""

    status = 507
