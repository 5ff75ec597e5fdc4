"""Passwords: changed by who knows the old one, reset by who reads the mail. Either ends every other sign-in."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import audit
from accounts.errors import Invalid
from accounts.models import SignIn, User
from accounts.services import mailed_tokens, rights, sign_ins, throttles


def check_strength(password: str, *, user: User) -> None:
    """Refuse what Django's validators refuse."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        message = " ".join(error.messages)
        raise Invalid("weak_password", message, fields={"password": error.messages}) from None


def request_reset(*, email: str) -> None:
    """Mail a link to the user of the address; an unverified one gets the verification first. Says nothing."""
    throttles.take_mail(email)
    user = User.objects.with_email(email).first()
    if user is not None and user.is_active and not user.is_verified:
        return mailed_tokens.mail_verification(user, to=user.email)
    to = user.email if user is not None and user.is_active else None
    mailed_tokens.mail_reset(user or User(email=email), to=to)


def confirm_reset(*, token: str, password: str) -> User:
    """Set the password with the mailed token, once."""
    with transaction.atomic():
        user = mailed_tokens.read(purpose=mailed_tokens.RESET, token=token, lock=True)
        return _set(user, password, action="password.reset")


def change_password(*, actor: User, old_password: str, new_password: str, kept: SignIn | None = None) -> User:
    """Set the actor's password; guesses at the old one count like failed sign-ins. `kept` is where this is done."""
    rights.require_sign_in(actor)
    slot = throttles.take("login:account", actor.email)
    if not actor.check_password(old_password):
        message = "This is not your password now."
        raise Invalid("wrong_password", message, fields={"old_password": [message]})
    throttles.give_back(slot)
    with transaction.atomic():
        return _set(actor, new_password, action="password.changed", kept=kept)


def _set(user: User, password: str, *, action: str, kept: SignIn | None = None) -> User:
    check_strength(password, user=user)
    user.set_password(password)
    user.save(update_fields=["password"])
    sign_ins.sign_out_everywhere(user=user, kept=kept)
    audit.record(actor=user, action=action, subject=user.username)
    return user
