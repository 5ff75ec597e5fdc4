"""Users, projects and who belongs to them, access tokens, and what the audit log tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from lmvp.client.results.reading import Result
from lmvp.client.tables import visible, when


@dataclass(frozen=True)
class AccessToken(Result):
    """A key for machines. `token` is its text, known only to whoever just made it; `hint` its first characters."""

    id: int
    name: str
    scope: str
    project: str | None
    hint: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    token: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        place = f" in {self.project}" if self.project else ""
        return visible(f"{self.name} ({self.scope}{place}, {self.hint}…)")


@dataclass(frozen=True)
class User(Result):
    """A person. `token` is the access token that spoke, if one did."""

    KEYS: ClassVar[Mapping[str, str]] = {"joined_at": "date_joined"}

    username: str
    email: str
    is_staff: bool
    is_superuser: bool
    joined_at: datetime
    is_active: bool = True
    is_verified: bool = True
    token: AccessToken | None = None

    def __str__(self) -> str:
        return visible(f"{self.username} <{self.email}>")


@dataclass(frozen=True)
class Project(Result):
    """What a team shares. `role` is yours, None where you are no member; `personal`: it is a user's own."""

    name: str
    description: str
    visibility: str
    personal: bool
    role: str | None
    created_at: datetime
    url: str

    def __str__(self) -> str:
        return visible(self.name)


@dataclass(frozen=True)
class Member(Result):
    """A user in a project, in a role, since a time."""

    username: str
    role: str
    since: datetime

    def __str__(self) -> str:
        return visible(f"{self.username} ({self.role})")


@dataclass(frozen=True)
class Invitation(Result):
    """A mail that makes whoever it was sent to a member; its token stands in the mail alone."""

    id: int
    email: str
    role: str
    invited_by: str
    created_at: datetime
    expires_at: datetime

    def __str__(self) -> str:
        return visible(f"{self.email} as {self.role}, until {when(self.expires_at)}")


@dataclass(frozen=True)
class Membership(Result):
    """What an accepted invitation brought you."""

    project: str
    role: str

    def __str__(self) -> str:
        return visible(f"{self.role} of {self.project}")


@dataclass(frozen=True)
class Event(Result):
    """One line of the audit log: who did what to which thing, and what was there before and after."""

    id: int
    at: datetime
    actor: str | None
    action: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    token: str
    address: str | None
    request_id: str

    def __str__(self) -> str:
        return visible(f"{when(self.at)} {self.actor or '–'} {self.action} {self.subject}")
