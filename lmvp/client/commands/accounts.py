"""Commands of who speaks: signing in and out."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from dataclasses import asdict

from lmvp.client.api import Client
from lmvp.client.commands.command import JSON, Answer, Argument, UsageError, command


@command(
    "login",
    Argument(
        "--server", metavar="URL", help="the server's address (default: LMVP_SERVER, the last one, localhost:8000)"
    ),
    Argument("--email", help="asked for when left out"),
    Argument("--password-stdin", action="store_true", help="read the password from standard input"),
)
def login(client: Client, args: argparse.Namespace) -> Answer:
    """Sign in, and keep the sign-in on this machine.

    example: lmvp login --server https://models.example.org --email alice@example.org
    """
    if args.password_stdin and not args.email:
        raise UsageError("--password-stdin needs --email.")
    email = args.email or input("E-mail: ")
    password = sys.stdin.readline().rstrip("\r\n") if args.password_stdin else _asked_password()
    if not password:
        raise UsageError("no password given; use --password-stdin.")
    username = client.login(email, password, server=args.server)
    text = f"Signed in at {client.server} as {username}."
    if os.environ.get("LMVP_TOKEN"):
        text += "\nLMVP_TOKEN is set and goes first: unset it to use this sign-in."
    return Answer(text, {"server": client.server, "username": username})


@command("logout")
def logout(client: Client, args: argparse.Namespace) -> Answer:
    """Revoke the sign-in kept on this machine.

    example: lmvp logout
    """
    server = client.server
    if client.logout():
        return Answer(f"Signed out of {server}.", None)
    return Answer(
        f"The sign-in is forgotten here, but {server} could not be told: there it lives on until it ends.", None
    )


@command("whoami", JSON)
def whoami(client: Client, args: argparse.Namespace) -> Answer:
    """Say who you are, and on which server.

    example: lmvp whoami
    """
    me = client.whoami()
    return Answer(f"{me} at {client.server}", {**asdict(me), "server": client.server})


def _asked_password() -> str:
    try:
        return getpass.getpass("Password: ")
    except EOFError:
        sys.stderr.write("\n")
        return ""
