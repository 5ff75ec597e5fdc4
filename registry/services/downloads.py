"""Who fetched what of a private project: one line per person, version and hour, however many requests a download takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from accounts.models import User
from registry.models import Version, Visibility
from registry.services import events

if TYPE_CHECKING:
    from registry.models.projects import Actor

HOUR = 3600


def note(*, actor: Actor, version: Version) -> None:
    """Leave the line before bytes of a version are sent to the actor. Costs one look into an index after the first time.

    A line that cannot be written is an error: what has to be told is not handed out untold.
    """
    project = version.model.project
    if project.visibility != Visibility.PRIVATE or not isinstance(actor, User):
        return
    hour = int(timezone.now().timestamp()) // HOUR
    events.record_once(
        once=f"download:{actor.pk}:{version.pk}:{hour}",
        actor=actor,
        action="version.downloaded",
        project=project,
        subject=str(version),
    )
