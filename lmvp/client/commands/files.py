"""Commands that move files: publish, update, download."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmvp.client.commands.command import (
    AT_REVISION,
    JSON,
    NAME,
    Answer,
    Argument,
    at,
    command,
    deprecations_told,
    page_of,
)
from lmvp.client.commands.measured import METRIC_TEXT, metrics_of, pairs
from lmvp.client.errors import ValidationFailed

if TYPE_CHECKING:
    from lmvp.client.api import Client
    from lmvp.client.versions import Version

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
    Argument(
        "--capture",
        action="store_true",
        help="add the Git commit, the versions of Python and its libraries, and this command line to the metadata",
    ),
    Argument("--parent", metavar="REVISION", help="fail if the branch's newest version is another one"),
    JSON,
)


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
    name, revision = at(args.name)
    with deprecations_told():
        local = client.download(name, revision=revision, path=args.output)
    return Answer(str(local.path), local)


def _said(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "message": args.message,
        "metrics": metrics_of(args),
        "metadata": {**_metadata_file(args.metadata_file), **pairs(args.metadata, _json_or_text)},
        "alias": args.alias,
        "tag": args.tag,
        "derived_from": args.derived_from,
        "branch": args.branch,
        "parent": args.parent,
        "capture": args.capture,
    }


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
    first = ", the first version of this model" if version.number == 1 else ""
    return Answer(f"Published {version}{first}: {version.title}\n{page_of(version.url)}".rstrip(), version)
