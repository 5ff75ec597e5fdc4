"""Registered models: found, made, renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import User
from registry.errors import Invalid
from registry.models import FormerModelName, Project, Ref, RegisteredModel, addresses
from registry.permissions import Action, can_see, require
from registry.services import activation, events
from registry.services.projects import find_project

if TYPE_CHECKING:
    from registry.models.projects import Actor


def find_model(*, actor: Actor, project: str, name: str) -> RegisteredModel:
    """Return a model that the actor may see, with its project; ObjectDoesNotExist otherwise."""
    found = addresses.model_at(actor, project, name)
    if found and can_see(actor, found.project, getattr(found, "role", None)):
        found.project.note_finder(actor, getattr(found, "role", None))
        return found
    place = find_project(actor=actor, name=project)  # a former name, the first look at a personal project, or neither
    model = RegisteredModel.objects.filter(project=place, trashed_at=None).named(name)
    model.project = place
    return model


def create_model(
    *, actor: User, project: Project, name: str, kind: str = RegisteredModel.Kind.MODEL, description: str = ""
) -> RegisteredModel:
    """Make an empty line of versions; ValidationError for a name that is taken or none."""
    require(actor, Action.CREATE_MODEL, project)
    model = RegisteredModel(project=project, name=name, kind=kind, description=description, created_by=actor)
    with transaction.atomic():
        # Names are given one after the other, and none in a project that was deleted meanwhile.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk, trashed_at=None)
        _refuse_taken(project, name)
        model.full_clean(exclude=["project", "created_by"])
        model.save()
        events.record(actor=actor, action="model.created", project=project, subject=str(model), after={"kind": kind})
    return model


def update_model(
    *,
    actor: User,
    model: RegisteredModel,
    name: str | None = None,
    kind: str | None = None,
    description: str | None = None,
    default_branch: str | None = None,
) -> RegisteredModel:
    """Change a model. Its former name stays reserved and leads to it; the default branch is one that is there."""
    require(actor, Action.EDIT_MODEL, model.project)
    project = model.project
    wanted = {"name": name, "kind": kind, "description": description, "default_branch": default_branch}
    changed = {key: value for key, value in wanted.items() if value is not None and value != getattr(model, key)}
    if not changed:
        return model
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        model = RegisteredModel.objects.select_for_update(no_key=True).get(pk=model.pk)
        before = {key: getattr(model, key) for key in changed}
        if "name" in changed:
            _move_name(model, changed["name"])
            activation.refresh(model=model)
        if "default_branch" in changed:
            _require_branch(model, changed["default_branch"])
        for key, value in changed.items():
            setattr(model, key, value)
        model.full_clean(exclude=["project", "created_by"])
        model.save(update_fields=list(changed))
        events.record(
            actor=actor, action="model.changed", project=project, subject=str(model), before=before, after=changed
        )
    return model


def _require_branch(model: RegisteredModel, name: str) -> None:
    if not Ref.objects.filter(model=model, kind=Ref.Kind.BRANCH, name=name).exists():
        raise Invalid("unknown_branch", f"{model} has no branch “{name}”. Make it first: POST …/branches/.")


def _move_name(model: RegisteredModel, name: str) -> None:
    if name.lower() == model.name.lower():
        return
    FormerModelName.objects.filter(model=model, name__iexact=name).delete()  # one of its own: taken back
    _refuse_taken(model.project, name)
    FormerModelName.objects.create(project=model.project, name=model.name, model=model)


def _refuse_taken(project: Project, name: str) -> None:
    there = RegisteredModel.objects.filter(project=project, name__iexact=name).first()
    if there or FormerModelName.objects.filter(project=project, name__iexact=name).exists():
        said = f"{project.name} has a model of the name “{name}”, or had one."
        if there and there.trashed_at and not there.purged_at:
            said = f"{project.name} has a model “{there.name}” in the trash. Take it back, or choose another name."
        raise ValidationError({"name": ValidationError(said, code="name_taken")})
