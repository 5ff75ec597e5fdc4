"""The accounts' routes: `auth_routes` are mounted at auth/, `v1_routes` at v1/."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import path
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from accounts.api import views
from accounts.web import views as pages

View = Callable[..., HttpResponseBase]
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def page_or_api(page: View, api: View) -> View:
    """One URL for both: browsers get and send forms (with CSRF), programs post JSON."""
    page = csrf_protect(page)

    # wraps() hands on what Swagger looks for, and csrf_exempt: the page protects itself.
    @csrf_exempt
    @functools.wraps(api)
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        for_people = request.method in ("GET", "HEAD") or request.content_type in FORMS
        return (page if for_people else api)(request, *args, **kwargs)

    return view


tokens = views.AccessTokenViewSet
users = views.UserViewSet

auth_routes = [
    path("register/", views.RegisterView.as_view(), name="auth-register"),
    path(
        "email-verify/",
        page_or_api(pages.VerifyEmailPage.as_view(), views.EmailVerifyView.as_view()),
        name="email-verify",
    ),
    path("email-verify/resend/", views.EmailVerifyResendView.as_view(), name="email-verify-resend"),
    path("login/", views.LoginView.as_view(), name="auth-login"),
    path("token/refresh/", views.TokenRefreshView.as_view(), name="auth-token-refresh"),
    path("logout/", views.LogoutView.as_view(), name="auth-logout"),
    path("password/reset/", views.PasswordResetView.as_view(), name="auth-password-reset"),
    path(
        "password/reset/confirm/",
        page_or_api(pages.ResetPasswordPage.as_view(), views.PasswordResetConfirmView.as_view()),
        name="password-reset-confirm",
    ),
    path("password/change/", views.PasswordChangeView.as_view(), name="auth-password-change"),
    path("me/", views.MeView.as_view(), name="auth-me"),
    path("tokens/", tokens.as_view({"get": "list", "post": "create"}), name="auth-tokens"),
    path("tokens/<int:pk>/", tokens.as_view({"delete": "destroy"}), name="auth-token"),
]

v1_routes = [
    path("token/", views.PasswordGrantView.as_view(), name="token"),
    path("users/", users.as_view({"get": "list", "post": "create"}), name="users"),
    path("users/<slug:username>/", users.as_view({"patch": "partial_update"}), name="user"),
]
