"""Groups of staff and what they may do in the admin: Django's, changed here so that each change is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from accounts import audit
from accounts.models import User
from accounts.services import rights


def save_group(*, actor: User, group: Group, permissions: Iterable[Permission]) -> Group:
    """Make or change a group; `group` carries its name. Who may is the admin's own table of permissions."""
    rights.require_staff(actor)
    with transaction.atomic():
        there = Group.objects.filter(pk=group.pk).first()
        before = _told(there) if there else None
        group.save()
        group.permissions.set(permissions)
        after = _told(group)
        if before != after:
            audit.record(actor=actor, action="group.changed", subject=group.name, before=before, after=after)
    return group


def delete_group(*, actor: User, group: Group) -> None:
    rights.require_staff(actor)
    with transaction.atomic():
        audit.record(actor=actor, action="group.deleted", subject=group.name, before=_told(group))
        group.delete()


def codes(permissions: Iterable[Permission]) -> list[str]:
    """Return permissions as the log tells them: `registry.change_project`."""
    return sorted(f"{permission.content_type.app_label}.{permission.codename}" for permission in permissions)


def _told(group: Group) -> dict[str, Any]:
    return {"name": group.name, "permissions": codes(group.permissions.select_related("content_type"))}
