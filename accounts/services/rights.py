"""Who may do what to accounts. Roles in projects are the registry's."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied

from accounts.errors import Forbidden
from accounts.models import User


def require_sign_in(actor: User) -> None:
    """Refuse an access token: it must not be a way to more rights, or to rights that outlive it."""
    if actor.access_token is not None:
        raise Forbidden("sign_in_needed", "An access token cannot do this. Sign in with e-mail and password.")


def require_staff(actor: User) -> None:
    require_sign_in(actor)
    if not actor.is_staff:
        raise PermissionDenied("Only staff may manage users.")


def require_superuser(actor: User) -> None:
    require_staff(actor)
    if not actor.is_superuser:
        raise PermissionDenied("Only superusers may do this to staff, or make somebody staff.")
