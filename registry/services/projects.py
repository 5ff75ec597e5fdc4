"""Projects: made, renamed, opened to others. Members are in members.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from accounts.models import AccessToken, Name, User
from registry.errors import Conflict, Forbidden
from registry.models import Membership, Project, Role, Visibility
from registry.permissions import Action, require
from registry.services import activation, events

if TYPE_CHECKING:
    from registry.models.projects import Actor


def find_project(*, actor: Actor, name: str) -> Project:
    """Return a project that the actor may see, with the actor's `role`; Project.DoesNotExist otherwise.

    The actor's personal project is made when it is first asked for.
    """
    seen = Project.objects.visible_to(actor).with_role_of(actor)
    try:
        project = seen.named(name)
    except Project.DoesNotExist:
        if not (isinstance(actor, User) and actor.username == name):
            raise
        ensure_personal_project(actor=actor)
        project = seen.named(name)
    project.note_finder(actor, getattr(project, "role", None))
    return project


def ensure_personal_project(*, actor: User) -> Project:
    """Return the project named after the user, making it where it is not there yet."""
    found = Project.objects.filter(personal_of=actor).first()
    if found or not actor.is_verified:
        return found or Project.objects.get(personal_of=actor)
    with transaction.atomic():
        project, created = Project.objects.get_or_create(
            personal_of=actor, defaults={"name": actor.username, "created_by": actor, "description": ""}
        )
        if created:
            Membership.objects.create(project=project, user=actor, role=Role.OWNER)
            after = {"visibility": project.visibility}
            events.record(actor=actor, action="project.created", project=project, subject=project.name, after=after)
    return project


def create_project(*, actor: User, name: str, description: str = "", visibility: str = Visibility.PRIVATE) -> Project:
    """Make a project owned by the actor; ValidationError for a name that is taken or none."""
    token = actor.access_token
    if token and (token.project_id or token.scope != AccessToken.Scope.WRITE):
        raise Forbidden(
            "token_scope", "This access token may not create projects: it reads only, or opens one project."
        )
    if Project.objects.in_trash().owned_by(actor).filter(name=name).exists():
        said = f"Your project “{name}” is in the trash. Take it back, or choose another name."
        raise ValidationError({"name": ValidationError(said, code="name_taken")})
    with transaction.atomic():
        _claim(name)
        project = Project(name=name, description=description, visibility=visibility, created_by=actor)
        project.full_clean(exclude=["created_by"])
        project.save()
        Membership.objects.create(project=project, user=actor, role=Role.OWNER)
        events.record(
            actor=actor, action="project.created", project=project, subject=name, after={"visibility": visibility}
        )
    return project


def update_project(
    *,
    actor: User,
    project: Project,
    name: str | None = None,
    description: str | None = None,
    visibility: str | None = None,
    by_administrator: bool = False,
) -> Project:
    """Change a project. Its former name stays reserved and leads to it."""
    changed = {
        key: value
        for key, value in {"name": name, "description": description, "visibility": visibility}.items()
        if value is not None and value != getattr(project, key)
    }
    action = Action.OWN_PROJECT if changed.keys() - {"description"} else Action.EDIT_PROJECT
    require_or_administer(actor, action, project, by_administrator=by_administrator)
    if not changed:
        return project
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        before = {key: getattr(project, key) for key in changed}
        if "name" in changed:
            _move_name(project, changed["name"])
            activation.refresh_project(project=project)
        for key, value in changed.items():
            setattr(project, key, value)
        project.full_clean(exclude=["created_by", "personal_of"])
        project.save(update_fields=list(changed))
        events.record(
            actor=actor, action="project.changed", project=project, subject=project.name, before=before, after=changed
        )
    return project


def set_quota(*, actor: User, project: Project, quota: int | None) -> Project:
    """Say how many bytes a project may hold (None: what the settings say). For administrators alone."""
    if not (actor.is_staff and actor.has_perm("registry.change_project")):
        raise PermissionDenied
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        before, project.quota = {"quota": project.quota}, quota
        if before["quota"] == quota:
            return project
        project.clean_fields(exclude={field.name for field in Project._meta.fields} - {"quota"})
        project.save(update_fields=["quota"])
        after = {"quota": quota}
        events.record(
            actor=actor, action="project.changed", project=project, subject=project.name, before=before, after=after
        )
    return project


def require_or_administer(actor: User, action: Action, project: Project, *, by_administrator: bool) -> None:
    """Return when the actor's role allows this; an administrator needs no role, but the admin's permission instead."""
    if not by_administrator:
        require(actor, action, project)
    elif not actor.has_perm("registry.change_project"):
        raise PermissionDenied


def _move_name(project: Project, name: str) -> None:
    if project.personal_of_id is not None:
        raise Conflict("personal_project", "A personal project bears its owner's username and cannot be renamed.")
    if Name.objects.filter(name=name, successor=project.name).exists():
        Name.objects.filter(name=name).update(successor=None)  # one of its own former names: taken back
    else:
        _claim(name)
    Name.objects.filter(successor=project.name).exclude(name=name).update(successor=name)
    Name.objects.filter(name=project.name).update(successor=name)
    AccessToken.objects.filter(project=project.name).update(project=name)


def _claim(name: str) -> None:
    try:
        Name.objects.claim(name)
    except ValidationError as error:
        raise ValidationError({"name": error}) from error
