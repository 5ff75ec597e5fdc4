"""Taking an alias back to where it stood before its latest move, deletion included."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from registry.errors import Conflict, Gone
from registry.models import Event, Ref, RefMove, RegisteredModel, Version
from registry.permissions import Action, require
from registry.services import refs


def roll_back(
    *,
    actor: User,
    model: RegisteredModel,
    name: str,
    comment: str = "",
    expected: str | None = refs.ANYTHING,
) -> Ref:
    """Undo the newest move of an alias that is not undone yet; return the alias. Again goes one step further back.

    A deleted alias comes back protected and active, if it was. Raises Conflict (nothing_to_roll_back, in_trash, ref_moved), Gone (purged), Ref.DoesNotExist for a name that never was.
    """
    require(actor, Action.MOVE_REF, model.project)
    with transaction.atomic():
        model = RegisteredModel.objects.locked(model.pk)
        moves = RefMove.objects.of(model, Ref.Kind.ALIAS, name)
        latest = moves.in_force()
        if latest is None:
            raise Ref.DoesNotExist
        version = latest.from_version
        if version is None:
            raise Conflict(
                "nothing_to_roll_back",
                f"No earlier move of “{name}” is left to take back. To take it away, delete it; to move it, name a version.",
            )
        refuse_gone(version, instead=f"Or point “{name}” to another version")
        version.model = model
        flags = _lost_flags(model, latest) if latest.to_version_id is None else {}
        move = refs.Move(Ref.Kind.ALIAS, name, str(version.number), comment=comment, expected=expected, **flags)
        ref, _ = refs.place(actor=actor, version=version, move=move, undoes=latest)
    return ref


def _lost_flags(model: RegisteredModel, deletion: RefMove) -> dict[str, bool]:
    """Return which of `active` and `protected` an alias had when it was deleted, as the event of that moment tells."""
    names = [model.name, *model.former_names.values_list("name", flat=True)]
    subject = Q()
    for name in names:
        subject |= Q(subject__endswith=f"/{name}@{deletion.name}")
    told = Event.objects.filter(subject, project=model.project, action="alias.deleted", at__gte=deletion.at)
    event = told.order_by("pk").first()
    before = (event.before if event else None) or {}
    return {flag: True for flag in ("active", "protected") if before.get(flag)}


def refuse_gone(version: Version, *, instead: str) -> None:
    """Raise Conflict for a version that is in the trash, Gone for one of which only number, digest and parents are left."""
    if version.purged_at:
        raise Gone(
            "purged", f"Version {version.number} was purged, and its files with it; it does not come back. {instead}."
        )
    if version.trashed_at:
        raise Conflict(
            "in_trash",
            f"Version {version.number} is in the trash. Take it out with POST …/versions/{version.number}/undelete/ first."
            f" {instead}.",
        )
