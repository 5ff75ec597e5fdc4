"""The trash: what is deleted goes there and can be taken back for some days; purging.py empties it.

`put` and `_take_back` are the one place where anything goes in or comes out: what is served of it follows from there.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from registry.errors import Conflict, Gone
from registry.models import Project, RegisteredModel, Version
from registry.permissions import Action, can, require, require_of_trashed
from registry.services import activation, events
from registry.services.projects import find_project

if TYPE_CHECKING:
    from registry.models.projects import Actor

Row = Project | RegisteredModel | Version
NOUNS: dict[type[Row], str] = {Project: "project", RegisteredModel: "model", Version: "version"}


def noun_of(row: Row) -> str:
    return NOUNS[type(row)]


def project_of(row: Row) -> Project:
    if isinstance(row, Project):
        return row
    return row.project if isinstance(row, RegisteredModel) else row.model.project


def until(row: Row) -> datetime | None:
    """Return until when it can be taken back; None for what is not in the trash."""
    return row.trashed_at + settings.TRASH_LIFETIME if row.trashed_at else None


def find_deleted(*, actor: Actor, project: str, model: str = "", revision: str = "") -> Row:
    """Return a project, a model of it or a version of that, in the trash or not, to somebody who may take it back.

    Raises Conflict (in_trash) when what it stands in has to be taken back first, ObjectDoesNotExist.
    """
    place = _find_project(actor, project)
    if not model:
        return place
    _refuse_below(place)
    line = RegisteredModel.objects.filter(project=place).named(model)
    line.project = place
    _hide(actor, line, place)
    if not revision:
        return line
    _refuse_below(line)
    version = line.versions.at(line, revision)
    version.model = line
    _hide(actor, version, place)
    return version


def _find_project(actor: Actor, name: str) -> Project:
    try:
        return find_project(actor=actor, name=name)
    except Project.DoesNotExist:
        project = Project.objects.filter(trashed_at__isnull=False).named(name)
    if project.purged_at is None or actor.pk is None or actor.pk not in (project.created_by_id, project.trashed_by_id):
        require_of_trashed(actor, Action.TRASH_PROJECT, project)  # nobody's any more, when it was purged
    return project


def _refuse_below(place: Project | RegisteredModel) -> None:
    if place.trashed_at:
        _refuse_purged(place)
        raise Conflict("in_trash", f"{place} is in the trash itself. Take it back first, with its own undelete/.")


def _hide(actor: Actor, row: RegisteredModel | Version, place: Project) -> None:
    """For whoever may not see the trash, what is in it is not there."""
    if row.trashed_at and not can(actor, Action.VIEW_TRASH, place):
        raise ObjectDoesNotExist


# --- Into the trash


def delete(*, actor: User, row: Row) -> Row:
    """Put a project, a model or a version into the trash; return it as it is then.

    Raises Conflict (personal_project; named_by_refs: a branch, tag or alias names the version).
    """
    require(actor, _action(row), project_of(row))
    with transaction.atomic():
        row = _locked(row)
        if any(one.trashed_at for one in (row, *_places_of(row))):
            raise type(row).DoesNotExist
        _refuse_needed(row)
        put(row, actor=actor)
    return row


def put(row: Row, *, actor: User | None, why: dict[str, Any] | None = None) -> None:
    """Put a row into the trash whose lock the caller holds, in its transaction; without an actor, by a rule."""
    row.trashed_at, row.trashed_by = timezone.now(), actor
    if isinstance(row, Version):
        row.undeleted_at = None
        row.save(update_fields=["trashed_at", "trashed_by", "undeleted_at"])
    else:
        row.save(update_fields=["trashed_at", "trashed_by"])
    _serve_or_not(row)
    limit = until(row)
    _note("trashed", row, actor, {"until": limit.isoformat() if limit else None, **(why or {})})


def _refuse_needed(row: Row) -> None:
    if isinstance(row, Project) and row.personal_of_id is not None:
        raise Conflict("personal_project", "A personal project goes with its user. Delete the models in it instead.")
    if isinstance(row, Version):
        refs = [{"kind": kind, "name": name} for kind, name in row.refs.values_list("kind", "name")]
        if refs:
            names = ", ".join(f"{ref['kind']} {ref['name']}" for ref in refs)
            raise Conflict(
                "named_by_refs",
                f"Version {row.number} is named by {names}. Move or delete these names first.",
                fields={"refs": refs},
            )


# --- Out of it


def undelete(*, actor: User, row: Row, by_administrator: bool = False) -> Row:
    """Take a project, a model or a version back from the trash; return it.

    Raises Conflict (not_in_trash; in_trash: what it stands in), Gone (purged).
    """
    if by_administrator:
        require_superuser(actor)
    elif isinstance(row, Project) and row.trashed_at:
        _refuse_purged(row)
        require_of_trashed(actor, Action.TRASH_PROJECT, row)
    else:
        require(actor, _action(row), project_of(row))
    with transaction.atomic():
        row = _locked(row)
        refuse_not_in_trash(row)
        for place in _places_of(row):
            _refuse_below(place)
        _take_back(row, actor)
    return row


def _take_back(row: Row, actor: User) -> None:
    row.trashed_at = row.trashed_by = None
    if isinstance(row, Version):
        row.undeleted_at = timezone.now()  # no rule deletes it again
        row.save(update_fields=["trashed_at", "trashed_by", "undeleted_at"])
    else:
        row.save(update_fields=["trashed_at", "trashed_by"])
    _serve_or_not(row)
    _note("undeleted", row, actor, None)


def _serve_or_not(row: Row) -> None:
    """Let the files of active aliases go and come with what they stand in; no alias names a version in the trash."""
    if isinstance(row, Project):
        activation.refresh_project(project=row)
    elif isinstance(row, RegisteredModel):
        activation.refresh(model=row)


def refuse_not_in_trash(row: Row) -> None:
    """Raise Gone for what has been purged, Conflict for what is not in the trash."""
    _refuse_purged(row)
    if row.trashed_at is None:
        raise Conflict("not_in_trash", f"{row} is not in the trash; there is nothing to take back.")


def _refuse_purged(row: Row) -> None:
    if row.purged_at:
        raise Gone("purged", f"{row} was purged on {row.purged_at:%Y-%m-%d} and cannot be taken back.")


def require_superuser(actor: User) -> None:
    if not (actor.is_active and actor.is_superuser):
        raise PermissionDenied


# --- Both ways


def _action(row: Row) -> Action:
    return Action.TRASH_PROJECT if isinstance(row, Project) else Action.TRASH


def _places_of(row: Row) -> list[Project | RegisteredModel]:
    """Return what the row stands in, the outermost first."""
    if isinstance(row, Project):
        return []
    return [row.project] if isinstance(row, RegisteredModel) else [row.model.project, row.model]


def _locked(row: Row) -> Row:
    """Return the row as it is now, under the lock that guards it: its own for a project, else its model's."""
    if isinstance(row, Project):
        return Project.objects.select_for_update(no_key=True).get(pk=row.pk)
    if isinstance(row, RegisteredModel):
        return RegisteredModel.objects.locked_anyhow(row.pk)
    model = RegisteredModel.objects.locked_anyhow(row.model_id)
    version = Version.objects.get(pk=row.pk)
    version.model = model
    return version


def _note(what: str, row: Row, actor: User | None, after: dict[str, Any] | None) -> None:
    events.record(actor=actor, action=f"{noun_of(row)}.{what}", project=project_of(row), subject=str(row), after=after)
