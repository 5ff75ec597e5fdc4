"""DRF's permission classes for accounts; the services behind them check again."""

from __future__ import annotations

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.errors import Forbidden
from accounts.models import AccessToken
from accounts.services import rights


class SignInNeeded(BasePermission):
    """Everybody who signed in with a password; an access token gets 403 `sign_in_needed`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user.is_authenticated:
            return False
        rights.require_sign_in(request.user)
        return True


class StaffOnly(SignInNeeded):
    """Staff who signed in with a password."""

    message = "Only staff may manage users."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and request.user.is_staff


class TokenScope(BasePermission):
    """A token made for reading writes nothing, whatever its user may do: 403 `token_scope`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        token: AccessToken | None = getattr(request.user, "access_token", None)
        if token is not None and token.scope == AccessToken.Scope.READ and request.method not in SAFE_METHODS:
            raise Forbidden("token_scope", "This access token may only read. Make one with the scope “write”.")
        return True
