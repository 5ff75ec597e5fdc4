"""Signing in, staying in, signing out. One SignIn row is one login: the JWTs of a program, or the session of a browser."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token, UntypedToken

from accounts import audit, context
from accounts.errors import BadCredentials, NotVerified
from accounts.models import SignIn, User
from accounts.services import rights, throttles

TOUCHED_EVERY = timedelta(minutes=5)
MARK = 32  # so much of the password's fingerprint a token carries


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


def note_session(*, user: User, user_agent: str = "") -> SignIn:
    """Keep where a web session has begun, so that it can be seen and ended."""
    return SignIn.objects.create(
        user=user,
        kind=SignIn.Kind.BROWSER,
        user_agent=user_agent[:200],
        address=context.current.get().address[:64],
        expires_at=timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )


def use_session(*, sign_in_id: str, mark: str) -> SignIn:
    """Return the sign-in of a web session, with its user, and note the use; BadCredentials when it has ended.

    `mark` is what Django's session keeps of the password.
    """
    browsers = SignIn.objects.standing().filter(kind=SignIn.Kind.BROWSER)
    sign_in = browsers.select_related("user").filter(pk=sign_in_id).first()
    if sign_in is None or not _still_stands(sign_in.user, mark[:MARK]):
        raise BadCredentials("signed_out", "This sign-in has ended. Sign in again.")
    _touch(sign_in)
    return sign_in


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


def sign_out_everywhere(*, user: User, kept: SignIn | None = None) -> int:
    """End all sign-ins of the user, but for the one that is kept; return how many had still stood."""
    others = user.sign_ins.standing().exclude(pk=kept.pk) if kept else user.sign_ins.standing()
    ended: int = others.update(revoked_at=timezone.now())
    return ended


def end_others(*, actor: User, kept: SignIn | None) -> int:
    """End all sign-ins of the actor but the one that is kept; return how many."""
    rights.require_sign_in(actor)
    with transaction.atomic():
        ended = sign_out_everywhere(user=actor, kept=kept)
        if ended:
            why = {"why": "signed out everywhere else"}
            audit.record(
                actor=actor, action="sign_in.ended", subject=actor.username, before={"sign_ins": ended}, after=why
            )
    return ended


def end_sign_in(*, actor: User, sign_in: SignIn) -> None:
    """End one sign-in: one's own, or anybody's for staff."""
    rights.require_sign_in(actor)
    if sign_in.user_id != actor.pk:
        rights.require_staff(actor)
    _end(actor, sign_in)


def user_of(*, access: str) -> User:
    """Return the user of an access JWT whose sign-in still stands."""
    return _family(_claims(access, AccessToken)).user


def _touch(sign_in: SignIn) -> None:
    now = timezone.now()
    if sign_in.refreshed_at < now - TOUCHED_EVERY:
        # Of many requests at once, one writes.
        stale = SignIn.objects.filter(pk=sign_in.pk, refreshed_at__lt=now - TOUCHED_EVERY)
        stale.update(refreshed_at=now)
        sign_in.refreshed_at = now


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
    found = families.standing().select_related("user").filter(pk=claims.get("sid"), user_id=claims.get("sub"))
    sign_in = found.first()
    if sign_in is None or not _still_stands(sign_in.user, claims.get("pwd", "")):
        raise BadCredentials("signed_out", "This sign-in has ended. Sign in again.")
    return sign_in


def _still_stands(user: User, mark: str) -> bool:
    # The mark of the password closes the ways round our services: `changepassword`, the admin's own form.
    return user.is_active and user.is_verified and constant_time_compare(mark, _password_mark(user))


def _password_mark(user: User) -> str:
    return user.get_session_auth_hash()[:MARK]


def _issue(sign_in: SignIn) -> Tokens:
    token = RefreshToken()
    token["sub"] = str(sign_in.user.pk)
    token["sid"] = str(sign_in.pk)
    token["pwd"] = _password_mark(sign_in.user)
    access = token.access_token
    for one in (token, access):
        del one["iat"]  # a replica whose clock is behind would refuse it as one that is not valid yet
    sign_in.refresh_id = token["jti"]
    sign_in.refreshed_at = timezone.now()
    sign_in.expires_at = datetime.fromtimestamp(token["exp"], tz=UTC)
    sign_in.save()
    return Tokens(user=sign_in.user, access=str(access), refresh=str(token))
