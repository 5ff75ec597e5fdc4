"""The accounts' pages and their addresses, mounted at the root."""

from __future__ import annotations

from django.urls import path

from accounts.web import account, views

page_routes = [
    path("login/", views.LoginPage.as_view(), name="login"),
    path("logout/", views.LogoutPage.as_view(), name="logout"),
    path("register/", views.RegisterPage.as_view(), name="register"),
    path("register/resend/", views.ResendVerificationPage.as_view(), name="resend-verification"),
    path("password/reset/", views.ForgottenPasswordPage.as_view(), name="forgotten-password"),
    path("account/", account.profile, name="account"),
    path("account/password/", account.change_password, name="change-password"),
    path("account/sessions/", account.sessions, name="sessions"),
    path("account/sessions/end-others/", account.end_other_sessions, name="end-other-sessions"),
    path("account/sessions/<uuid:pk>/end/", account.end_session, name="end-session"),
    path("account/tokens/", account.tokens, name="access-tokens"),
    path("account/tokens/<int:pk>/revoke/", account.revoke_token, name="revoke-token"),
]
