"""What staff do to users: make them, switch them off and on, vouch for an address."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.errors import Forbidden
from accounts.models import User
from accounts.services import passwords, registration, rights, sign_ins


def create_user(*, actor: User, email: str, username: str, password: str, is_staff: bool = False) -> User:
    """Make a user who counts as verified. Staff are made by superusers alone."""
    rights.require_superuser(actor) if is_staff else rights.require_staff(actor)
    email = registration.normal_email(email)
    passwords.check_strength(password, user=User(email=email, username=username))
    try:
        return User.objects.create_user(email, username, password, is_staff=is_staff, email_verified_at=timezone.now())
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
        for name, value in flags.items():
            setattr(user, name, value)
        user.save(update_fields=list(flags))
        if not user.is_active:
            sign_ins.sign_out_everywhere(user=user)
    return user


def mark_verified(*, actor: User, user: User) -> User:
    """Vouch for a user's address without the mail."""
    rights.require_staff(actor)
    if user.email_verified_at is None:
        user.email_verified_at = timezone.now()
        user.save(update_fields=["email_verified_at"])
    return user


def send_reset(*, actor: User, user: User) -> None:
    """Mail the user a link for a new password, because somebody of the staff was asked to."""
    rights.require_staff(actor)
    passwords.request_reset(email=user.email)


def _require_power_over(actor: User, user: User) -> None:
    rights.require_staff(actor)
    if user.pk == actor.pk:
        raise Forbidden("own_account", "Nobody can switch themselves off or change their own rights. Ask a colleague.")
    if user.is_staff or user.is_superuser:
        rights.require_superuser(actor)
