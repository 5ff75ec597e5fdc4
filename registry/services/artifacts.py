"""Artifacts: recorded, changed, moved and deleted, each tree under the lock of its hierarchy. Reads are Artifact.objects."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, Max

from accounts.models import User
from registry.digests import canonical_json, digest_bytes
from registry.errors import Conflict, Invalid
from registry.incoming import Incoming
from registry.models import Artifact, Hierarchy, Project
from registry.models.lineage import MOST_LEVELS
from registry.permissions import Action, require
from registry.services import blobs, events, hierarchies
from registry.services.projects import ensure_personal_project, find_project
from registry.services.recordings import Keep, Recording, columns_of, hold, refuse_two_contents, require_room
from registry.ulids import RANDOM_BYTES, ulid

if TYPE_CHECKING:
    from registry.models.projects import Actor

MOST_TREE_NODES = 10_000
MOST_TREE_CHARACTERS = 16 * 2**20


def record_artifact(*, actor: User, recording: Recording, arrived: Sequence[Incoming] = ()) -> Artifact:
    """Add a node to a tree, or the root of one. `arrived` are bytes that came in the same call.

    Raises Invalid (unknown_parent, level_not_in_hierarchy, other_than_parent, unknown_blob, invalid_data …).
    """
    parent = _parent(actor, recording.parent_id)
    project = parent.project if parent else _project(actor, recording.project)
    require(actor, Action.RECORD_LINEAGE, project)
    hierarchy = _hierarchy(project, parent, recording)
    _level(hierarchy, parent)  # before bytes are kept; and again, under the lock
    columns = columns_of(actor, project, recording, arrived)
    with transaction.atomic():
        hierarchy = hierarchies.lock(hierarchy or hierarchies.default_hierarchy(actor=actor, project=project))
        require_room(actor, project, columns)
        parent = _again(parent) if parent else None
        level = _level(hierarchy, parent)
        hold(columns)
        place = {"project": project, "hierarchy": hierarchy, "parent": parent, "level": level}
        artifact = Artifact.objects.create(id=_id(), created_by=actor, **place, **columns)
        _record(actor, "artifact.recorded", artifact, None, told(artifact))
    return artifact


def replace_artifact(
    *, actor: User, artifact: Artifact, recording: Recording, arrived: Sequence[Incoming] = ()
) -> Artifact:
    """Say something else of an artifact; with another parent, it and all below it move there.

    Raises what record_artifact does, and Invalid (cycle); Artifact.DoesNotExist when it was deleted meanwhile.
    """
    require(actor, Action.RECORD_LINEAGE, artifact.project)
    parent = _parent(actor, recording.parent_id)
    _refuse_elsewhere(artifact, recording, parent)
    columns = columns_of(actor, artifact.project, recording, arrived)
    with transaction.atomic():
        hierarchy = hierarchies.lock(artifact.hierarchy)
        artifact = _rows().get(pk=artifact.pk)
        require_room(actor, artifact.project, columns)
        before = told(artifact)
        if recording.parent_id is not Keep.AS_IS:
            _move(artifact, hierarchy, _again(parent) if parent else None)
        _give_grace(artifact, columns.get("content_id", artifact.content_id))
        hold(columns)
        for name, value in columns.items():
            setattr(artifact, name, value)
        refuse_two_contents(artifact)
        artifact.save()
        _record(actor, "artifact.changed", artifact, before, told(artifact))
    return artifact


def delete_artifact(*, actor: User, artifact: Artifact) -> None:
    """Take an artifact out of its tree; Conflict (has_children) while others stand below it."""
    require(actor, Action.RECORD_LINEAGE, artifact.project)
    with transaction.atomic():
        hierarchies.lock(artifact.hierarchy)
        artifact = _rows().get(pk=artifact.pk)
        children = artifact.children.count()
        if children:
            raise Conflict(
                "has_children",
                f"{children:,} artifact(s) stand below this one. Delete them first, or give them another parent.",
            )
        _record(actor, "artifact.deleted", artifact, told(artifact), None)
        _give_grace(artifact, None)
        artifact.delete()


def tree_of(*, actor: Actor, root: Artifact, depth: int | None) -> list[Artifact]:
    """Return the artifact and those below it, from above; so many levels of them. In one query.

    Raises Invalid (tree_too_large).
    """
    levels = MOST_LEVELS if depth is None else depth
    rows = Artifact.objects.in_tree_of(root, depth=levels, most=MOST_TREE_NODES + 1)
    found, characters = list[Artifact](), 0
    for artifact in rows.for_listing(actor).with_size_of_data().order_by("level", "pk").iterator(chunk_size=500):
        characters += artifact.data_size  # type: ignore[attr-defined]
        if len(found) == MOST_TREE_NODES or characters > MOST_TREE_CHARACTERS:
            raise Invalid(
                "tree_too_large",
                f"More than {MOST_TREE_NODES:,} artifacts, or {MOST_TREE_CHARACTERS >> 20} MB of data, stand below it."
                " Ask for fewer levels with `max_depth`, or for the tree of a child.",
            )
        found.append(artifact)
    return found


def told(artifact: Artifact) -> dict[str, Any]:
    """Return what the audit log tells of an artifact; of its data, the digest.

    Of its version too: whoever reads the log of this project may not see the one that the version's name would tell.
    """
    version = artifact.version
    return {
        "hierarchy": artifact.hierarchy.name,
        "parent_id": artifact.parent_id,
        "level": artifact.level,
        "data_sha256": digest_bytes(canonical_json(artifact.data).encode()),
        "content": artifact.content_id,
        "content_type": artifact.content_type,
        "version": version.digest if version else None,
    }


# --- Where it stands


def _project(actor: User, name: str | None) -> Project:
    return find_project(actor=actor, name=name) if name else ensure_personal_project(actor=actor)


def _rows() -> Any:
    return Artifact.objects.select_related("project", "hierarchy", "version__model__project")


def _parent(actor: User, parent_id: str | Keep | None) -> Artifact | None:
    if parent_id is None or isinstance(parent_id, Keep):
        return None
    try:
        return Artifact.objects.visible_to(actor).select_related("project", "hierarchy").named(parent_id)
    except Artifact.DoesNotExist:
        raise _unknown_parent() from None


def _again(parent: Artifact) -> Artifact:
    """Return the parent as it is now that its tree is locked."""
    found = Artifact.objects.select_related("hierarchy").filter(pk=parent.pk).first()
    if found is None:
        raise _unknown_parent()
    return found


def _unknown_parent() -> Invalid:
    return Invalid(
        "unknown_parent",
        "There is no such artifact to stand below, or none that you may see. `parent_id` is an artifact's `id`.",
    )


def _hierarchy(project: Project, parent: Artifact | None, recording: Recording) -> Hierarchy | None:
    """Return the hierarchy to stand in; None for the default one, which may have to be made."""
    if parent:
        _refuse_other_names(parent, recording)
        return parent.hierarchy
    name = recording.hierarchy or hierarchies.DEFAULT
    found = Hierarchy.objects.filter(project=project, name=name).first()
    if found is None and name != hierarchies.DEFAULT:
        raise Invalid(
            "unknown_hierarchy", f"{project.name} has no hierarchy “{name}”. Make it first: POST …/hierarchies/."
        )
    return found


def _refuse_other_names(there: Artifact, recording: Recording) -> None:
    names = ((recording.project, there.project.name), (recording.hierarchy, there.hierarchy.name))
    if any(said is not None and said != name for said, name in names):
        raise Invalid(
            "other_than_parent",
            f"It stands in the project {there.project.name} and the hierarchy “{there.hierarchy.name}”, with all of its"
            " tree. Leave `project` and `hierarchy` out.",
        )


def _refuse_elsewhere(artifact: Artifact, recording: Recording, parent: Artifact | None) -> None:
    _refuse_other_names(artifact, recording)
    if parent and parent.hierarchy_id != artifact.hierarchy_id:
        raise Invalid(
            "other_than_parent",
            "That parent stands in another project or hierarchy. Record the artifact there anew instead.",
        )


def _level(hierarchy: Hierarchy | None, parent: Artifact | None) -> int:
    level = parent.level + 1 if parent else 0
    if hierarchy:
        _check_level(hierarchy, level)
    return level


def _check_level(hierarchy: Hierarchy, level: int) -> None:
    if not hierarchy.has_level(level):
        names = ", ".join(hierarchy.level_labels.values()) or f"any, {MOST_LEVELS} at most"
        raise Invalid(
            "level_not_in_hierarchy",
            f"The hierarchy “{hierarchy.name}” has no level {level}. Its levels from 0 on: {names}.",
        )


def _move(artifact: Artifact, hierarchy: Hierarchy, parent: Artifact | None) -> None:
    """Give the artifact another parent, and it and all below it their levels there."""
    if (parent.pk if parent else None) == artifact.parent_id:
        return
    tree = Artifact.objects.in_tree_of(artifact)
    if parent and tree.filter(pk=parent.pk).exists():
        raise Invalid("cycle", "That parent stands below the artifact itself. Choose one that does not.")
    down = (parent.level + 1 if parent else 0) - artifact.level
    if down:
        deepest = tree.aggregate(deepest=Max("level"))["deepest"]
        _check_level(hierarchy, deepest + down)
        tree.exclude(pk=artifact.pk).update(level=F("level") + down)
    artifact.parent, artifact.level = parent, artifact.level + down
    artifact.save(update_fields=["parent", "level"])


def _give_grace(artifact: Artifact, following: str | None) -> None:
    """Let the time without any use begin now for the content that the artifact gives up, if it does.

    The one that comes in its place is locked in the same turn, so that nobody takes the two the other way round.
    """
    if artifact.content_id and artifact.content_id != following:
        blobs.refresh(digests=[digest for digest in (artifact.content_id, following) if digest])


def _id() -> str:
    return ulid(milliseconds=time.time_ns() // 10**6, randomness=os.urandom(RANDOM_BYTES))


def _record(
    actor: User, action: str, artifact: Artifact, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    if before and after:
        changed = {key for key in before if before[key] != after[key]}
        before, after = ({key: one[key] for key in changed} for one in (before, after))
    events.record(actor=actor, action=action, project=artifact.project, subject=artifact.pk, before=before, after=after)
