"""The mailed links and their tokens: signed, dated, and good only in the state of the user they were made in."""

from __future__ import annotations

from django.conf import settings
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.errors import Invalid
from accounts.models import User
from accounts.services import mail

VERIFICATION = "accounts.verification"
RESET = "accounts.password-reset"


def make(*, purpose: str, user: User) -> str:
    return signing.dumps([user.pk, _fingerprint(purpose, user)], salt=purpose)


def read(*, purpose: str, token: str, lock: bool = False) -> User:
    """Return the token's user, locked if asked; Invalid when it is foreign, too old, used, or overtaken."""
    lifetime = settings.PASSWORD_RESET_LIFETIME if purpose == RESET else settings.EMAIL_VERIFICATION_LIFETIME
    try:
        pk, fingerprint = signing.loads(token, salt=purpose, max_age=lifetime)
    except signing.BadSignature:
        raise _dead_link(purpose) from None
    users = User.objects.select_for_update(no_key=True) if lock else User.objects.all()
    user: User | None = users.filter(pk=pk, is_active=True).first()
    if user is None or not constant_time_compare(fingerprint, _fingerprint(purpose, user)):
        raise _dead_link(purpose)
    return user


def mail_verification(user: User, *, to: str | None, next_page: str = "") -> None:
    """Mail the link; `next_page` is the address of this site where its reader was going."""
    token = make(purpose=VERIFICATION, user=user)
    mail.send(template="accounts/mail/verify_email.txt", to=to, user=user, token=token, next_page=next_page)


def mail_reset(user: User, *, to: str | None) -> None:
    token = make(purpose=RESET, user=user)
    mail.send(template="accounts/mail/reset_password.txt", to=to, user=user, token=token)


def _fingerprint(purpose: str, user: User) -> str:
    # Using a link changes one of these, and so does registering the address again: older links die with it.
    state = f"{user.password}|{user.username}|{user.email}|{user.email_verified_at}"
    return salted_hmac(purpose, state, algorithm="sha256").hexdigest()


def _dead_link(purpose: str) -> Invalid:
    message = "This link was used already, or it is too old. Ask for a new one."
    if purpose == VERIFICATION:
        message += " A later registration for the same address replaces an earlier one: use the newest mail."
    return Invalid("link_invalid", message)
