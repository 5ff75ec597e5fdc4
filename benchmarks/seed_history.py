"""Write a long history straight into the tables, as publishing it would have left them: the server's own environment decides where.

    python benchmarks/seed_history.py USERNAME MODEL VERSIONS SHA256     # of a blob that is stored already

What is measured afterwards goes through the server. Publishing a hundred thousand versions over HTTP would take an hour.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lmvp.settings")

import django

django.setup()

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from registry import trees
from registry.digests import canonical_json, digest_version
from registry.models import (
    Event,
    Metric,
    Occurrence,
    Ref,
    RefMove,
    RegisteredModel,
    Tree,
    Version,
    VersionParent,
)

BATCH = 2000
WEIGHTS_SIZE = 20_000
METRICS = ("accuracy", "loss", "f1")


def main() -> None:
    username, name, count, weights = sys.argv[1:5]
    user = User.objects.get(username=username)
    model = RegisteredModel.objects.select_related("project").get(project__name=username, name=name)
    head: Version | None = None
    for start in range(1, int(count) + 1, BATCH):
        with transaction.atomic():
            head = write(user, model, head, range(start, min(start + BATCH, int(count) + 1)), weights)
    finish(user, model)


def write(user: User, model: RegisteredModel, head: Version | None, numbers: range, weights: str) -> Version:
    """Write the versions of these numbers on top of `head`; return the last."""
    drafts = list(draw(user, model, head, numbers, weights))
    Tree.objects.bulk_create([tree for tree, _, _ in drafts], ignore_conflicts=True)
    versions = Version.objects.bulk_create([version for _, version, _ in drafts])
    line = [*([head] if head else []), *versions]
    root = versions[0] if head is None else model.versions.earliest("number")
    links = [VersionParent(version=child, parent=parent, strand=root.pk) for parent, child in pairwise(line)]
    VersionParent.objects.bulk_create(links)
    Occurrence.objects.bulk_create(
        [
            Occurrence(model=model, path=path, digest=digest, first_version=version)
            for version, (_, _, places) in zip(versions, drafts, strict=True)
            for path, digest in places
        ]
    )
    moves = [
        RefMove(model=model, kind="branch", name="main", from_version=before, to_version=after, actor=user)
        for before, after in zip([head, *versions], versions, strict=False)
    ]
    RefMove.objects.bulk_create(moves)
    Metric.objects.bulk_create([metric for version in versions for metric in measured(version, user)])
    Event.objects.bulk_create([told(version, user) for version in versions])
    return versions[-1]


def draw(
    user: User, model: RegisteredModel, head: Version | None, numbers: range, weights: str
) -> Iterator[tuple[Tree, Version, list[tuple[str, str]]]]:
    """Yield each version's tree, the version, and the places that it brings: a changed configuration, the same weights."""
    start = datetime(2026, 1, 1, tzinfo=timezone.get_current_timezone())
    parent = head.digest if head else None
    for number in numbers:
        config = hashlib.sha256(f"{model.pk} {number}".encode()).hexdigest()
        entries = {
            "config.json": trees.Entry("config.json", trees.FILE, config, 400),
            "weights.npz": trees.Entry("weights.npz", trees.FILE, weights, WEIGHTS_SIZE),
        }
        built = trees.apply_changes(nothing, None, put=entries)
        root, content = built.root, built.directories[built.root.digest][1]
        at = start + timedelta(seconds=number)
        message = f"Sweep over dropout, trial{number:06}\n\nWider layers and a longer warm-up."
        metadata = canonical_json({"dropout": number % 90 / 100, "hidden": 64 + number % 7, "seed": number})
        digest = digest_version(
            tree=root.digest,
            parents=[parent] if parent else [],
            author=user.username,
            message=message,
            metadata_json=metadata,
            time=at,
        )
        version = Version(
            model=model,
            number=number,
            digest=digest,
            tree_id=root.digest,
            author=user,
            author_name=user.username,
            branch="main",
            message=message,
            metadata_json=metadata,
            created_at=at,
        )
        first = [("weights.npz", weights)] if number == 1 else []
        yield Tree(pk=root.digest, content=content, files=2, size=root.size), version, [("config.json", config), *first]
        parent = digest


def nothing(digests: Collection[str]) -> dict[str, bytes]:
    """What a tree from nothing loads."""
    return {}


def measured(version: Version, user: User) -> Iterator[Metric]:
    for place, name in enumerate(METRICS):
        value = (version.number * 7919 + place * 104729) % 100_003 / 100_003
        yield Metric(version=version, model_id=version.model_id, name=name, value=value, latest=True, author=user)


def told(version: Version, user: User) -> Event:
    return Event(
        project=version.model.project,
        project_name=version.model.project.name,
        actor=user,
        action="version.published",
        subject=str(version),
        after={"digest": version.digest, "branch": "main"},
    )


def finish(user: User, model: RegisteredModel) -> None:
    """Let the names point where they would, and the database know what it holds, as its own housekeeping would."""
    head = model.versions.latest("number")
    RegisteredModel.objects.filter(pk=model.pk).update(last_number=head.number)
    Ref.objects.create(model=model, kind=Ref.Kind.BRANCH, name="main", version=head)
    middle = model.versions.get(number=head.number // 2)
    Ref.objects.create(model=model, kind=Ref.Kind.ALIAS, name="production", version=middle)
    RefMove.objects.create(model=model, kind="alias", name="production", to_version=middle, actor=user)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    main()
