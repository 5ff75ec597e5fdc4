"""Access tokens: the long-lived keys for machines. A token can never make, change or list tokens."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import audit
from accounts.errors import BadCredentials, Invalid
from accounts.models import AccessToken, Name, User
from accounts.services import rights
from lmvp.prepared import prepared

LONGEST_DAYS = 3650
TOUCHED_EVERY = timedelta(minutes=10)


def create_access_token(
    *, actor: User, name: str, scope: str, expires_in_days: int | None = None, project: str | None = None
) -> tuple[AccessToken, str]:
    """Return a new token of the actor and its text, which nobody can be shown again."""
    rights.require_sign_in(actor)
    text = AccessToken.fresh_text()
    token = AccessToken(
        user=actor,
        name=_checked_name(name),
        scope=_checked_scope(scope),
        project=_project_name(project) if project else None,
        digest=AccessToken.digest_of(text),
        hint=text[:9],
        expires_at=_expiry(expires_in_days),
    )
    with transaction.atomic():
        token.save()
        audit.record(actor=actor, action="token.created", subject=_told(token), after=_rights(token))
    return token, text


def revoke_access_token(*, actor: User, token: AccessToken) -> AccessToken:
    """Make the token useless, for good: one's own, or anybody's for staff."""
    rights.require_sign_in(actor)
    if token.user_id != actor.pk:
        rights.require_staff(actor)
    with transaction.atomic():
        now = timezone.now()
        if AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            token.revoked_at = now
            audit.record(actor=actor, action="token.revoked", subject=_told(token), before=_rights(token))
    return token


def use_access_token(*, text: str) -> User:
    """Return the token's user with `access_token` set, and note the use; BadCredentials when it is no good."""
    token = next(iter(_usable(AccessToken.digest_of(text), timezone.now())), None)
    if token is None or not token.user.is_verified:
        raise BadCredentials("token_invalid", "This access token is unknown, revoked or expired. Make a new one.")
    _touch(token)
    token.user.access_token = token
    return token.user


@prepared
def _usable(digest: str, now: datetime) -> QuerySet[AccessToken]:
    return AccessToken.objects.filter(digest=digest).usable(now).select_related("user").order_by()


def _touch(token: AccessToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - TOUCHED_EVERY:
        # Of many requests at once, one writes.
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - TOUCHED_EVERY)
        AccessToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
        token.last_used_at = now


def _told(token: AccessToken) -> str:
    return f"{token.user.username}: {token}"


def _rights(token: AccessToken) -> dict[str, str | None]:
    expires = token.expires_at.isoformat() if token.expires_at else None
    return {"scope": token.scope, "project": token.project_id, "expires_at": expires}


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise _invalid("name", "Say in 1 to 100 characters where the token is used.")
    return name


def _checked_scope(scope: str) -> str:
    if scope not in AccessToken.Scope.values:
        raise _invalid("scope", "Choose “read” or “write”.")
    return scope


def _expiry(days: int | None) -> datetime | None:
    if days is None:
        return None
    if not 1 <= days <= LONGEST_DAYS:
        raise _invalid("expires_in_days", f"Give 1 to {LONGEST_DAYS} days, or nothing for a token without an end.")
    return timezone.now() + timedelta(days=days)


def _project_name(project: str) -> Name:
    name = Name.objects.select_related("successor").filter(name=project).first()
    if name is None:
        raise _invalid("project", f"There is no project “{project}”.")
    return name.successor or name


def _invalid(field: str, message: str) -> Invalid:
    return Invalid("invalid", message, fields={field: [message]})
