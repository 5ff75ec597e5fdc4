"""Merging: what was done on one line of a model, done on a branch as well. Three ways, from the nearest common ancestor."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.models import User
from registry import tree_merging, trees
from registry.digests import canonical_json
from registry.errors import Busy, Conflict, Invalid
from registry.models import Ref, RegisteredModel, Tree, Version
from registry.permissions import Action, require
from registry.services import commits, derivations, refs
from registry.services.versions import MOST_MESSAGE_CHARACTERS, MOST_METADATA_BYTES, OPTIMISTIC_TRIES
from registry.tree_merging import Sides
from registry.trees import BadPath, Built, Difference, Entry

if TYPE_CHECKING:
    from registry.models.projects import Actor

MOST_LISTED = 1000  # conflicts in one refusal; `count` tells of all


class Outcome(enum.StrEnum):
    """What a merge came to."""

    UP_TO_DATE = "up_to_date"  # the branch stands on the source already
    FAST_FORWARD = "fast_forward"  # the source stands on the branch's head: the branch moved there
    MERGED = "merged"  # a new version with two parents


class _HeadMoved(Exception):
    """Somebody published on the branch between the comparison and the lock."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What shall be merged, checked: `resolve` by kept path, `expected` as the head that the caller believes in."""

    source: Version
    target: str
    message: str
    resolve: Mapping[str, str]
    expected: Version | None


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where a source and the head of a branch meet: what `merge` does and `preview` shows.

    `outcome` is None where they have no version in common. `merged` is there where both went on since the base.
    """

    source: Version
    head: Version
    base: Version | None
    outcome: Outcome | None
    merged: tree_merging.Merge | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a merge would come to now: the conflicts by path, and what becomes of the branch's other files."""

    meeting: Meeting
    conflicts: Mapping[str, Sides]
    changes: Sequence[Difference]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What would come of a wish on this head."""

    head: Version
    outcome: Outcome
    commit: commits.Commit | None = None


def merge(
    *,
    actor: User,
    model: RegisteredModel,
    source: str,
    target: str,
    message: str = "",
    resolve: Mapping[str, str] | None = None,
    expected: str | None = None,
) -> tuple[Version, Outcome]:
    """Merge a revision into a branch; return the branch's head and what became of it. Nothing is written otherwise.

    `resolve` picks “source” or “target” for each path in conflict. `expected`: a revision, the head that the caller
    believes in. Raises Conflict (merge_conflict with fields.conflicts, unrelated_histories, parent_moved), Invalid.
    """
    require(actor, Action.PUBLISH, model.project)
    if len(message) > MOST_MESSAGE_CHARACTERS:
        raise Invalid("message_too_long", f"A message has at most {MOST_MESSAGE_CHARACTERS:,} characters.")
    _require_target(actor, model, target)
    wish = _Wish(
        source=refs.find_version(model, source),
        target=target,
        message=message or f"Merge {source} into {target}",
        resolve=_clean(resolve or {}),
        expected=refs.find_version(model, expected) if expected is not None else None,
    )
    for attempt in range(OPTIMISTIC_TRIES + 1):
        try:
            return _merge(actor, model, wish, planned_under_lock=attempt == OPTIMISTIC_TRIES)
        except (_HeadMoved, Tree.DoesNotExist):
            continue  # or the collector took a directory after it was saved, and before the new version named it
    raise Busy("being_deleted", "Directories of this merge are being cleaned up just now. Merge again.")


def preview(*, actor: Actor, model: RegisteredModel, source: str, target: str) -> Preview:
    """Return what `merge` would come to, without writing anything. Raises Invalid as it does.

    With conflicts, what else would make it fail shows only when they are resolved.
    """
    require(actor, Action.VIEW, model.project)
    met = _meet(refs.find_version(model, source), _head(model, target))
    if met.outcome is Outcome.FAST_FORWARD:
        return Preview(met, {}, trees.compare(Tree.objects.contents_of, met.head.tree_id, met.source.tree_id))
    if met.merged is None:
        return Preview(met, {}, [])
    try:
        built = _build(met.head, met.merged)
    except Invalid:
        if not met.merged.conflicts:
            raise
        return Preview(met, met.merged.conflicts, [])
    return Preview(met, met.merged.conflicts, _differences(met.head.tree_id, built))


def _differences(before: str, built: Built) -> list[Difference]:
    """Return what differs from a tree in one that is not saved."""
    fresh = {digest: content for digest, (_, content) in built.directories.items()}

    def load(digests: Collection[str]) -> Mapping[str, bytes]:
        saved = Tree.objects.contents_of({digest for digest in digests if digest not in fresh})
        return {**saved, **{digest: fresh[digest] for digest in digests if digest in fresh}}

    return trees.compare(load, before, built.root.digest)


def _merge(actor: User, model: RegisteredModel, wish: _Wish, *, planned_under_lock: bool) -> tuple[Version, Outcome]:
    """Compare and save trees before the lock is taken, or under it, where the head does not move any more."""
    plan = None if planned_under_lock else _plan(model, wish)
    if plan and plan.outcome is Outcome.UP_TO_DATE:
        return plan.head, plan.outcome
    with transaction.atomic():
        locked = commits.lock_model(model)
        if plan and _head(locked, wish.target) != plan.head:
            raise _HeadMoved
        return _carry_out(actor, locked, wish, plan or _plan(locked, wish))


# --- Checking what was said


def _require_target(actor: User, model: RegisteredModel, name: str) -> None:
    """Refuse what is no branch, and a protected one to whom may not move it: before anything is computed."""
    ref = Ref.objects.filter(model=model, name=name).first()
    if ref is None or ref.kind != Ref.Kind.BRANCH:
        what = f"“{name}” is a name of the kind {ref.kind}" if ref else f"{model} has no branch “{name}”"
        raise Invalid("unknown_branch", f"{what}. A merge goes onto a branch; …/branches/ lists them.")
    if ref.protected:
        require(actor, Action.MOVE_PROTECTED_REF, model.project)


def _clean(resolve: Mapping[str, str]) -> dict[str, str]:
    picks: dict[str, str] = {}
    for path, side in resolve.items():
        if side not in (tree_merging.SOURCE, tree_merging.TARGET):
            raise Invalid("invalid_resolve", f"{path!r}: resolve says “source” or “target” for a path, not {side!r}.")
        try:
            kept = trees.clean_path(path)
        except BadPath as error:
            raise Invalid(error.code, str(error)) from error  # without the path, which may be no text at all
        if kept in picks:
            raise Invalid("duplicate_path", f"{kept!r} is there twice. Resolve each path once.", fields={"path": kept})
        picks[kept] = side
    return picks


def _said(error: BadPath) -> Invalid:
    return Invalid(error.code, str(error), fields={"path": error.path})


def _head(model: RegisteredModel, branch: str) -> Version:
    head = commits.head_of(model, branch)
    if head is None:
        raise Invalid("unknown_branch", f"{model} has no branch “{branch}” any more. …/branches/ lists them.")
    return head


# --- What would come of it


def _meet(source: Version, head: Version) -> Meeting:
    base = Version.objects.common_ancestor(source, head)
    if base is None:
        return Meeting(source, head, None, None)
    if base == source:
        return Meeting(source, head, base, Outcome.UP_TO_DATE)
    if base == head:
        return Meeting(source, head, base, Outcome.FAST_FORWARD)
    load = Tree.objects.contents_of
    merged = tree_merging.merge(load, base=base.tree_id, source=source.tree_id, target=head.tree_id)
    return Meeting(source, head, base, Outcome.MERGED, merged)


def _plan(model: RegisteredModel, wish: _Wish) -> _Plan:
    met = _meet(wish.source, _head(model, wish.target))
    if met.outcome is Outcome.UP_TO_DATE:  # before `expected` is looked at: the same call, sent again, is no conflict
        return _Plan(met.head, met.outcome)
    _check_expected(met.head, wish)
    if met.base is None or met.outcome is None:
        raise Conflict(
            "unrelated_histories",
            f"Version {wish.source.number} and “{wish.target}” have no version in common (or none that is left), so nobody"
            f" can tell what was changed. Publish the files that you want onto “{wish.target}” instead.",
        )
    if met.merged is None:
        _refuse_needless(wish.resolve.keys())
        return _Plan(met.head, met.outcome)
    return _plan_version(met.base, met.head, met.merged, wish)


def _plan_version(base: Version, head: Version, merged: tree_merging.Merge, wish: _Wish) -> _Plan:
    _refuse_needless(wish.resolve.keys() - merged.conflicts.keys())
    merged.resolve(wish.resolve)
    if merged.conflicts:
        raise _in_conflict(merged.conflicts, wish)
    built = _build(head, merged)
    commits.save_trees(built)
    commit = commits.Commit(
        tree=built.root.digest,
        parents=[head, wish.source],
        branch=wish.target,
        message=wish.message,
        metadata_json=_metadata_json(base, wish.source, head),
        sources=derivations.sources_of(wish.source),  # what it brings, it was made from
        detail={"merged": wish.source.number},
    )
    return _Plan(head, Outcome.MERGED, commit)


def _check_expected(head: Version, wish: _Wish) -> None:
    if wish.expected is not None and wish.expected != head:
        raise Conflict(
            "parent_moved",
            f"“{wish.target}” is at version {head.number} now, not at the one that you named."
            " Look at what came in between, and merge again.",
            fields={"head": {"number": head.number, "digest": head.digest}},
        )


def _build(head: Version, merged: tree_merging.Merge) -> Built:
    try:
        built = trees.apply_changes(Tree.objects.contents_of, head.tree_id, put=merged.put, remove=merged.remove)
    except BadPath as error:
        raise _said(error) from error
    if not built.root.files:
        raise Invalid("no_files", "Together both sides deleted every file, and a version holds at least one.")
    return built


def _refuse_needless(paths: Any) -> None:
    if paths:
        raise Invalid(
            "no_such_conflict",
            f"{len(paths):,} path(s) in `resolve` are not in conflict. Leave them out; without `resolve`, the refusal"
            " lists the conflicts.",
            fields={"paths": sorted(paths)[:MOST_LISTED]},
        )


def _in_conflict(conflicts: Mapping[str, Sides], wish: _Wish) -> Conflict:
    listed = sorted(conflicts.values(), key=lambda sides: sides.path)[:MOST_LISTED]
    return Conflict(
        "merge_conflict",
        f"{len(conflicts):,} path(s) were changed on both sides and are not resolved. Say in `resolve`, for each of"
        f" fields.conflicts, whether it shall be as in the “source” (version {wish.source.number}) or as in the “target”"
        f" (“{wish.target}”); send the picks that you made before along.",
        fields={"count": len(conflicts), "conflicts": [_shown(sides) for sides in listed]},
    )


def _shown(sides: Sides) -> dict[str, Any]:
    entries = {"base": sides.base, "source": sides.source, "target": sides.target}
    return {"path": sides.path} | {side: _facts(entry) for side, entry in entries.items()}


def _facts(entry: Entry | None) -> dict[str, Any] | None:
    return {"digest": entry.digest, "size": entry.size, "mode": entry.mode} if entry else None


def _metadata_json(base: Version, source: Version, target: Version) -> str:
    """Return the target's metadata with what the source changed of it, key by key at the top level.

    Never a conflict: metadata tells how a version came about, and each version was published with its own. Where both
    changed a key the source's value stands, because that is what comes in; a key that the source left out stays.
    """
    before = {key: canonical_json(value) for key, value in base.metadata.items()}  # as text: 1 is not true
    came = {key: value for key, value in source.metadata.items() if before.get(key) != canonical_json(value)}
    text = canonical_json(target.metadata | came)
    if len(text.encode()) > MOST_METADATA_BYTES:
        raise Invalid(
            "metadata_too_large",
            f"The metadata of both sides has more than {MOST_METADATA_BYTES:,} bytes together."
            " Publish a version with less of it on one side first.",
        )
    return text


# --- Writing


def _carry_out(actor: User, model: RegisteredModel, wish: _Wish, plan: _Plan) -> tuple[Version, Outcome]:
    """Do what was planned, under the lock of the model's row.

    No blob has to be held: all stand in the head or in the source. Neither is in the trash, and to purge a version takes
    this lock, so what holds their bytes holds them until this version does; its directories were noted as used by
    `save_trees`, the others are those of the head or the source.
    """
    refs.find_version(model, str(wish.source.number))
    if plan.outcome is Outcome.UP_TO_DATE:
        return plan.head, plan.outcome
    if plan.commit:
        return commits.write_version(actor=actor, model=model, commit=plan.commit), plan.outcome
    return _fast_forward(actor, model, wish), plan.outcome


def _fast_forward(actor: User, model: RegisteredModel, wish: _Wish) -> Version:
    source = wish.source
    source.model = model
    comment = wish.message.partition("\n")[0][:1000]
    refs.place(actor=actor, version=source, move=refs.Move(Ref.Kind.BRANCH, wish.target, str(source.number), comment))
    return source
