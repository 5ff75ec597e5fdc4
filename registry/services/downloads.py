"""Who fetched what of a private project: one line per person, version and hour, however many requests a download takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from accounts.models import User
from registry.models import Artifact, Project, Version, Visibility
from registry.services import events

if TYPE_CHECKING:
    from registry.models.projects import Actor

HOUR = 3600


def note(*, actor: Actor, version: Version) -> None:
    """Leave the line before bytes of a version are sent to the actor. Costs one look into an index after the first time.

    A line that cannot be written is an error: what has to be told is not handed out untold.
    """
    _note(actor, version.model.project, "version", version.pk, str(version))


def note_artifact(*, actor: Actor, artifact: Artifact) -> None:
    """The same of an artifact's content."""
    _note(actor, artifact.project, "artifact", artifact.pk, artifact.pk)


def _note(actor: Actor, project: Project, noun: str, pk: int | str, subject: str) -> None:
    if project.visibility != Visibility.PRIVATE or not isinstance(actor, User):
        return
    hour = int(timezone.now().timestamp()) // HOUR
    once = f"download:{actor.pk}:{pk}:{hour}"
    events.record_once(once=once, actor=actor, action=f"{noun}.downloaded", project=project, subject=subject)
