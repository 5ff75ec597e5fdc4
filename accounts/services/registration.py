"""How a person becomes a user: registration, and the proof that the e-mail address is theirs."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit
from accounts.errors import Conflict, Invalid
from accounts.models import Name, User
from accounts.services import mail, mailed_tokens, throttles
from accounts.services.passwords import check_strength


def register(*, email: str, username: str, password: str, next_page: str = "") -> None:
    """Make an unverified user and mail the link that verifies; a verified owner of the address is told instead.

    Whoever asks learns nothing about the address: the answer is the same, and a password is hashed in every case.
    The link goes on to `next_page`, an address of this site that the caller has checked.
    """
    email = normal_email(email)
    throttles.take_mail(email)
    check_strength(password, user=User(email=email, username=username))
    hashed = make_password(password)
    for last in (False, False, True):
        try:
            return _enter(email, username, hashed, next_page)
        except (IntegrityError, ValidationError) as error:
            # Another registration of this address may have come in between: it can be seen now, so look again.
            if last:
                raise _refused(error) from None


def verify_email(*, token: str) -> User:
    """Take the mailed token, once; Invalid when it is not good (any more)."""
    with transaction.atomic():
        user = mailed_tokens.read(purpose=mailed_tokens.VERIFICATION, token=token, lock=True)
        user.email_verified_at = timezone.now()
        user.save(update_fields=["email_verified_at"])
        audit.record(actor=user, action="user.verified", subject=user.username)
    return user


def resend_verification(*, email: str, next_page: str = "") -> None:
    """Mail another link if the address waits for it; whoever asks cannot tell."""
    throttles.take_mail(email)
    user = User.objects.with_email(email).first()
    waits = user is not None and user.is_active and not user.is_verified
    to = user.email if user and waits else None
    mailed_tokens.mail_verification(user or User(email=email), to=to, next_page=next_page)


def release_unverified() -> int:
    """Delete the users who did not verify in time, which frees their names and addresses; return how many."""
    with transaction.atomic():
        released: int = User.objects.never_verified().release()
    return released


def normal_email(email: str) -> str:
    """Return the address without blanks around it and with a lower-case domain; Invalid when it is none."""
    try:
        return str(User._meta.get_field("email").clean(User.objects.normalize_email(email.strip()), None))
    except ValidationError as error:
        raise Invalid("invalid_email", error.messages[0], fields={"email": error.messages}) from None


def refused_name(error: ValidationError) -> Invalid:
    field = "email" if error.code == "email_taken" else "username"
    return Invalid(error.code or "invalid", error.messages[0], fields={field: error.messages})


def _refused(error: IntegrityError | ValidationError) -> Conflict | Invalid:
    if isinstance(error, ValidationError) and error.code != "email_taken":
        return refused_name(error)
    return Conflict("busy", "This address is being registered by several requests at once. Try again.")


@transaction.atomic
def _enter(email: str, username: str, hashed: str, next_page: str) -> None:
    user = User.objects.with_email(email).select_for_update(no_key=True).first()
    if user is not None and user.is_verified:
        return _tell_owner(user, username)
    before = {"username": user.username} if user and user.username != username else None
    if user is None:
        user = User.objects.create_user(email, username)
    elif before:
        _rename(user, username)
    user.password = hashed
    user.date_joined = timezone.now()
    user.save()
    audit.record(actor=None, action="user.registered", subject=username, before=before)
    mailed_tokens.mail_verification(user, to=user.email, next_page=next_page)


def _rename(user: User, username: str) -> None:
    claimed = Name.objects.claim(username)
    Name.objects.filter(user=user).delete()
    claimed.user = user
    claimed.save(update_fields=["user"])
    user.username = username


def _tell_owner(user: User, username: str) -> None:
    # The name is claimed and let go: a taken one must be refused here as for an address that nobody has.
    with transaction.atomic():
        Name.objects.claim(username)
        transaction.set_rollback(True)
    token = mailed_tokens.make(purpose=mailed_tokens.RESET, user=user)
    to = user.email if user.is_active else None
    mail.send(template="accounts/mail/registered_again.txt", to=to, user=user, token=token)
