"""Who a request comes from: the Authorization header for programs, e-mail and password for pages and the admin."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.errors import BadCredentials, Refusal
from accounts.models import AccessToken, User
from accounts.services import access_tokens, sign_ins


class BearerAuthentication(BaseAuthentication):
    """An access JWT or an access token: after `Bearer`, bare, or (the token) as the password of HTTP Basic.

    Whatever else stands in the header is refused, also where nobody needs to sign in.
    """

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        header = request.headers.get("Authorization", "").strip()
        if not header:
            return None
        try:
            text = _credential(header)
            return _user_of(text), text
        except BadCredentials as refusal:
            raise AuthenticationFailed(refusal.message, code=refusal.code) from None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="LMVP"'


class VerifiedEmailBackend(ModelBackend):
    """E-mail and password for pages and the admin, behind the same throttles as the API."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        login = username or kwargs.get("email")
        if not login or password is None:
            return None
        try:
            return sign_ins.open_session(login=login, password=password)
        except Refusal:
            return None

    def user_can_authenticate(self, user: AbstractBaseUser | None) -> bool:
        # Asked at every request of a web session too: switching a user off ends it.
        return isinstance(user, User) and user.is_active and user.is_verified


def _credential(header: str) -> str:
    scheme, _, rest = header.partition(" ")
    if not rest:
        return scheme
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        return _basic_password(rest.strip())
    raise BadCredentials("token_invalid", "Send `Authorization: Bearer <token>`.")


def _basic_password(encoded: str) -> str:
    try:
        _, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        password = ""
    if not password.startswith(AccessToken.PREFIX):
        raise BadCredentials("token_invalid", "With HTTP Basic, send an access token (lmvp_…) as the password.")
    return password


def _user_of(text: str) -> User:
    if text.startswith(AccessToken.PREFIX):
        return access_tokens.use_access_token(text=text)
    return sign_ins.user_of(access=text)
