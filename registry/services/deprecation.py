"""Deprecating a version: it stays as it is, and every reader is told why it should not be used any more."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from registry.errors import Invalid
from registry.models import Version
from registry.permissions import Action, require
from registry.services import events

MOST_CHARACTERS = 500


def deprecate_version(*, actor: User, version: Version, reason: str | None) -> Version:
    """Set why a version should not be used any more, or take that back with None; Invalid for an empty reason."""
    require(actor, Action.DEPRECATE, version.model.project)
    said = (reason or "").strip()
    if reason is not None and not 0 < len(said) <= MOST_CHARACTERS:
        raise Invalid("invalid_reason", f"Say in 1 to {MOST_CHARACTERS} characters why; null takes it back.")
    with transaction.atomic():
        there = Version.objects.select_for_update(no_key=True).get(pk=version.pk, trashed_at=None)
        if there.deprecated == said:
            return version
        _write(there, said)
        events.record(
            actor=actor,
            action="version.deprecated" if said else "version.undeprecated",
            project=version.model.project,
            subject=str(version),
            before={"deprecated": version.deprecated or None},
            after={"deprecated": said or None},
        )
    version.deprecated, version.deprecated_at = there.deprecated, there.deprecated_at
    return version


def _write(version: Version, said: str) -> None:
    version.deprecated, version.deprecated_at = said, timezone.now() if said else None
    version.save(update_fields=["deprecated", "deprecated_at"])
