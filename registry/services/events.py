"""Writing the audit log: one line in the transaction of the write that it tells of."""

from __future__ import annotations

from typing import Any

from accounts import context
from accounts.models import User
from registry.models import Event, Project


def record(
    *,
    actor: User | None,
    action: str,
    project: Project | None,
    subject: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add a line. The request's id, the address and the access token are taken from where the call came from."""
    request = context.current.get()
    token = getattr(actor, "access_token", None)
    Event.objects.create(
        actor=actor,
        action=action,
        project=project,
        project_name=project.name if project else "",
        subject=subject[:300],
        before=before,
        after=after,
        token=f"{token.name} ({token.hint}…)" if token else "",
        address=request.address,
        request_id=request.request_id,
    )
