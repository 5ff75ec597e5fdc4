"""Writing the audit log: one line in the transaction of the write that it tells of."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts import context
from accounts.models import User
from lmvp.inserting import insert, insert_missing
from registry.models import Event, Project


def record(
    *,
    actor: User | None,
    action: str,
    subject: str,
    project: Project | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add a line; without a project it is about an account.

    The request's id, the address and the access token are taken from where the call came from.
    """
    line = _line(actor, action, project, subject)
    line.before, line.after = before, after
    insert(line)


def record_once(*, once: str, actor: User, action: str, project: Project, subject: str) -> None:
    """Add a line unless there is one of the same `once`: a look where it is there, one insert where it is not."""
    if Event.objects.filter(once=once).exists():
        return
    line = _line(actor, action, project, subject)
    line.once = once
    with transaction.atomic():
        insert_missing([line])  # of several at the same moment, one stays


def _line(actor: User | None, action: str, project: Project | None, subject: str) -> Event:
    request = context.current.get()
    token = getattr(actor, "access_token", None)
    return Event(
        actor=actor,
        action=action,
        project=project,
        project_name=project.name if project else "",
        subject=subject[:300],
        token=f"{token.name} ({token.hint}…)" if token else "",
        address=request.address[:64],
        request_id=request.request_id,
    )
