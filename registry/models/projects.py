"""What a team shares: projects, who belongs to them, who is invited. Content stands in the other modules."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Lower
from django.urls import reverse
from django.utils import timezone

from accounts.models import Name, User, validate_name

if TYPE_CHECKING:
    Actor = User | AnonymousUser


class Role(models.IntegerChoices):
    """What a member may do; each role may do what the one before it may."""

    VIEWER = 10, "viewer"
    CONTRIBUTOR = 20, "contributor"
    MAINTAINER = 30, "maintainer"
    OWNER = 40, "owner"

    @classmethod
    def named(cls, label: str) -> Role:
        """Return the role of this name; KeyError when there is none."""
        return {role.label: role for role in cls}[label]


class Visibility(models.TextChoices):
    PRIVATE = "private", "private: its members"
    INTERNAL = "internal", "internal: everybody signed in"
    PUBLIC = "public", "public: everyone"


def bound_to(actor: Actor) -> str | None:
    """Return the name of the only project that the actor's access token opens; None where it opens all, or there is none."""
    token = getattr(actor, "access_token", None)
    return token.project_id or None if token else None


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, actor: Actor) -> ProjectQuerySet:
        """Those that `actor` may see; an access token bound to a project narrows them to that one."""
        return self.seen_by(actor.pk, bound_to(actor))

    def seen_by(self, user: int | None, bound: str | None) -> ProjectQuerySet:
        """Those that the user of this id may see, or nobody in particular; only that of the name `bound`, if there is one."""
        seen = Q(visibility=Visibility.PUBLIC)
        if user is not None:
            mine = Membership.objects.filter(user=user).order_by()
            seen |= Q(visibility=Visibility.INTERNAL) | Q(pk__in=mine.values("project"))
        projects = self.filter(seen, trashed_at=None)
        return projects if bound is None else projects.filter(name=bound)

    def with_role_of(self, actor: Actor) -> ProjectQuerySet:
        """Annotate each project with `role`: the actor's own, or None."""
        mine = Membership.objects.filter(project=models.OuterRef("pk"), user=actor.pk)
        return self.annotate(role=models.Subquery(mine.values("role")[:1]))

    def of_member(self, user: User) -> ProjectQuerySet:
        """Those that a user is a member of, with the `role` and, as `since`, when the newest of their `lines` changed."""
        live = Q(models__trashed_at=None)
        mine = self.filter(memberships__user=user, trashed_at=None).annotate(
            role=models.F("memberships__role"),
            lines=models.Count("models", filter=live),
            since=Coalesce(models.Max("models__updated_at", filter=live), models.F("created_at")),
        )
        return mine.order_by("-since", "name")

    def in_trash(self) -> ProjectQuerySet:
        """Those that can still be taken back, the newest first."""
        return self.filter(trashed_at__isnull=False, purged_at=None).order_by("-trashed_at", "-pk")

    def owned_by(self, actor: Actor) -> ProjectQuerySet:
        """Those whose owner the actor is, in the trash or not; an access token bound to a project narrows them to it."""
        mine = Membership.objects.filter(user=actor.pk, role=Role.OWNER)
        projects = self.filter(pk__in=mine.values("project"))
        token = getattr(actor, "access_token", None)
        return projects.filter(name=token.project_id) if token and token.project_id else projects

    def named(self, name: str) -> Project:
        """Return the project of this name or former name; Project.DoesNotExist otherwise."""
        found = self.filter(name=name).first()
        if found:
            return found
        successor = (
            Name.objects.filter(name=name, successor__isnull=False).values_list("successor_id", flat=True).first()
        )
        return self.get(name=successor or name)


class Project(models.Model):
    """A named place with members and registered models. A personal project bears its owner's username."""

    name = models.CharField(max_length=39, unique=True, validators=[validate_name])
    description = models.TextField(blank=True, max_length=2000)
    visibility = models.CharField(max_length=8, choices=Visibility.choices, default=Visibility.PRIVATE)
    personal_of = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="personal_project"
    )
    quota = models.BigIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="How many bytes it may hold; empty: what LMVP_PROJECT_QUOTA says.",
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    trashed_at = models.DateTimeField(null=True, blank=True, editable=False)
    trashed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    purged_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since when only its name is left."
    )

    objects = ProjectQuerySet.as_manager()
    role: int  # the reader's own, where `with_role_of` or `of_member` found the row
    role_found: tuple[int | None, int | None] | None = None  # whose it is, and which: see note_finder

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("web:project", args=[self.name])

    @property
    def role_name(self) -> str:
        """The role of whom the rows were read for."""
        return Role(self.role).label

    def note_finder(self, actor: Actor, role: int | None) -> None:
        """Keep the role with which somebody found this project, so that one call asks for it once."""
        self.role_found = (actor.pk, role)


class Membership(models.Model):
    """One user's role in one project."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.SmallIntegerField(choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-role", "user__username"]
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_role_per_member")]

    def __str__(self) -> str:
        return f"{self.user}: {Role(self.role).label} of {self.project}"


def invitation_deadline() -> datetime:
    return timezone.now() + settings.INVITATION_LIFETIME


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> InvitationQuerySet:
        """Those that can still be accepted."""
        return self.filter(accepted_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """A role in a project offered to an e-mail address; taken by whoever brings the mailed token."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.SmallIntegerField(choices=Role.choices, default=Role.CONTRIBUTOR)
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the mailed token.")
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=invitation_deadline)
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                "project", Lower("email"), condition=Q(accepted_at=None), name="one_open_invitation_per_address"
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} into {self.project}"
