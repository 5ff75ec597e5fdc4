"""The command of serving machines: a directory that follows an alias."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lmvp.client.commands.command import JSON, Answer, Argument, UsageError, command, deprecations_told
from lmvp.client.served import INTERVAL, KEPT, Served
from lmvp.client.tables import visible

if TYPE_CHECKING:
    from lmvp.client.api import Client
    from lmvp.client.errors import LMVPError
    from lmvp.client.versions import LocalModel


@command(
    "sync",
    Argument("name", metavar="NAME[@REVISION]", help="a model, and what shall be served (default: production)"),
    Argument("directory", type=Path, metavar="DIR", help="where it shall stand; becomes a symbolic link"),
    Argument("--watch", action="store_true", help="go on for ever, and follow the revision when it moves"),
    Argument("--interval", type=float, default=INTERVAL, metavar="SECONDS", help="between two looks (default: 30)"),
    Argument("--keep", type=int, default=KEPT, metavar="N", help="earlier versions that stay beside it (default: 1)"),
    Argument("--exec", metavar="COMMAND", help="run this after each switch, for example to reload the service"),
    JSON,
)
def sync(client: Client, args: argparse.Namespace) -> Answer:
    """Let a directory be the version that an alias names, whole and checked, switched in one step.

    A process that reads DIR sees one version or the other, never a mixture. With --watch it follows the alias; while
    the server is away, DIR stays as it is. The command of --exec finds LMVP_PATH, LMVP_VERSION and LMVP_DIGEST; it is
    not run where DIR is that version already. Without --watch, sync ends with 1 when the command fails.

    example: lmvp sync vision/digits@production /srv/digits --watch --exec "systemctl reload digits"
    """
    name, _, revision = args.name.partition("@")
    revision = revision or "production"
    if args.interval <= 0 or args.keep < 0:
        raise UsageError("--interval is more than 0, and --keep 0 or more.")
    if not args.watch:
        before = Served(args.directory).current()
        with deprecations_told():
            local = client.sync(name, args.directory, revision=revision, keep=args.keep)
        code = _tell_the_service(args.exec, local) if local.version.digest != before else 0
        return Answer(f"{local.version} is in {local.path}", local, 1 if code else 0)
    switches = client.follow(
        name, args.directory, revision=revision, interval=args.interval, keep=args.keep, trouble=_warn
    )
    for local in switches:
        _tell(local, as_json=args.json)
        _tell_the_service(args.exec, local)
    raise AssertionError("following never ends by itself")


def _tell(local: LocalModel, *, as_json: bool) -> None:
    version = local.version
    fact = {"name": version.name, "number": version.number, "digest": version.digest, "path": str(local.path)}
    print_line = json.dumps(fact) if as_json else f"{version} is in {local.path}"
    sys.stdout.write(f"{print_line}\n")
    sys.stdout.flush()


def _warn(error: LMVPError, pause: float) -> None:
    sys.stderr.write(f"warning: {visible(error.message)} Trying again in {pause:.0f} s.\n")
    sys.stderr.flush()


def _tell_the_service(wanted: str | None, local: LocalModel) -> int:
    """Run the command of --exec and return its code. Its failure is told, and undoes nothing: the version stands there."""
    if not wanted:
        return 0
    version = local.version
    facts = {"LMVP_PATH": str(local.path), "LMVP_VERSION": str(version.number), "LMVP_DIGEST": version.digest}
    code = subprocess.run(wanted, shell=True, env={**os.environ, **facts}, check=False).returncode
    if code:
        sys.stderr.write(f"warning: `{wanted}` ended with {code}. {version} stands in {local.path} all the same.\n")
    return code
