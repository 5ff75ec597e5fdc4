"""The pages of one's own account: who one is, where one is signed in, one's access tokens, one's password."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.errors import Refusal, Throttled
from accounts.models import AccessToken, SignIn
from accounts.services import access_tokens, passwords, sign_ins
from accounts.user_agents import friendly_name
from accounts.web import forms

MOST = 100  # rows of a list that a person keeps in hand
DAYS = 90  # of a new token, unless its maker says otherwise


@require_safe
@never_cache
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """Who one is here."""
    return render(request, "accounts/profile.html", {"tab": "profile"})


@require_safe
@never_cache
@login_required
def sessions(request: HttpRequest) -> HttpResponse:
    """Where one is signed in, this browser first, then the ones used last."""
    found = list(request.user.sign_ins.standing().order_by("-refreshed_at")[: MOST + 1])
    this = request.sign_in.pk if request.sign_in else None
    rows = sorted(found[:MOST], key=lambda one: one.pk != this)
    lines = [{"sign_in": one, "name": friendly_name(one.user_agent), "here": one.pk == this} for one in rows]
    facts = {
        "tab": "sessions",
        "lines": lines,
        "others": any(not line["here"] for line in lines),
        "more": len(found) > MOST,
        "days": settings.SESSION_COOKIE_AGE // 86_400,
    }
    return render(request, "accounts/sessions.html", facts)


@require_POST
@login_required
def end_session(request: HttpRequest, pk: UUID) -> HttpResponse:
    sign_in = get_object_or_404(SignIn, pk=pk, user=request.user)
    sign_ins.end_sign_in(actor=request.user, sign_in=sign_in)
    messages.success(request, f"{friendly_name(sign_in.user_agent)} is signed out.")
    return redirect("sessions")


@require_POST
@login_required
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    ended = sign_ins.end_others(actor=request.user, kept=request.sign_in)
    messages.success(request, f"Signed out everywhere else: {ended} sign-in{'' if ended == 1 else 's'} ended.")
    return redirect("sessions")


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@never_cache
@login_required
def tokens(request: HttpRequest) -> HttpResponse:
    """One's access tokens. The text of a new one stands in this one answer."""
    if request.method != "POST":
        return _tokens(request, forms.AccessTokenForm(initial={"expires_in_days": DAYS}))
    form = forms.AccessTokenForm(request.POST)
    if not form.is_valid():
        return _tokens(request, form, status=400)
    try:
        token, text = access_tokens.create_access_token(actor=request.user, **form.cleaned_data)
    except Refusal as refusal:
        forms.show_refusal(form, refusal)
        return _tokens(request, form, status=refusal.status)
    facts = {"tab": "tokens", "token": token, "text": text, "server": settings.LMVP_URL}
    return render(request, "accounts/token_made.html", facts, status=201)


@require_POST
@login_required
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(AccessToken, pk=pk, user=request.user)
    access_tokens.revoke_access_token(actor=request.user, token=token)
    messages.success(request, f"The access token “{token.name}” is revoked.")
    return redirect("access-tokens")


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@never_cache
@login_required
def change_password(request: HttpRequest) -> HttpResponse:
    form = forms.ChangePasswordForm(request.POST or None)
    status = 200 if request.method != "POST" else 400
    facts = {"tab": "password", "form": form}
    if not form.is_valid():
        return render(request, "accounts/change_password.html", facts, status=status)
    try:
        user = passwords.change_password(actor=request.user, kept=request.sign_in, **form.cleaned_data)
    except Refusal as refusal:
        forms.show_refusal(form, refusal)
        response = render(request, "accounts/change_password.html", facts, status=refusal.status)
        if isinstance(refusal, Throttled):
            response["Retry-After"] = str(refusal.seconds)
        return response
    update_session_auth_hash(request, user)  # this browser stays signed in
    messages.success(request, "Your password is changed. Everywhere else you are signed out.")
    return redirect("account")


def _tokens(request: HttpRequest, form: forms.AccessTokenForm, *, status: int = 200) -> HttpResponse:
    kept = AccessToken.objects.filter(user=request.user, revoked_at=None)[:MOST]
    facts = {"tab": "tokens", "form": form, "tokens": kept, "now": timezone.now()}
    return render(request, "accounts/tokens.html", facts, status=status)
