"""What staff do to users: make them, switch them off and on, vouch for an address."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit
from accounts.errors import Forbidden
from accounts.models import User
from accounts.services import passwords, registration, rights, sign_ins
from accounts.services.groups import codes


def create_user(*, actor: User, email: str, username: str, password: str, is_staff: bool = False) -> User:
    """Make a user who counts as verified. Staff are made by superusers alone."""
    rights.require_superuser(actor) if is_staff else rights.require_staff(actor)
    email = registration.normal_email(email)
    passwords.check_strength(password, user=User(email=email, username=username))
    try:
        with transaction.atomic():
            vouched = {"is_staff": is_staff, "email_verified_at": timezone.now()}
            user: User = User.objects.create_user(email, username, password, **vouched)
            audit.record(actor=actor, action="user.created", subject=username, after={"is_staff": is_staff})
            return user
    except ValidationError as error:
        raise registration.refused_name(error) from None
    except IntegrityError:
        taken = ValidationError("There is a user with this e-mail address already.", code="email_taken")
        raise registration.refused_name(taken) from None


def set_flags(
    *,
    actor: User,
    user: User,
    is_active: bool | None = None,
    is_staff: bool | None = None,
    is_superuser: bool | None = None,
) -> User:
    """Switch a user off or on, give or take rights; what is None stays. Switching off ends all sign-ins."""
    _require_power_over(actor, user)
    asked = {"is_active": is_active, "is_staff": is_staff, "is_superuser": is_superuser}
    flags = {name: value for name, value in asked.items() if value is not None}
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if any(flags[name] != getattr(user, name) for name in flags if name != "is_active"):
            rights.require_superuser(actor)
        before = {name: getattr(user, name) for name in flags if getattr(user, name) != flags[name]}
        if not before:
            return user
        after = {name: flags[name] for name in before}
        for name, value in after.items():
            setattr(user, name, value)
        user.save(update_fields=list(after))
        if not user.is_active:
            sign_ins.sign_out_everywhere(user=user)
        audit.record(actor=actor, action="user.changed", subject=user.username, before=before, after=after)
    return user


def set_permissions(
    *,
    actor: User,
    user: User,
    groups: Iterable[Group] | None = None,
    user_permissions: Iterable[Permission] | None = None,
) -> None:
    """Say what a user of the staff may do in the admin; what is None stays. Superusers alone."""
    rights.require_superuser(actor)
    with transaction.atomic():
        before = _permissions_of(user)
        if groups is not None:
            user.groups.set(groups)
        if user_permissions is not None:
            user.user_permissions.set(user_permissions)
        after = _permissions_of(user)
        if before != after:
            audit.record(actor=actor, action="user.changed", subject=user.username, before=before, after=after)


def set_quota(*, actor: User, user: User, quota: int | None) -> User:
    """Say how many bytes the files that a user brings may have (None: what the settings say). Of staff, by superusers alone."""
    rights.require_superuser(actor) if user.is_staff or user.is_superuser else rights.require_staff(actor)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        before, user.quota = {"quota": user.quota}, quota
        if before["quota"] == quota:
            return user
        user.clean_fields(exclude={field.name for field in User._meta.fields} - {"quota"})
        user.save(update_fields=["quota"])
        audit.record(actor=actor, action="user.changed", subject=user.username, before=before, after={"quota": quota})
    return user


def mark_verified(*, actor: User, user: User) -> User:
    """Vouch for a user's address without the mail."""
    rights.require_staff(actor)
    with transaction.atomic():
        now = timezone.now()
        if User.objects.filter(pk=user.pk, email_verified_at=None).update(email_verified_at=now):
            user.email_verified_at = now
            audit.record(actor=actor, action="user.verified", subject=user.username)
    return user


def send_reset(*, actor: User, user: User) -> None:
    """Mail the user a link for a new password, because somebody of the staff was asked to."""
    rights.require_staff(actor)
    with transaction.atomic():
        passwords.request_reset(email=user.email)
        audit.record(actor=actor, action="password.reset_sent", subject=user.username)


def _permissions_of(user: User) -> dict[str, list[str]]:
    own = user.user_permissions.select_related("content_type")
    return {"groups": sorted(group.name for group in user.groups.all()), "permissions": codes(own)}


def _require_power_over(actor: User, user: User) -> None:
    rights.require_staff(actor)
    if user.pk == actor.pk:
        raise Forbidden("own_account", "Nobody can switch themselves off or change their own rights. Ask a colleague.")
    if user.is_staff or user.is_superuser:
        rights.require_superuser(actor)
