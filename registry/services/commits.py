"""Writing a version: the one place where its rows are made, under the lock of its model's row. Checks no right and no input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from lmvp.inserting import insert, insert_missing
from lmvp.prepared import prepared, prepared_update
from registry import trees
from registry.digests import digest_version
from registry.models import Derivation, Occurrence, Ref, RegisteredModel, Tree, Version, VersionParent
from registry.models.strands import strand_behind
from registry.services import blobs, events, refs
from registry.trees import Built

FRESH = timedelta(hours=1)  # so long ago a tree was noted as used: far less than the grace before it is collected


@dataclass(frozen=True, slots=True)
class Commit:
    """What a version will be. `tree` names a saved directory; the first parent is that of the branch's own line.

    `sources` are versions of other models that it is made from. `detail` goes into the event beside digest and branch.
    """

    tree: str
    parents: Sequence[Version]
    branch: str
    message: str
    metadata_json: str = "{}"
    sources: Sequence[Version] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


def lock_model(model: RegisteredModel) -> RegisteredModel:
    """Return the model's row, locked until the transaction ends, with its project; DoesNotExist for one in the trash."""
    return RegisteredModel.objects.locked(model.pk)


def head_of(model: RegisteredModel, branch: str) -> Version | None:
    """Return the version that a branch points to; None when there is no such branch."""
    return next(iter(_head(model.pk, branch)), None)


@prepared
def _head(model: int, branch: str) -> QuerySet[Version]:
    refs = Ref.objects.filter(model=model, kind=Ref.Kind.BRANCH, name=branch).order_by()
    return Version.objects.filter(pk=refs.values("version")[:1]).order_by()


def save_trees(built: Built) -> None:
    """Write the directories that are not there yet, and note of the others that they are in use."""
    digests, known = sorted(built.directories), set[str]()  # in one order for all, so that nobody waits in a circle
    for start in range(0, len(digests), blobs.BATCH):
        used = dict(_used(digests[start : start + blobs.BATCH]))
        if stale := [digest for digest, at in used.items() if at < timezone.now() - FRESH]:
            _note_use(stale)
        known.update(used)
    missing = [
        Tree(digest=digest, content=content, files=entry.files, size=entry.size)
        for digest, (entry, content) in ((digest, built.directories[digest]) for digest in digests)
        if digest not in known
    ]
    if missing:  # none at all: no transaction either
        with transaction.atomic():
            insert_missing(missing)


@prepared
def _used(digests: list[str]) -> QuerySet[Any, tuple[str, datetime]]:
    return Tree.objects.filter(pk__in=digests).values_list("pk", "used_at")


def _note_use(digests: list[str]) -> None:
    with transaction.atomic():
        held = Tree.objects.filter(pk__in=digests).order_by("pk").select_for_update(no_key=True)
        Tree.objects.filter(pk__in=list(held.values_list("pk", flat=True))).update(used_at=timezone.now())


def write_version(*, actor: User, model: RegisteredModel, commit: Commit) -> Version:
    """Add a version on its branch, which moves to it. In the caller's transaction, on a model from `lock_model`."""
    version = _insert(actor, model, commit)
    write_occurrences(version, commit.parents[0].tree_id if commit.parents else None)
    move = refs.Move(Ref.Kind.BRANCH, commit.branch, str(version.number), comment=version.title[:1000])
    refs.place(actor=actor, version=version, move=move, told=True)
    events.record(
        actor=actor,
        action="version.published",
        project=model.project,
        subject=str(version),
        after={"digest": version.digest, "branch": commit.branch, **commit.detail},
    )
    return version


def _insert(actor: User, model: RegisteredModel, commit: Commit) -> Version:
    now = timezone.now()
    model.last_number += 1
    model.updated_at = now
    _count_on(model.pk, model.last_number, now)
    version = Version(
        model=model,
        number=model.last_number,
        digest=digest_version(
            tree=commit.tree,
            parents=[parent.digest for parent in commit.parents],
            author=actor.username,
            message=commit.message,
            metadata_json=commit.metadata_json,
            time=now,
        ),
        tree_id=commit.tree,
        author=actor,
        author_name=actor.username,
        branch=commit.branch,
        message=commit.message,
        metadata_json=commit.metadata_json,
        created_at=now,
    )
    insert(version)
    insert(*(_link(version, parent, position) for position, parent in enumerate(commit.parents)))
    Derivation.objects.bulk_create(  # none at all: no query
        Derivation(version=version, source=source, position=position) for position, source in enumerate(commit.sources)
    )
    return version


def _link(version: Version, parent: Version, position: int) -> VersionParent:
    strand = None if position else strand_behind(parent, version.branch)
    return VersionParent(version=version, parent=parent, position=position, strand=strand)


@prepared_update
def _count_on(model: int, number: int, now: datetime) -> tuple[QuerySet[RegisteredModel], dict[str, Any]]:
    return RegisteredModel.objects.filter(pk=model), {"last_number": number, "updated_at": now}


def write_occurrences(version: Version, before: str | None) -> None:
    """Write where content stands that a version brought, beside the tree of its first parent. In its transaction."""
    # Held: what is read here is what the occurrences will name, and the collector must not take it in between.
    places = trees.brought(Tree.objects.held_contents_of, version.tree_id, before)
    insert_missing(
        Occurrence(model_id=version.model_id, path=place.path, digest=place.entry.digest, first_version=version)
        for place in places
    )
