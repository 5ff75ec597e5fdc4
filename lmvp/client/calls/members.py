"""Who belongs to a project: members, their roles, and invitations."""

from __future__ import annotations

from typing import Literal

from lmvp.client.calls.connection import Connected, project_path
from lmvp.client.errors import LMVPError, NotFound
from lmvp.client.guessing import close_to
from lmvp.client.http import path_of
from lmvp.client.results.people import Invitation, Member, Membership

Role = Literal["viewer", "contributor", "maintainer", "owner"]


class Members(Connected):
    def members(self, project: str | None = None) -> list[Member]:
        """Return the members of a project, owners first."""
        owner = self._owner(project)
        with self._names.explained_in(owner):
            return self._all(Member, project_path(owner, "members"))

    def set_member(self, project: str, username: str, *, role: Role = "contributor") -> Member:
        """Make a user a member, or give a member another role."""
        try:
            with self._names.explained_in(project):
                return self._ask(Member, "POST", project_path(project, "members"), {"username": username, "role": role})
        except LMVPError as error:
            if error.code != "unknown_user":
                raise
            raise error.saying(f"{error.message}{self._close_member(project, username)}") from error

    def remove_member(self, project: str, username: str) -> None:
        """Take a member out of a project; yourself to leave it."""
        try:
            self._session.call("DELETE", project_path(project, "members", username))
        except NotFound as error:
            close = self._close_member(project, username)  # refuses by itself where the project is missing
            raise error.saying(
                f"{project} has no member “{username}”.{close} "
                f"List them: lmvp.members({project!r}) / `lmvp members list {project}`."
            ) from error

    def _close_member(self, project: str, username: str) -> str:
        return close_to(username, [one.username for one in self.members(project)])

    def invitations(self, project: str | None = None) -> list[Invitation]:
        """Return the invitations that nobody has accepted yet."""
        owner = self._owner(project)
        with self._names.explained_in(owner):
            return self._all(Invitation, project_path(owner, "invitations"))

    def invite(self, project: str, email: str, *, role: Role = "contributor") -> Invitation:
        """Mail somebody a link that makes them a member."""
        with self._names.explained_in(project):
            return self._ask(Invitation, "POST", project_path(project, "invitations"), {"email": email, "role": role})

    def withdraw_invitation(self, project: str, invitation: Invitation | int) -> None:
        """Make a mailed invitation worthless; given itself, or its id."""
        id = invitation.id if isinstance(invitation, Invitation) else invitation
        with self._names.explained_in(project):
            self._session.call("DELETE", project_path(project, "invitations", id))

    def accept_invitation(self, token: str) -> Membership:
        """Become a member, by the token of the mailed link."""
        return self._ask(Membership, "POST", path_of("invitations", "accept"), {"token": token})
