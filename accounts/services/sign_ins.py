"""Signing in, staying in, signing out. One SignIn row is one family: the access and refresh JWTs of one login."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token, UntypedToken

from accounts import audit, context
from accounts.errors import BadCredentials, NotVerified
from accounts.models import SignIn, User
from accounts.services import rights, throttles


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a signed-in program holds: the access JWT for minutes, the refresh JWT for days, once."""

    user: User
    access: str
    refresh: str


def check_credentials(*, login: str, password: str) -> User:
    """Return the verified, active user of this e-mail address (or username) and password; each attempt counts."""
    throttles.take_for_caller("login:address")
    user: User | None = User.objects.with_login(login).first()
    slot = throttles.take("login:account", user.email if user else login)
    if not _knows_password(user, password) or user is None or not user.is_active:
        raise BadCredentials("wrong_credentials", "The e-mail address or the password is wrong.")
    throttles.give_back(slot)
    if not user.is_verified:
        raise NotVerified(
            "email_not_verified",
            "Verify your e-mail address first: open the link in the mail, or ask for another at"
            " POST /auth/email-verify/resend/.",
        )
    return user


def sign_in(*, login: str, password: str, user_agent: str = "") -> Tokens:
    """Begin a family for whoever knows the password; BadCredentials, NotVerified and Throttled as they apply."""
    user = check_credentials(login=login, password=password)
    address = context.current.get().address
    with transaction.atomic():
        tokens = _issue(SignIn(user=user, user_agent=user_agent[:200], address=address[:64]))
        audit.record(actor=user, action="sign_in.began", subject=user.username, after={"user_agent": user_agent[:200]})
    return tokens


def open_session(*, login: str, password: str) -> User:
    """Return who may begin a web session with these; refuses as `sign_in` does. The session itself is Django's."""
    user = check_credentials(login=login, password=password)
    audit.record(actor=user, action="sign_in.began", subject=user.username, after={"session": "web"})
    return user


def refresh(*, token: str) -> Tokens:
    """Change a refresh token for new ones. One that was changed before is a stolen one: the family ends."""
    claims = _claims(token, RefreshToken)
    with transaction.atomic():
        sign_in = _family(claims, lock=True)
        reused = not constant_time_compare(sign_in.refresh_id, claims["jti"])
        if not reused:
            return _issue(sign_in)
        sign_in.revoked_at = timezone.now()
        sign_in.save(update_fields=["revoked_at"])
        _record_end(None, sign_in, "a refresh token was used twice")
    # Raised behind the transaction, so that the revocation stays.
    raise BadCredentials("token_reused", "This refresh token was used before; its sign-in was ended. Sign in again.")


def sign_out(*, token: str) -> None:
    """End the family of a refresh token; ending it twice is no error."""
    claims = _claims(token, RefreshToken)
    sign_in = SignIn.objects.select_related("user").filter(pk=claims.get("sid")).first()
    if sign_in:
        _end(sign_in.user, sign_in)


def sign_out_everywhere(*, user: User) -> None:
    """End all families of the user. Web sessions end by themselves: they hang on the password and is_active."""
    user.sign_ins.filter(revoked_at=None).update(revoked_at=timezone.now())


def end_sign_in(*, actor: User, sign_in: SignIn) -> None:
    """End one family: one's own, or anybody's for staff."""
    rights.require_sign_in(actor)
    if sign_in.user_id != actor.pk:
        rights.require_staff(actor)
    _end(actor, sign_in)


def user_of(*, access: str) -> User:
    """Return the user of an access JWT whose sign-in still stands."""
    return _family(_claims(access, AccessToken)).user


def _end(actor: User, sign_in: SignIn) -> None:
    with transaction.atomic():
        if SignIn.objects.filter(pk=sign_in.pk, revoked_at=None).update(revoked_at=timezone.now()):
            _record_end(actor, sign_in, "signed out")


def _record_end(actor: User | None, sign_in: SignIn, why: str) -> None:
    facts = {"began": sign_in.created_at.isoformat(), "address": sign_in.address}
    audit.record(actor=actor, action="sign_in.ended", subject=sign_in.user.username, before=facts, after={"why": why})


def _knows_password(user: User | None, password: str) -> bool:
    if user is None:
        User().set_password(password)  # as long as for a known address
        return False
    return user.check_password(password)


def _claims(text: str, kind: type[Token]) -> Token:
    try:
        token = UntypedToken(text)  # type: ignore[arg-type]  # its stubs forget that a token is text
    except ExpiredTokenError:
        raise BadCredentials("token_expired", f"This {kind.token_type} token has expired.") from None
    except TokenError:
        raise BadCredentials("token_invalid", f"This is no {kind.token_type} token of this server.") from None
    found = token.get("token_type")
    if found != kind.token_type:
        raise BadCredentials("token_type", f"This is a token for {found}; send the {kind.token_type} token here.")
    return token


def _family(claims: Token, *, lock: bool = False) -> SignIn:
    families = SignIn.objects.select_for_update(no_key=True, of=("self",)) if lock else SignIn.objects.all()
    found = families.select_related("user").filter(
        pk=claims.get("sid"), user_id=claims.get("sub"), revoked_at=None, expires_at__gt=timezone.now()
    )
    sign_in = found.first()
    if sign_in is None or not _still_stands(sign_in.user, claims.get("pwd", "")):
        raise BadCredentials("signed_out", "This sign-in has ended. Sign in again.")
    return sign_in


def _still_stands(user: User, mark: str) -> bool:
    # The mark of the password closes the ways round our services: `changepassword`, the admin's own form.
    return user.is_active and user.is_verified and constant_time_compare(mark, _password_mark(user))


def _password_mark(user: User) -> str:
    return user.get_session_auth_hash()[:32]


def _issue(sign_in: SignIn) -> Tokens:
    token = RefreshToken()
    token["sub"] = str(sign_in.user.pk)
    token["sid"] = str(sign_in.pk)
    token["pwd"] = _password_mark(sign_in.user)
    sign_in.refresh_id = token["jti"]
    sign_in.refreshed_at = timezone.now()
    sign_in.expires_at = datetime.fromtimestamp(token["exp"], tz=UTC)
    sign_in.save()
    return Tokens(user=sign_in.user, access=str(token.access_token), refresh=str(token))
