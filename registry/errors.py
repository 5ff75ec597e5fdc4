"""What the registry's services say when they refuse, beside those of accounts.errors."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

from accounts.errors import Conflict, Forbidden, Invalid, Refusal, TooLarge

__all__ = [
    "OUT_OF_ORDER",
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
    "said_full",
]

OUT_OF_ORDER = (OperationalError, InterfaceError)  # the database; the second where its connection has ended already
DISK_FULL = "53100"  # PostgreSQL's SQLSTATE disk_full


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


def said_full(error: Exception) -> StorageFull | None:
    """Return what is said when the disk of the database is full; None where it failed for another reason."""
    if getattr(error.__cause__, "pgcode", None) != DISK_FULL and "disk is full" not in str(
        error
    ):  # SQLite has but words
        return None
    return StorageFull(
        "storage_full",
        "The disk of the server's database is full, and nothing of this was kept. Ask its administrator for space there.",
    )
