"""Versions of which nothing but number, digest and parents is left, and tables that may be emptied: in one step, for tests."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils import timezone

from registry.models import Version
from registry.models.versions import VersionQuerySet
from registry.services import purging


def bury(versions: VersionQuerySet) -> None:
    """Purge versions at once, however they are named; their places are left to whoever asks."""
    versions.filter(trashed_at=None).update(trashed_at=timezone.now())
    purging.empty(versions.filter(purged_at=None))


def let_sealed_rows_go() -> None:
    """Between tests that commit, tables are emptied; on SQLite by DELETE, which the seals refuse."""
    bury(Version.objects.all())
    if connection.vendor == "sqlite":
        _empty_the_audit_log()


def _empty_the_audit_log() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE name = 'registry_event_no_delete'")
        (seal,) = cursor.fetchone()
        cursor.execute("DROP TRIGGER registry_event_no_delete")
        cursor.execute("DELETE FROM registry_event")
        cursor.execute(seal)
