"""Who people are: users, the one namespace of names, their sign-ins and their access tokens. Knows no project."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import Value
from django.db.models.functions import Lower
from django.utils import timezone

from accounts import audit

NAME_PATTERN = r"[a-z0-9][a-z0-9-]{0,38}"
RESERVED_NAMES = frozenset(
    [
        "about",
        "account",
        "accounts",
        "active",
        "admin",
        "alias",
        "aliases",
        "api",
        "archive",
        "artifacts",
        "assets",
        "auth",
        "branch",
        "branches",
        "client",
        "commit",
        "commits",
        "compare",
        "docs",
        "download",
        "explore",
        "favicon",
        "files",
        "healthz",
        "help",
        "hf",
        "hierarchies",
        "home",
        "internal",
        "invitations",
        "lineage",
        "login",
        "logout",
        "me",
        "media",
        "merge",
        "metrics",
        "mlflow",
        "model",
        "models",
        "new",
        "oauth",
        "password",
        "private",
        "project",
        "projects",
        "public",
        "raw",
        "readyz",
        "redoc",
        "register",
        "robots",
        "root",
        "s3",
        "search",
        "security",
        "settings",
        "signin",
        "signup",
        "static",
        "status",
        "support",
        "swagger",
        "system",
        "tag",
        "tags",
        "team",
        "teams",
        "token",
        "tokens",
        "trash",
        "tree",
        "uploads",
        "user",
        "users",
        "v1",
        "v2",
        "verify",
        "version",
        "versions",
        "web",
        "www",
    ]
)


def validate_name(name: str) -> None:
    """Refuse what is not in the grammar of usernames and project names, and the words that routes need."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValidationError(
            "Use lower-case letters, digits and hyphens, 39 at most, beginning with a letter or digit.",
            code="invalid_name",
        )
    if name in RESERVED_NAMES:
        said = f"“{name}” is a word of the site's addresses. Choose another name, “{name}-1” say."
        raise ValidationError(said, code="reserved_name")


class NameQuerySet(models.QuerySet["Name"]):
    def claim(self, name: str) -> Name:
        """Take `name` for a user or a project; ValidationError when it is taken or no name."""
        validate_name(name)
        with transaction.atomic():
            self._release_unverified(name)
            claimed, created = self.get_or_create(name=name)
        if not created:
            raise ValidationError(f"The name “{name}” is taken. Choose another one.", code="name_taken")
        return claimed

    def _release_unverified(self, name: str) -> None:
        User.objects.never_verified().filter(username=name).release()


class Name(models.Model):
    """One entry of the namespace that usernames and project names share. A former name points to its successor."""

    name = models.CharField(primary_key=True, max_length=39, validators=[RegexValidator(f"^{NAME_PATTERN}$")])
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="claimed_name"
    )
    successor = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="former_names")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = NameQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class UserQuerySet(models.QuerySet["User"]):
    def with_email(self, email: str) -> UserQuerySet:
        """The user of this address, however it is spelled; LOWER is the database's, as in the constraint."""
        return self.alias(lower_email=Lower("email")).filter(lower_email=Lower(Value(email.strip())))

    def with_login(self, login: str) -> UserQuerySet:
        """The user of this e-mail address or username."""
        return self.with_email(login) if "@" in login else self.filter(username=login)

    def never_verified(self) -> UserQuerySet:
        """Those who let the days for verifying their address pass."""
        deadline = timezone.now() - settings.UNVERIFIED_NAME_LIFETIME
        return self.filter(email_verified_at=None, is_superuser=False, date_joined__lt=deadline)

    def release(self) -> int:
        """Delete these users, which frees their names and addresses; return how many. In the caller's transaction."""
        # Row by row under a lock: a user who verifies at this very moment stays.
        late = list(self.select_for_update())
        for user in late:
            user.delete()
            audit.record(actor=None, action="user.released", subject=user.username)
        return len(late)


class UserManager(BaseUserManager["User"].from_queryset(UserQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, email: str | None) -> User:
        return self.with_email(email or "").get()

    def create_user(self, email: str, username: str, password: str | None = None, **fields: Any) -> User:
        """Make an unverified user and claim the username; ValidationError where one of them is taken."""
        user = self.model(email=self.normalize_email(email.strip()), username=username, **fields)
        user.set_password(password)
        with transaction.atomic():
            claimed = Name.objects.claim(username)
            if self.with_email(user.email).exists():
                raise ValidationError("There is a user with this e-mail address already.", code="email_taken")
            user.save(using=self._db)
            claimed.user = user
            claimed.save(update_fields=["user"])
        return user

    def create_superuser(self, email: str, username: str, password: str | None = None, **fields: Any) -> User:
        """Make a verified user who may do everything in the admin (`manage.py createsuperuser`)."""
        fields |= {"is_staff": True, "is_superuser": True, "email_verified_at": timezone.now()}
        with transaction.atomic():
            user = self.create_user(email, username, password, **fields)
            rights = {"is_staff": True, "is_superuser": True}
            audit.record(actor=None, action="user.created", subject=user.username, after=rights)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in with e-mail and password, once the e-mail address is verified."""

    email = models.EmailField("e-mail address", unique=True)
    username = models.CharField(max_length=39, unique=True, validators=[validate_name])
    email_verified_at = models.DateTimeField("e-mail verified", null=True, blank=True)
    is_staff = models.BooleanField("may enter the admin", default=False)
    is_active = models.BooleanField("active", default=True, help_text="Switch off instead of deleting a user.")
    date_joined = models.DateTimeField(default=timezone.now, editable=False)
    quota = models.BigIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="How many bytes the files that this user brought may have; empty: what LMVP_USER_QUOTA says.",
    )

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["username"]

    # The access token that this request came with, if it did: it narrows what the user may do here.
    access_token: AccessToken | None = None

    class Meta:
        ordering = ["username"]
        constraints = [models.UniqueConstraint(Lower("email"), name="one_user_per_email")]

    def __str__(self) -> str:
        return self.username

    @property
    def is_verified(self) -> bool:
        """Whether the e-mail address is the user's; staff and superusers are vouched for."""
        return self.email_verified_at is not None or self.is_superuser

    def get_short_name(self) -> str:
        return self.username


class SignInQuerySet(models.QuerySet["SignIn"]):
    def standing(self) -> SignInQuerySet:
        """Those that have neither ended nor run out."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())


class SignIn(models.Model):
    """One signed-in device: a browser's session, or the family of refresh tokens that a program's login began.

    Of a family only the newest refresh token is good.
    """

    class Kind(models.TextChoices):
        PROGRAM = "program", "program"
        BROWSER = "browser", "browser"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    kind = models.CharField(max_length=7, choices=Kind.choices, default=Kind.PROGRAM)
    refresh_id = models.CharField(
        max_length=64, blank=True, help_text="The jti of the one refresh token that is good now; a browser has none."
    )
    user_agent = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    refreshed_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = SignInQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d %H:%M}"


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    def usable(self, now: datetime | None = None) -> AccessTokenQuerySet:
        """Those that are neither revoked nor expired, of users who may sign in."""
        now = now or timezone.now()
        return self.filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=now), revoked_at=None, user__is_active=True
        )

    def of_text(self, text: str) -> AccessTokenQuerySet:
        return self.filter(digest=AccessToken.digest_of(text))


class AccessToken(models.Model):
    """A long-lived key of a user for machines. Its text is shown once; the row keeps its SHA-256."""

    PREFIX = "lmvp_"

    class Scope(models.TextChoices):
        READ = "read", "read"
        WRITE = "write", "read and write"

    user = models.ForeignKey(User, models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=100, help_text="Where it is used: “cluster”, “CI of the web shop”.")
    scope = models.CharField(max_length=5, choices=Scope.choices, default=Scope.READ)
    project = models.ForeignKey(
        Name, models.CASCADE, null=True, blank=True, related_name="+", help_text="The only project it opens; none: all."
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False, help_text="The first characters, to recognise it by.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @classmethod
    def fresh_text(cls) -> str:
        """Return the text of a new token: the prefix and 256 random bits."""
        return cls.PREFIX + secrets.token_urlsafe(32)

    @staticmethod
    def digest_of(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()
