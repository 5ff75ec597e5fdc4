"""Commands for access tokens, and for the users of the server (staff)."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from lmvp.client.commands.command import JSON, YES, Answer, Argument, UsageError, confirm, table_or
from lmvp.client.commands.groups import Group
from lmvp.client.tables import when

if TYPE_CHECKING:
    from lmvp.client.api import Client
    from lmvp.client.results.people import User

USERNAME = Argument("username", metavar="USERNAME", help="the user's name")

token = Group("token", "Make, list, revoke your access tokens.", example="lmvp token list")
user = Group("user", "List, make, switch off users. For staff.", example="lmvp user list")


@token.verb("list", JSON)
def tokens(client: Client, args: argparse.Namespace) -> Answer:
    """List your access tokens that are not revoked.

    example: lmvp token list
    """
    found = client.tokens()
    rows = [
        [
            str(one.id),
            one.name,
            one.scope,
            one.project or "all",
            f"{one.hint}…",
            "never" if one.last_used_at is None else when(one.last_used_at),
            "never" if one.expires_at is None else when(one.expires_at),
        ]
        for one in found
    ]
    head = ["id", "name", "scope", "project", "token", "last used", "expires"]
    return Answer(table_or(head, rows, "You have no access tokens."), found)


@token.verb(
    "create",
    Argument("token_name", metavar="NAME", help="what it is for"),
    Argument("--scope", choices=["read", "write"], default="read", help="default: read"),
    Argument("--project", help="let it open this project alone"),
    Argument("--expires-in-days", type=int, metavar="DAYS", help="default: never"),
    JSON,
)
def create(client: Client, args: argparse.Namespace) -> Answer:
    """Make an access token, and print its text, this once. It goes into LMVP_TOKEN.

    example: lmvp token create cluster --scope write --project vision --expires-in-days 90
    """
    made = client.create_token(
        args.token_name, scope=args.scope, project=args.project, expires_in_days=args.expires_in_days
    )
    sys.stderr.write("Keep it safe: it is not shown again.\n")
    return Answer(str(made.token), made)


@token.verb("revoke", Argument("token", metavar="ID or NAME", help="from the list"), YES, JSON)
def revoke(client: Client, args: argparse.Namespace) -> Answer:
    """Make an access token worthless.

    example: lmvp token revoke cluster --yes
    """
    confirm(args, f"The access token {args.token} will not work any more.")
    client.revoke_token(int(args.token) if args.token.isdecimal() else args.token)
    return Answer("Revoked.", None)


@user.verb("list", JSON)
def users(client: Client, args: argparse.Namespace) -> Answer:
    """List the users of the server.

    example: lmvp user list
    """
    found = client.users()
    rows = [[one.username, one.email, _state(one), when(one.joined_at)] for one in found]
    return Answer(table_or(["user", "e-mail", "", "since"], rows, "There are no users."), found)


@user.verb(
    "create",
    USERNAME,
    Argument("email", metavar="EMAIL", help="the address; it need not be verified"),
    Argument("--staff", action="store_true", help="may administer the server"),
    Argument("--password-stdin", action="store_true", help="read the password from standard input"),
    JSON,
)
def create_user(client: Client, args: argparse.Namespace) -> Answer:
    """Make a user; asks for the password.

    example: lmvp user create erin erin@example.org
    """
    password = sys.stdin.readline().rstrip("\r\n") if args.password_stdin else getpass.getpass("Their password: ")
    if not password:
        raise UsageError("no password given; use --password-stdin.")
    made = client.create_user(args.username, email=args.email, password=password, staff=args.staff)
    return Answer(f"Made {made}.", made)


@user.verb(
    "update",
    USERNAME,
    Argument("--active", action=argparse.BooleanOptionalAction, help="may sign in; or not any more"),
    Argument("--staff", action=argparse.BooleanOptionalAction, help="may administer the server; or not any more"),
    JSON,
)
def update(client: Client, args: argparse.Namespace) -> Answer:
    """Switch a user off or on, make them staff or not.

    example: lmvp user update erin --no-active
    """
    if args.active is None and args.staff is None:
        raise UsageError("say what to change: --active, --no-active, --staff or --no-staff.")
    changed = client.update_user(args.username, active=args.active, staff=args.staff)
    return Answer(f"{changed}: {_state(changed)}", changed)


def _state(one: User) -> str:
    words = {"off": not one.is_active, "not verified": not one.is_verified}
    words |= {"superuser": one.is_superuser, "staff": one.is_staff and not one.is_superuser}
    return ", ".join(word for word, holds in words.items() if holds)
