"""DRF's permission classes for accounts; the services behind them check again."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

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
