"""Commands of who speaks: signing in and out, on one server or several."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import webbrowser
from dataclasses import asdict
from typing import TYPE_CHECKING

from lmvp.client.addresses import normal_server
from lmvp.client.commands.command import JSON, Answer, Argument, UsageError, command, table_or

if TYPE_CHECKING:
    from lmvp.client.api import Client

TOKENS_PAGE = "/account/tokens/"


@command(
    "login",
    Argument(
        "--server", metavar="URL", help="the server's address (default: LMVP_SERVER, the last one, localhost:8000)"
    ),
    Argument("--email", help="asked for when left out"),
    Argument("--password-stdin", action="store_true", help="read the password from standard input"),
    Argument("--browser", action="store_true", help="open the page where access tokens are made, and ask for one"),
    Argument("--token-stdin", action="store_true", help="read an access token from standard input, and keep it"),
)
def login(client: Client, args: argparse.Namespace) -> Answer:
    """Sign in, and keep the sign-in on this machine. Asks for what is left out.

    With an access token (--browser, --token-stdin) this machine keeps no right to change your account.

    example: lmvp login --server https://models.example.org --email alice@example.org
    """
    if args.browser or args.token_stdin:
        username = client.login(token=_token(client, args), server=args.server)
    else:
        username = client.login(*_email_and_password(args), server=args.server)
    text = f"Signed in at {client.server} as {username}."
    if os.environ.get("LMVP_TOKEN"):
        text += "\nLMVP_TOKEN is set and goes first: unset it to use this sign-in."
    return Answer(text, {"server": client.server, "username": username})


def _email_and_password(args: argparse.Namespace) -> tuple[str, str]:
    if args.password_stdin and not args.email:
        raise UsageError("--password-stdin needs --email.")
    email = args.email or input("E-mail: ")
    password = _line() if args.password_stdin else _asked("Password: ")
    if not password:
        raise UsageError("no password given; use --password-stdin.")
    return email, password


def _token(client: Client, args: argparse.Namespace) -> str:
    if args.browser:
        page = f"{normal_server(args.server) if args.server else client.server}{TOKENS_PAGE}"
        opened = webbrowser.open(page)
        sys.stderr.write(f"{'Make an access token on' if opened else 'Open'} {page}\n")
    token = (_line() if args.token_stdin else _asked("Paste the access token: ")).strip()
    if not token:
        raise UsageError("no access token given.")
    return token


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


@command("servers", Argument("--use", metavar="URL", help="use this one from now on, wherever none is named"), JSON)
def servers(client: Client, args: argparse.Namespace) -> Answer:
    """List the servers where this machine is signed in; the one with a star is used when none is named.

    example: lmvp servers --use https://models.example.org
    """
    if args.use:
        client.prefer_server(args.use)
    found = client.servers()
    rows = [["*" if one.preferred else "", one.server, one.username] for one in found]
    return Answer(table_or(["", "server", "you"], rows, "This machine is signed in nowhere: lmvp login."), found)


def _line() -> str:
    return sys.stdin.readline().strip("\r\n")


def _asked(prompt: str) -> str:
    """Ask for a secret; nothing where nobody answers."""
    try:
        return getpass.getpass(prompt)
    except EOFError:
        sys.stderr.write("\n")
        return ""
