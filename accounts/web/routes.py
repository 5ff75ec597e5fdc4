"""The accounts' pages and their addresses, mounted at the root."""

from __future__ import annotations

from django.urls import path

from accounts.web import views

page_routes = [
    path("login/", views.LoginPage.as_view(), name="login"),
    path("logout/", views.LogoutPage.as_view(), name="logout"),
    path("register/", views.RegisterPage.as_view(), name="register"),
    path("register/resend/", views.ResendVerificationPage.as_view(), name="resend-verification"),
    path("password/reset/", views.ForgottenPasswordPage.as_view(), name="forgotten-password"),
    path("account/", views.AccountPage.as_view(), name="account"),
    path("account/password/", views.ChangePasswordPage.as_view(), name="change-password"),
    path("account/tokens/<int:pk>/revoke/", views.RevokeTokenPage.as_view(), name="revoke-token"),
]
