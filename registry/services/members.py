"""Who belongs to a project: roles given and taken, invitations mailed and accepted."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import AccessToken, User
from accounts.services import mail, throttles
from registry.errors import Conflict, Forbidden, Invalid
from registry.models import Invitation, Membership, Project, Role
from registry.permissions import Action, RoleTooLow, require, role_in
from registry.services import events
from registry.services.projects import require_or_administer


def find_user(*, username: str) -> User:
    """Return the verified user of this name; Invalid otherwise, with the way to reach somebody who is not here."""
    user: User | None = User.objects.filter(username=username, is_active=True).first()
    if user is None or not user.is_verified:
        raise Invalid(
            "unknown_user",
            f"There is no user “{username}”. Invite people who are not here yet by e-mail address.",
            fields={"username": ["unknown"]},
        )
    return user


def set_membership(
    *, actor: User, project: Project, user: User, role: Role, by_administrator: bool = False
) -> Membership:
    """Give a user a role in the project, or change it. Nobody but an administrator gives or takes more than their own."""
    require_or_administer(actor, Action.MANAGE_MEMBERS, project, by_administrator=by_administrator)
    with transaction.atomic():
        _lock(project)
        membership = Membership.objects.filter(project=project, user=user).first()
        before = Role(membership.role).label if membership else None
        if not by_administrator:
            _within_own_role(actor, project, max(role, Role(membership.role)) if membership else role)
        if membership:
            _keep_an_owner(membership, role)
            membership.role = role
            membership.save(update_fields=["role"])
        else:
            membership = Membership.objects.create(project=project, user=user, role=role)
        if before != role.label:
            _record(actor, project, "member.role_set", user.username, before, role.label)
    return membership


def remove_member(*, actor: User, project: Project, user: User, by_administrator: bool = False) -> None:
    """Take a user out of the project; everybody may leave, except the last owner. Membership.DoesNotExist if none."""
    action = Action.LEAVE if actor.pk == user.pk else Action.MANAGE_MEMBERS
    require_or_administer(actor, action, project, by_administrator=by_administrator)
    with transaction.atomic():
        _lock(project)
        membership = Membership.objects.get(project=project, user=user)
        if actor.pk != user.pk and not by_administrator:
            _within_own_role(actor, project, Role(membership.role))
        _keep_an_owner(membership, None)
        membership.delete()
        _record(actor, project, "member.removed", user.username, Role(membership.role).label, None)


def invite(*, actor: User, project: Project, email: str, role: Role) -> Invitation:
    """Mail an invitation; one that is open for the same address is replaced. The token is in the mail alone."""
    require(actor, Action.MANAGE_MEMBERS, project)
    _within_own_role(actor, project, role)
    throttles.take("mail:account", email)
    throttles.take("mail:host", str(actor.pk))
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        _lock(project)
        replaced = Invitation.objects.filter(project=project, email__iexact=email, accepted_at=None)
        before = Role(replaced[0].role).label if replaced else None
        replaced.delete()
        invitation = Invitation.objects.create(
            project=project, email=email, role=role, digest=_digest(token), invited_by=actor
        )
        _record(actor, project, "member.invited", email, before, role.label)
        mail.send(
            to=email,
            template="registry/mail/invitation.txt",
            invitation=invitation,
            role=role.label,
            token=token,
            link=f"{settings.LMVP_URL}/invitations/accept/?token={token}",
        )
    return invitation


def withdraw_invitation(*, actor: User, project: Project, invitation_id: int, by_administrator: bool = False) -> None:
    """Delete an open invitation; Invitation.DoesNotExist when there is none."""
    require_or_administer(actor, Action.MANAGE_MEMBERS, project, by_administrator=by_administrator)
    with transaction.atomic():
        invitation = Invitation.objects.open().get(project=project, pk=invitation_id)
        _record(actor, project, "invitation.withdrawn", invitation.email, Role(invitation.role).label, None)
        invitation.delete()


def find_invitation(*, token: str) -> Invitation:
    """Return the open invitation of the mailed token, its project and host with it; Invalid when it is not good (any more)."""
    return _good(_invitations(token).first())


def accept_invitation(*, actor: User, token: str) -> Membership:
    """Join the project that the mailed token stands for. A higher role that one has already is kept."""
    if actor.access_token and (actor.access_token.scope != AccessToken.Scope.WRITE or actor.access_token.project_id):
        raise Forbidden("token_scope", "This access token may not accept invitations. Sign in, and accept it then.")
    with transaction.atomic():
        invitation = _invitations(token).select_for_update(no_key=True, of=("self",)).first()
        if invitation and invitation.accepted_by_id == actor.pk:
            return Membership.objects.get(project=invitation.project, user=actor)
        invitation = _good(invitation)
        _lock(invitation.project)
        membership, created = Membership.objects.get_or_create(
            project=invitation.project, user=actor, defaults={"role": invitation.role}
        )
        before = None if created else Role(membership.role).label
        if not created and membership.role >= invitation.role:
            return membership  # the invitation stays for whom it was meant
        if not created:
            membership.role = invitation.role
            membership.save(update_fields=["role"])
        invitation.accepted_at, invitation.accepted_by = timezone.now(), actor
        invitation.save(update_fields=["accepted_at", "accepted_by"])
        _record(actor, invitation.project, "member.joined", actor.username, before, Role(membership.role).label)
    return membership


def _invitations(token: str) -> QuerySet[Invitation]:
    found = Invitation.objects.filter(digest=_digest(token), project__trashed_at=None)
    return found.select_related("project", "invited_by")


def _good(invitation: Invitation | None) -> Invitation:
    if (
        invitation is None
        or invitation.accepted_at
        or invitation.expires_at <= timezone.now()
        or not _may_still_give(invitation)
    ):
        raise Invalid("invitation_not_valid", "This invitation has expired, was used or withdrawn. Ask for a new one.")
    return invitation


def _may_still_give(invitation: Invitation) -> bool:
    """Whether who invited could do it now too: a member who was removed or demoted leaves no door behind."""
    host = invitation.invited_by
    if not host.is_active:
        return False
    own = role_in(host, invitation.project)
    return host.has_perm("registry.change_project") or (
        own is not None and own >= max(Role.MAINTAINER, invitation.role)
    )


def _lock(project: Project) -> None:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _within_own_role(actor: User, project: Project, role: Role) -> None:
    own = role_in(actor, project)
    if own is None or role > own:
        raise RoleTooLow(
            "role_too_low",
            f"Your role in {project.name} is below {role.label}, so you may not give or take it.",
            project=project,
            needed=role,
        )


def _keep_an_owner(membership: Membership, role: Role | None) -> None:
    if membership.role != Role.OWNER or role == Role.OWNER:
        return
    others = Membership.objects.filter(project=membership.project_id, role=Role.OWNER).exclude(pk=membership.pk)
    if not others.exists():
        raise Conflict("last_owner", "A project keeps at least one owner. Make another member owner first.")


def _record(actor: User, project: Project, action: str, subject: str, before: str | None, after: str | None) -> None:
    events.record(
        actor=actor,
        action=action,
        project=project,
        subject=subject,
        before={"role": before} if before else None,
        after={"role": after} if after else None,
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
