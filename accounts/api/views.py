"""The accounts over HTTP: read the body, call one service, show the result."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework import status
from rest_framework.generics import get_object_or_404
from rest_framework.mixins import ListModelMixin
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.api import documentation as docs
from accounts.api import serializers
from accounts.api.documentation import documented
from accounts.api.parsers import BoundedJSON
from accounts.models import AccessToken, User
from accounts.permissions import SignInNeeded, StaffOnly
from accounts.services import access_tokens, passwords, registration, sign_ins, users


class PublicView(APIView):
    """A call that nobody needs to sign in for: a stale Authorization header must not hinder it."""

    authentication_classes: list[type] = []
    permission_classes = [AllowAny]
    parser_classes = [BoundedJSON]

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="LMVP"'  # a wrong password is a 401 too


class RegisterView(PublicView):
    @documented(
        "Register, and get a mail with a link that verifies the address",
        name="auth_register",
        body=serializers.RegistrationSerializer,
        answer=(201, "Registered; the mail is on its way.", docs.EMAIL_AND_NAME),
        errors=(400, 429),
        public=True,
    )
    def post(self, request: Request) -> Response:
        data = _read(serializers.RegistrationSerializer, request)
        registration.register(**data)
        return Response({"email": data["email"], "username": data["username"]}, status.HTTP_201_CREATED)


class EmailVerifyView(PublicView):
    @documented(
        "Verify the e-mail address with the mailed token",
        name="auth_email_verify",
        body=serializers.MailedTokenSerializer,
        answer=(200, "Verified.", docs.DETAIL),
        errors=(400,),
        public=True,
    )
    def post(self, request: Request) -> Response:
        registration.verify_email(**_read(serializers.MailedTokenSerializer, request))
        return Response({"detail": "Your e-mail address is verified. Sign in at /auth/login/."})


class EmailVerifyResendView(PublicView):
    @documented(
        "Ask for another verification mail",
        name="auth_email_verify_resend",
        body=serializers.EmailSerializer,
        answer=(202, "If the address waits for it, the mail is on its way.", docs.DETAIL),
        errors=(400, 429),
        public=True,
    )
    def post(self, request: Request) -> Response:
        registration.resend_verification(**_read(serializers.EmailSerializer, request))
        detail = "If this address is registered and not verified, a mail is on its way."
        return Response({"detail": detail}, status.HTTP_202_ACCEPTED)


class LoginView(PublicView):
    @documented(
        "Sign in with e-mail and password",
        name="auth_login",
        body=serializers.LoginSerializer,
        answer=(200, "Signed in: send the access token as `Authorization: Bearer …`.", docs.LOGIN),
        errors=(400, 401, 403, 429),
        public=True,
    )
    def post(self, request: Request) -> Response:
        data = _read(serializers.LoginSerializer, request)
        tokens = _sign_in(request, login=data["email"], password=data["password"])
        jwts = {"refresh": tokens.refresh, "access": tokens.access}
        return Response({"email": tokens.user.email, "username": tokens.user.username, "tokens": jwts})


class PasswordGrantView(PublicView):
    parser_classes = [FormParser, MultiPartParser, BoundedJSON]

    @documented(
        "Sign in with OAuth2's password form",
        name="token_create",
        body=serializers.PasswordGrantSerializer,
        answer=(200, "Signed in.", docs.OAUTH),
        errors=(400, 401, 403, 429),
        public=True,
    )
    def post(self, request: Request) -> Response:
        data = _read(serializers.PasswordGrantSerializer, request)
        tokens = _sign_in(request, login=data["username"], password=data["password"])
        return Response(
            {"access_token": tokens.access, "refresh_token": tokens.refresh, "token_type": "bearer"},
            headers={"Cache-Control": "no-store"},
        )


class TokenRefreshView(PublicView):
    @documented(
        "Change the refresh token for a new pair",
        name="auth_token_refresh",
        body=serializers.RefreshSerializer,
        answer=(200, "The new pair; the old refresh token is used up.", docs.JWTS),
        errors=(400, 401),
        public=True,
    )
    def post(self, request: Request) -> Response:
        tokens = sign_ins.refresh(token=_read(serializers.RefreshSerializer, request)["refresh"])
        return Response({"refresh": tokens.refresh, "access": tokens.access})


class LogoutView(PublicView):
    @documented(
        "Sign out: end the refresh token and the access tokens made with it",
        name="auth_logout",
        body=serializers.RefreshSerializer,
        answer=(204, "Signed out.", None),
        errors=(400, 401),
        public=True,
    )
    def post(self, request: Request) -> Response:
        sign_ins.sign_out(token=_read(serializers.RefreshSerializer, request)["refresh"])
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordResetView(PublicView):
    @documented(
        "Ask for a mail with a link to choose another password",
        name="auth_password_reset",
        body=serializers.EmailSerializer,
        answer=(202, "If the address is known, the mail is on its way.", docs.DETAIL),
        errors=(400, 429),
        public=True,
    )
    def post(self, request: Request) -> Response:
        passwords.request_reset(**_read(serializers.EmailSerializer, request))
        return Response({"detail": "If this address is registered, a mail is on its way."}, status.HTTP_202_ACCEPTED)


class PasswordResetConfirmView(PublicView):
    @documented(
        "Choose another password with the mailed token",
        name="auth_password_reset_confirm",
        body=serializers.PasswordResetConfirmSerializer,
        answer=(200, "Changed; every sign-in has ended.", docs.DETAIL),
        errors=(400,),
        public=True,
    )
    def post(self, request: Request) -> Response:
        passwords.confirm_reset(**_read(serializers.PasswordResetConfirmSerializer, request))
        return Response({"detail": "Your password is changed. Sign in with it."})


class PasswordChangeView(APIView):
    permission_classes = [SignInNeeded]

    @documented(
        "Change the password",
        name="auth_password_change",
        body=serializers.PasswordChangeSerializer,
        answer=(200, "Changed; every sign-in has ended, this one too.", docs.DETAIL),
        errors=(400, 401, 403, 429),
    )
    def post(self, request: Request) -> Response:
        passwords.change_password(actor=request.user, **_read(serializers.PasswordChangeSerializer, request))
        return Response({"detail": "Your password is changed. Sign in with it."})


class MeView(APIView):
    permission_classes = [IsAuthenticated]

    @documented("Who am I", name="auth_me", answer=(200, "The caller.", docs.ME), errors=(401,))
    def get(self, request: Request) -> Response:
        return Response(serializers.MeSerializer(request.user).data)


class AccessTokenViewSet(ListModelMixin, GenericViewSet):
    permission_classes = [SignInNeeded]
    serializer_class = serializers.AccessTokenSerializer
    queryset = AccessToken.objects.none()

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return AccessToken.objects.filter(user=self.request.user, revoked_at=None)

    @documented(
        "List the access tokens (their texts are never shown again)",
        name="auth_tokens_list",
        answer=(200, "The tokens that are not revoked.", {**docs.USERS, "results": [docs.ACCESS_TOKEN]}),
        errors=(401, 403),
    )
    def list(self, request: Request) -> Response:
        return super().list(request)

    @documented(
        "Make an access token",
        name="auth_tokens_create",
        body=serializers.AccessTokenCreateSerializer,
        answer=(201, "Made; `token` is shown this once.", docs.ACCESS_TOKEN_WITH_TEXT),
        errors=(400, 401, 403),
    )
    def create(self, request: Request) -> Response:
        data = _read(serializers.AccessTokenCreateSerializer, request)
        token, text = access_tokens.create_access_token(actor=request.user, **data)
        return Response({**self.get_serializer(token).data, "token": text}, status.HTTP_201_CREATED)

    @documented(
        "Revoke an access token",
        name="auth_tokens_delete",
        answer=(204, "Revoked.", None),
        errors=(401, 403, 404),
    )
    def destroy(self, request: Request, pk: int) -> Response:
        access_tokens.revoke_access_token(actor=request.user, token=get_object_or_404(self.get_queryset(), pk=pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


class UserViewSet(ListModelMixin, GenericViewSet):
    permission_classes = [StaffOnly]
    serializer_class = serializers.UserSerializer
    queryset = User.objects.order_by("username")

    @documented(
        "List the users (staff)", name="users_list", tag="users", answer=(200, "A page.", docs.USERS), errors=(401, 403)
    )
    def list(self, request: Request) -> Response:
        return super().list(request)

    @documented(
        "Make a user who need not verify the address (staff)",
        name="users_create",
        tag="users",
        body=serializers.UserCreateSerializer,
        answer=(201, "Made.", docs.USER),
        errors=(400, 401, 403),
    )
    def create(self, request: Request) -> Response:
        data = _read(serializers.UserCreateSerializer, request)
        is_staff = "admin" in data.pop("roles")
        user = users.create_user(actor=request.user, is_staff=is_staff, **data)
        return Response(self.get_serializer(user).data, status.HTTP_201_CREATED)

    @documented(
        "Switch a user on or off, make them staff or not (staff; `is_staff` superusers)",
        name="users_partial_update",
        tag="users",
        body=serializers.UserFlagsSerializer,
        answer=(200, "The user as it is now.", docs.USER),
        errors=(400, 401, 403, 404),
    )
    def partial_update(self, request: Request, username: str) -> Response:
        user = self.get_queryset().filter(username=username).first()
        if user is None:
            raise Http404(f"There is no user “{username}”.")
        user = users.set_flags(actor=request.user, user=user, **_read(serializers.UserFlagsSerializer, request))
        return Response(self.get_serializer(user).data)


def _read(kind: type[Serializer], request: Request) -> dict[str, Any]:
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _sign_in(request: Request, *, login: str, password: str) -> sign_ins.Tokens:
    return sign_ins.sign_in(login=login, password=password, user_agent=request.headers.get("User-Agent", ""))
