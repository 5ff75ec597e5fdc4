"""The command line `lmvp`: words, tables and exit codes over `Client`. Every command's docstring is its help.

Exit codes: 0 done · 1 refused or failed · 2 used wrongly · 130 interrupted.
"""

from __future__ import annotations

import argparse
import getpass
import inspect
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import lmvp
from lmvp.client.api import Client
from lmvp.client.errors import DeprecatedVersion, LMVPError, ValidationFailed
from lmvp.client.versions import LocalModel, Version, moment, number, table, visible, when


class Answer(NamedTuple):
    """What a command found: as text for people, and as data for `--json`."""

    text: str
    data: Any


Run = Callable[[Client, argparse.Namespace], Answer]


class Argument:
    """One argument of a command, as argparse takes it."""

    def __init__(self, *names: str, **options: Any) -> None:
        self.names = names
        self.options = options


@dataclass(frozen=True)
class Command:
    name: str
    run: Run
    arguments: tuple[Argument, ...]

    @property
    def help(self) -> str:
        return inspect.cleandoc(self.run.__doc__ or "")


COMMANDS: dict[str, Command] = {}

JSON = Argument("--json", action="store_true", help="print JSON instead of text")
NAME = Argument("name", metavar="NAME", help="project/model; the project may be left out where it is clear")
AT_REVISION = Argument(
    "name", metavar="NAME[@REVISION]", help="a model, and a branch, tag, alias, number or digest (default: latest)"
)
METRIC_TEXT = Argument(
    "--metric-text", action="append", default=[], metavar="NAME=TEXT", help="a metric that is a text; repeatable"
)
PUBLISHING = (
    NAME,
    Argument("path", type=Path, help="a file, or a directory with all below it"),
    Argument("-m", "--message", help="what is new; its first line is the title"),
    Argument("--metric", action="append", default=[], metavar="NAME=VALUE", help="a number; repeatable"),
    METRIC_TEXT,
    Argument("--metadata", action="append", default=[], metavar="KEY=VALUE", help="repeatable; the value may be JSON"),
    Argument("--metadata-file", type=Path, metavar="FILE", help="a JSON file with more of it"),
    Argument("--alias", help="let this alias name the new version"),
    Argument("--tag", help="give the new version this tag"),
    Argument(
        "--derived-from",
        action="append",
        default=[],
        metavar="NAME@REVISION",
        help="a version of another model that it was made from; repeatable",
    ),
    Argument("--branch", default="main", help="the branch to publish on (default: main)"),
    Argument("--parent", metavar="REVISION", help="fail if the branch's newest version is another one"),
    JSON,
)


def command(name: str, *arguments: Argument) -> Callable[[Run], Run]:
    def register(run: Run) -> Run:
        COMMANDS[name] = Command(name, run, arguments)
        return run

    return register


# --- Who


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
    return Answer(f"{me['username']} <{me['email']}> at {client.server}", {**me, "server": client.server})


# --- Files


@command(
    "publish",
    *PUBLISHING,
    Argument(
        "--kind", choices=["model", "dataset", "config"], default="model", help="what a new line of versions holds"
    ),
)
def publish(client: Client, args: argparse.Namespace) -> Answer:
    """Publish a file or directory as a new version; make the model first when it is not there.

    example: lmvp publish vision/digits weights.npz -m "Wider layer" --metric accuracy=0.974 --alias staging
    """
    return _published(client.publish(args.name, args.path, kind=args.kind, **_said(args)))


@command("update", *PUBLISHING)
def update(client: Client, args: argparse.Namespace) -> Answer:
    """Publish a file or directory as a new version of a model that is there.

    example: lmvp update vision/digits weights.npz -m "Twice the epochs" --metric accuracy=0.981
    """
    return _published(client.update(args.name, args.path, **_said(args)))


@command(
    "download",
    AT_REVISION,
    Argument(
        "-o", "--output", type=Path, metavar="DIR", help="write the files there (default: read-only, in the cache)"
    ),
    JSON,
)
def download(client: Client, args: argparse.Namespace) -> Answer:
    """Fetch a version's files, checked against their digests, and print the directory.

    example: lmvp download vision/digits@production -o weights/
    """
    name, revision = _at(args.name)
    with warnings.catch_warnings(record=True) as said:  # told in one line, without the line of code
        warnings.simplefilter("always", DeprecatedVersion)
        local = client.download(name, revision=revision, path=args.output)
    for one in said:
        sys.stderr.write(f"warning: {one.message}\n")
    return Answer(str(local.path), local)


# --- Versions


@command(
    "history",
    Argument("name", metavar="NAME", help="project/model, or a project for all its models"),
    Argument("--limit", type=int, default=20, help="how many at most (default: 20)"),
    Argument("--branch", help="only the line of this branch"),
    JSON,
)
def history(client: Client, args: argparse.Namespace) -> Answer:
    """Show the newest versions of a model, or of a whole project.

    example: lmvp history vision/digits --limit 5
    """
    versions = client.history(args.name, branch=args.branch, limit=args.limit)
    return Answer(str(versions), list(versions))


@command("lineage", AT_REVISION, Argument("--depth", type=int, default=3, help="steps each way (default: 3)"), JSON)
def lineage(client: Client, args: argparse.Namespace) -> Answer:
    """Show what a version came from and what came of it: its parents and children, datasets, base models, artifacts.

    example: lmvp lineage vision/digits@production
    """
    name, revision = _at(args.name)
    found = client.lineage(name, revision, depth=args.depth)
    rows = [[edge["from"], edge["kind"], edge["to"]] for edge in found["edges"]]
    more = [f"{found['hidden']} more that you may not see."] if found["hidden"] else []
    more += ["There is more than is shown here."] if found["truncated"] else []
    text = _table(
        ["from", "kind", "to"],
        rows,
        f"{found['root']} came from nothing that you may see, nor did anything come of it.",
    )
    return Answer("\n".join([text, *more]), found)


@command(
    "alias",
    NAME,
    Argument("alias", nargs="?", metavar="ALIAS", help="for example production; left out: list them all"),
    Argument("revision", nargs="?", metavar="REVISION", help="the version that it shall name"),
    Argument("--comment", help="why; kept in the record of its moves"),
    JSON,
)
def alias(client: Client, args: argparse.Namespace) -> Answer:
    """Let an alias name a version; without one, list the aliases.

    example: lmvp alias vision/digits production 3 --comment "best on the June data"
    """
    if args.alias and not args.revision:
        raise UsageError("say which version: lmvp alias NAME ALIAS REVISION.")
    if args.alias:
        ref = client.set_alias(args.name, args.alias, args.revision, comment=args.comment)
        return Answer(f"{visible(args.alias)} is v{ref['version']} now.", ref)
    refs = client.aliases(args.name)
    rows = [[ref["name"], f"v{ref['version']}", ref["digest"][:12], when(moment(ref["updated_at"]))] for ref in refs]
    return Answer(_table(["alias", "version", "digest", "since"], rows, "There are no aliases yet."), refs)


@command(
    "moves",
    NAME,
    Argument("alias", metavar="ALIAS", help="for example production"),
    Argument("--limit", type=int, default=50, help="how many at most (default: 50)"),
    JSON,
)
def moves(client: Client, args: argparse.Namespace) -> Answer:
    """Show who moved an alias, when and why, newest first.

    example: lmvp moves vision/digits production
    """
    found = client.moves(args.name, args.alias, limit=args.limit)
    rows = [[when(m.at), m.actor, _standing(m.from_number), _standing(m.to_number), m.comment] for m in found]
    return Answer(_table(["when", "who", "from", "to", "why"], rows, "It has never been moved."), found)


@command("metrics", AT_REVISION, Argument("--metric", metavar="NAME", help="only this one, for example loss"), JSON)
def metrics(client: Client, args: argparse.Namespace) -> Answer:
    """List the metrics of a version.

    example: lmvp metrics vision/digits@production
    """
    name, revision = _at(args.name)
    found = client.metrics(name, revision, metric=args.metric)
    rows = [
        [row["name"], _step(row), number(row["text"] if row.get("value") is None else row["value"])] for row in found
    ]
    return Answer(_table(["metric", "step", "value"], rows, "No metrics were logged."), found)


@command(
    "log",
    AT_REVISION,
    Argument("metric", nargs="*", metavar="NAME=VALUE", help="a number"),
    METRIC_TEXT,
    Argument("--step", type=int, help="the step that they belong to"),
    JSON,
)
def log(client: Client, args: argparse.Namespace) -> Answer:
    """Add metrics to a published version.

    example: lmvp log vision/digits@3 accuracy=0.975 --metric-text reviewer=bob
    """
    name, revision = _at(args.name)
    found = _metrics(args)
    if not found:
        raise UsageError("say which metric: lmvp log NAME[@REVISION] NAME=VALUE.")
    counts = client.log_metrics(name, revision, found, step=args.step)
    return Answer(f"{counts['added']} added, {counts['unchanged']} were there already.", counts)


# --- Projects


@command("projects", JSON)
def projects(client: Client, args: argparse.Namespace) -> Answer:
    """List the projects that you may see.

    example: lmvp projects
    """
    found = client.projects()
    rows = [[one["name"], one["visibility"], one["role"] or "", one["description"]] for one in found]
    return Answer(
        _table(["project", "visibility", "your role", "description"], rows, "There are no projects yet."), found
    )


@command(
    "create-project",
    Argument("project", metavar="NAME", help="lower-case letters, digits and hyphens"),
    Argument("--description", default="", help="what it is about"),
    Argument(
        "--visibility",
        choices=["private", "internal", "public"],
        default="private",
        help="who may read (default: private)",
    ),
    JSON,
)
def create_project(client: Client, args: argparse.Namespace) -> Answer:
    """Make a project that you own.

    example: lmvp create-project vision --description "Digits and letters"
    """
    project = client.create_project(args.project, description=args.description, visibility=args.visibility)
    return Answer(f"Made the {project['visibility']} project {project['name']}.", project)


@command("models", Argument("project", nargs="?", metavar="PROJECT", help="default: LMVP_PROJECT, else yours"), JSON)
def models(client: Client, args: argparse.Namespace) -> Answer:
    """List the models of a project.

    example: lmvp models vision
    """
    found = client.models(args.project)
    rows = [
        [f"{one['project']}/{one['name']}", one["kind"], str(one["versions"]), _aliases(one), one["description"]]
        for one in found
    ]
    return Answer(_table(["model", "kind", "versions", "aliases", "description"], rows, "It has no models yet."), found)


# --- Reading arguments, writing answers


class UsageError(Exception):
    """The command was used wrongly; exit code 2."""


def _asked_password() -> str:
    try:
        return getpass.getpass("Password: ")
    except EOFError:
        sys.stderr.write("\n")
        return ""


def _at(name: str) -> tuple[str, str]:
    model, _, revision = name.partition("@")
    return model, revision or "latest"


def _said(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "message": args.message,
        "metrics": _metrics(args),
        "metadata": {**_metadata_file(args.metadata_file), **_pairs(args.metadata, _json_or_text)},
        "alias": args.alias,
        "tag": args.tag,
        "derived_from": args.derived_from,
        "branch": args.branch,
        "parent": args.parent,
    }


def _pairs(texts: Sequence[str], read: Callable[[str], Any]) -> dict[str, Any]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise UsageError(f"“{name}” is not NAME=VALUE.")
    return {name: read(value) for name, _, value in pairs}


def _metrics(args: argparse.Namespace) -> dict[str, float | str]:
    numbers = {name: _number(name, text) for name, text in _pairs(args.metric, str).items()}
    return {**numbers, **_pairs(args.metric_text, str)}


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"“{name}={text}” is no number: write it with a point, like 0.97, or say --metric-text {name}=TEXT."
        ) from None


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _metadata_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValidationFailed(f"{path} cannot be read as JSON ({error}). Give a file with one JSON object.") from error
    if not isinstance(content, dict):
        raise ValidationFailed(f'{path} holds no JSON object. Write it like {{"epochs": 30}}.')
    return content


def _published(version: Version) -> Answer:
    return Answer(f"Published {version}: {version.title}\n{version.url}".rstrip(), version)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    return table(head, rows) if rows else empty


def _aliases(model: dict[str, Any]) -> str:
    return ", ".join(f"{name} v{version}" for name, version in model["aliases"].items())


def _standing(number: int | None) -> str:
    return "–" if number is None else f"v{number}"


def _step(row: dict[str, Any]) -> str:
    return "" if row.get("step") is None else str(row["step"])


def _plain(value: Any) -> Any:
    if isinstance(value, LocalModel):
        return {"path": value.path, "version": value.version, "files": value.files}
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all COMMANDS."""
    top = argparse.ArgumentParser(prog="lmvp", description="Keep, show and hand out trained models.")
    top.add_argument("--version", action="version", version=f"lmvp {lmvp.__version__}")
    verbs = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for one in COMMANDS.values():
        verb = verbs.add_parser(
            one.name,
            help=one.help.partition("\n")[0],
            description=one.help,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for argument in one.arguments:
            verb.add_argument(*argument.names, **argument.options)
    return top


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    top = parser()
    args, left = top.parse_known_args(argv)
    if left and args.command == "log" and not any(word.startswith("-") for word in left):
        args.metric += left  # argparse has closed an empty NAME=VALUE list when an option stands before it
    elif left:
        top.error(f"unrecognized arguments: {' '.join(left)}")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = _parsed(argv)
    try:
        answer = COMMANDS[args.command].run(Client(), args)
        as_json = getattr(args, "json", False)
        _write(json.dumps(answer.data, default=_plain, ensure_ascii=False, indent=2) if as_json else answer.text)
    except LMVPError as error:
        return _fail(error.message, 1)
    except (UsageError, EOFError) as error:
        return _fail(f"{error or 'no input.'} See: lmvp {args.command} --help", 2)
    except KeyboardInterrupt:
        return _fail("interrupted.", 130)
    except BrokenPipeError:  # `lmvp history … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {visible(message)}\n")
    return code
