"""Commands for who belongs to a project."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lmvp.client.commands.command import JSON, YES, Answer, Argument, confirm, table_or
from lmvp.client.commands.groups import Group
from lmvp.client.commands.projects import OWN_PROJECT, PROJECT
from lmvp.client.tables import visible, when

if TYPE_CHECKING:
    from lmvp.client.api import Client

ROLES = ["viewer", "contributor", "maintainer", "owner"]
ROLE = Argument("--role", choices=ROLES, default="contributor", help="default: contributor")
USERNAME = Argument("username", metavar="USERNAME", help="the user's name on this server")

members = Group("members", "See and change who belongs to a project.", example="lmvp members list vision")


@members.verb("list", OWN_PROJECT, JSON)
def listed(client: Client, args: argparse.Namespace) -> Answer:
    """List the members of a project, owners first.

    example: lmvp members list vision
    """
    found = client.members(args.project)
    rows = [[one.username, one.role, when(one.since)] for one in found]
    return Answer(table_or(["member", "role", "since"], rows, "It has no members that you may see."), found)


@members.verb("set", PROJECT, USERNAME, ROLE, JSON)
def set_member(client: Client, args: argparse.Namespace) -> Answer:
    """Make a user a member, or give a member another role.

    example: lmvp members set vision bob --role maintainer
    """
    member = client.set_member(args.project, args.username, role=args.role)
    return Answer(visible(f"{member.username} is {member.role} of {args.project} now."), member)


@members.verb("remove", PROJECT, USERNAME, YES, JSON)
def remove(client: Client, args: argparse.Namespace) -> Answer:
    """Take a member out of a project; yourself to leave it.

    example: lmvp members remove vision bob --yes
    """
    confirm(args, f"{args.username} will be no member of {args.project} any more.")
    client.remove_member(args.project, args.username)
    return Answer(f"{args.username} is no member of {args.project} any more.", None)


@members.verb("invitations", OWN_PROJECT, JSON)
def invitations(client: Client, args: argparse.Namespace) -> Answer:
    """List the invitations that nobody has accepted yet.

    example: lmvp members invitations vision
    """
    found = client.invitations(args.project)
    rows = [[str(one.id), one.email, one.role, one.invited_by, when(one.expires_at)] for one in found]
    head = ["id", "e-mail", "role", "invited by", "until"]
    return Answer(table_or(head, rows, "No invitation is open."), found)


@members.verb("invite", PROJECT, Argument("email", metavar="EMAIL", help="where the link is mailed to"), ROLE, JSON)
def invite(client: Client, args: argparse.Namespace) -> Answer:
    """Mail somebody a link that makes them a member.

    example: lmvp members invite vision cleo@example.org --role viewer
    """
    invitation = client.invite(args.project, args.email, role=args.role)
    return Answer(f"Invited {invitation}.", invitation)


@members.verb("withdraw", PROJECT, Argument("id", type=int, metavar="ID", help="from the list"), YES, JSON)
def withdraw(client: Client, args: argparse.Namespace) -> Answer:
    """Make a mailed invitation worthless.

    example: lmvp members withdraw vision 1 --yes
    """
    confirm(args, f"The link of invitation {args.id} will not work any more.")
    client.withdraw_invitation(args.project, args.id)
    return Answer("Withdrawn.", None)


@members.verb("join", Argument("token", metavar="TOKEN", help="from the mailed link"), JSON)
def join(client: Client, args: argparse.Namespace) -> Answer:
    """Become a member, by the token of the mailed link.

    example: lmvp members join Zk3xTokenOfTheMail
    """
    brought = client.accept_invitation(args.token)
    return Answer(f"You are {brought} now.", brought)
