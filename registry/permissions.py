"""Who may do what: one table of role × action, asked by every service, for all doors."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from accounts.errors import Forbidden
from accounts.models import AccessToken
from lmvp.prepared import prepared
from registry.models import Membership, Project, Role, Visibility

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from registry.models.projects import Actor


class RoleTooLow(Forbidden):
    """It takes the role `needed` in `project`: a page tells who can give it."""

    def __init__(self, code: str, message: str, *, project: Project, needed: Role) -> None:
        super().__init__(code, message)
        self.project = project
        self.needed = needed


class Action(enum.Enum):
    """What can be done in a project; the value completes “You may not …”."""

    VIEW = "see this"
    VIEW_MEMBERS = "see the members"
    LEAVE = "leave the project"
    UPLOAD = "upload files"
    VIEW_UPLOAD = "look at one's own uploads"
    CREATE_MODEL = "create models"
    PUBLISH = "publish versions"
    LOG_METRICS = "log metrics"
    RECORD_LINEAGE = "record artifacts and hierarchies"
    MOVE_REF = "make, move or delete branches, tags and aliases"
    REWIND_BRANCH = "move a branch so that it loses versions"
    MOVE_PROTECTED_REF = "protect names or move protected ones"
    EDIT_MODEL = "change or rename models"
    MANAGE_MEMBERS = "manage members and invitations"
    VIEW_INVITATIONS = "see the open invitations"
    VIEW_EVENTS = "see the audit log"
    EDIT_PROJECT = "change the project's description"
    OWN_PROJECT = "rename the project or change who sees it"
    VIEW_TRASH = "see what is in the trash"
    TRASH = "delete models and versions, and take them back"
    DEPRECATE = "deprecate versions"
    SET_RETENTION = "set a model's retention rule"
    TRASH_PROJECT = "delete the project, and take it back"


# The least role that may do it. Writing actions also need a token with write scope, where a token is used.
NEEDS: dict[Action, Role] = {
    Action.VIEW: Role.VIEWER,
    Action.VIEW_MEMBERS: Role.VIEWER,
    Action.LEAVE: Role.VIEWER,
    Action.UPLOAD: Role.CONTRIBUTOR,
    Action.VIEW_UPLOAD: Role.CONTRIBUTOR,
    Action.CREATE_MODEL: Role.CONTRIBUTOR,
    Action.PUBLISH: Role.CONTRIBUTOR,
    Action.LOG_METRICS: Role.CONTRIBUTOR,
    Action.RECORD_LINEAGE: Role.CONTRIBUTOR,
    Action.MOVE_REF: Role.CONTRIBUTOR,
    Action.REWIND_BRANCH: Role.MAINTAINER,
    Action.MOVE_PROTECTED_REF: Role.MAINTAINER,
    Action.EDIT_MODEL: Role.MAINTAINER,
    Action.MANAGE_MEMBERS: Role.MAINTAINER,
    Action.VIEW_INVITATIONS: Role.MAINTAINER,
    Action.VIEW_EVENTS: Role.MAINTAINER,
    Action.EDIT_PROJECT: Role.MAINTAINER,
    Action.OWN_PROJECT: Role.OWNER,
    Action.VIEW_TRASH: Role.MAINTAINER,
    Action.TRASH: Role.MAINTAINER,
    Action.DEPRECATE: Role.MAINTAINER,
    Action.SET_RETENTION: Role.MAINTAINER,
    Action.TRASH_PROJECT: Role.OWNER,
}
READING = frozenset(
    {
        Action.VIEW,
        Action.VIEW_MEMBERS,
        Action.VIEW_INVITATIONS,
        Action.VIEW_UPLOAD,
        Action.VIEW_EVENTS,
        Action.VIEW_TRASH,
    }
)


def role_in(actor: Actor, project: Project) -> Role | None:
    """Return the actor's role in the project, or None for somebody who is no member."""
    if not actor.is_authenticated:
        return None
    return next((Role(value) for (value,) in _roles(actor.pk, project.pk)), None)


@prepared
def _roles(user: int, project: int) -> QuerySet[Any, tuple[int]]:
    return Membership.objects.filter(project=project, user=user).order_by().values_list("role")


def _role_at_the_door(actor: Actor, project: Project) -> Role | None:
    """The role with which this actor found the project in this call; looked up where somebody else found it."""
    if project.role_found is None or project.role_found[0] != actor.pk:
        return role_in(actor, project)
    value = project.role_found[1]
    return Role(value) if value is not None else None


def can_see(actor: Actor, project: Project, role: Role | None) -> bool:
    """Whether the project exists for this actor at all."""
    if project.trashed_at is not None:
        return False
    token = getattr(actor, "access_token", None)
    if token and token.project_id and token.project_id != project.name:
        return False
    if role is not None or project.visibility == Visibility.PUBLIC:
        return True
    return actor.is_authenticated and project.visibility == Visibility.INTERNAL


def can(actor: Actor, action: Action, project: Project) -> bool:
    """Whether the actor may do this in the project."""
    role = _role_at_the_door(actor, project)
    if not can_see(actor, project, role):
        return False
    if action is Action.VIEW:
        return True
    return role is not None and role >= NEEDS[action] and (action in READING or _token_writes(actor))


def require(actor: Actor, action: Action, project: Project) -> None:
    """Return when the actor may do this; else Project.DoesNotExist (may not see it) or Forbidden (may not do it)."""
    role = _role_at_the_door(actor, project)
    if not can_see(actor, project, role):
        raise Project.DoesNotExist
    if action is Action.VIEW:
        return
    if role is None or role < NEEDS[action]:
        needed = Role(NEEDS[action])
        yours = f"your role is {role.label}" if role else "you are no member"
        raise RoleTooLow(
            "role_too_low",
            f"You may not {action.value} in {project.name}: it takes the role {needed.label}, and {yours}."
            f" Ask {'an owner' if needed is Role.OWNER else 'a maintainer or owner'} of the project.",
            project=project,
            needed=needed,
        )
    if action not in READING and not _token_writes(actor):
        raise Forbidden(
            "token_scope", f"This access token may only read; to {action.value}, use one with the scope “write”."
        )


def require_of_trashed(actor: Actor, action: Action, project: Project) -> None:
    """Return when the actor may do this with a project that is in the trash; for whoever may not, it is not there."""
    role, token = role_in(actor, project), getattr(actor, "access_token", None)
    if role is None or role < NEEDS[action] or (token and token.project_id and token.project_id != project.name):
        raise Project.DoesNotExist
    if action not in READING and not _token_writes(actor):
        raise Forbidden(
            "token_scope", f"This access token may only read; to {action.value}, use one with the scope “write”."
        )


def _token_writes(actor: Actor) -> bool:
    token = getattr(actor, "access_token", None)
    return token is None or token.scope == AccessToken.Scope.WRITE
