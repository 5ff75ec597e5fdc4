"""Names for versions: set, moved, protected, deleted, each with its line in the history of moves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from lmvp.inserting import insert
from lmvp.prepared import prepared, prepared_update
from registry.errors import Conflict, Forbidden, Invalid
from registry.models import Ref, RefMove, RegisteredModel, Version
from registry.models.versions import validate_ref_name
from registry.permissions import Action, can, require
from registry.services import activation, events

ANYTHING = "*"  # no expectation: the name may point anywhere, or not be there


@dataclass(frozen=True, slots=True)
class Move:
    """Where a name shall point, and why; without a revision it stays where it is.

    `expected`: a revision, None (must not be there yet) or ANYTHING. `active` (of an alias) and `protected` are left
    as they are by None.
    """

    kind: str
    name: str
    revision: str | None = None
    comment: str = ""
    expected: str | None = ANYTHING
    active: bool | None = None
    protected: bool | None = None

    def flags(self, ref: Ref | None) -> dict[str, bool]:
        """Return what it changes beside the version."""
        wanted = {"active": self.active, "protected": self.protected}
        return {name: on for name, on in wanted.items() if on is not None and on != getattr(ref, name, False)}


def find_version(model: RegisteredModel, revision: str) -> Version:
    """Return the version that a revision names; Invalid where a body names one that is not there or not clear."""
    try:
        return Version.objects.filter(trashed_at=None).at(model, revision)
    except Version.DoesNotExist:
        raise Invalid(
            "unknown_revision",
            f"{model} has no “{revision}”. A revision is a branch, tag or alias, 3 or v3, latest, or a digest.",
        ) from None
    except Version.MultipleObjectsReturned:
        raise Invalid("ambiguous_revision", f"“{revision}” begins several digests. Give more of its digits.") from None


def set_ref(*, actor: User, model: RegisteredModel, move: Move) -> tuple[Ref, bool]:
    """Make, move or change a name; return the ref, and whether it is new. Tags do not move.

    Raises Conflict (tag_exists, name_taken, ref_moved: it is not where `expected` says), Forbidden (not_fast_forward:
    a branch would lose versions, protected names), Invalid.
    """
    require(actor, Action.MOVE_REF, model.project)
    check_name(move.name)
    with transaction.atomic():
        model = RegisteredModel.objects.locked(model.pk)
        return place(actor=actor, version=_target(model, move), move=move)


def create_ref(*, actor: User, model: RegisteredModel, move: Move) -> Ref:
    """Make a name that is not there yet; Conflict (ref_exists, name_taken) when it is."""
    require(actor, Action.MOVE_REF, model.project)
    check_name(move.name)
    with transaction.atomic():
        model = RegisteredModel.objects.locked(model.pk)
        there = Ref.objects.select_related("version").filter(model=model, name=move.name).first()
        if there and there.kind == move.kind:
            raise Conflict(
                "ref_exists",
                f"The {there.kind} “{there.name}” is there, at version {there.version.number}. Change it with PUT,"
                " or choose another name.",
                fields={"current": there.version.number},
            )
        ref, _ = place(actor=actor, version=_target(model, move), move=move)
    return ref


def _target(model: RegisteredModel, move: Move) -> Version:
    if move.revision is not None:
        version = find_version(model, move.revision)
        version.model = model
        return version
    ref = Ref.objects.select_related("version__model__project").get(model=model, kind=move.kind, name=move.name)
    return ref.version


def place(
    *, actor: User, version: Version, move: Move, undoes: RefMove | None = None, told: bool = False
) -> tuple[Ref, bool]:
    """Point a name at a version of the model whose row the caller has locked, in the caller's transaction.

    `undoes`: the move that this one takes back. `told`: another event tells it, and the branch goes on by a version.
    """
    model = version.model
    ref = next(iter(_called(model.pk, move.name)), None)
    if ref:
        ref.model = model
    _check(actor, ref, version, move, published=told)
    flags, before = move.flags(ref), ref.version if ref else None
    if ref and ref.version_id == version.pk and not flags:
        return ref, False
    if "protected" in flags:
        require(actor, Action.MOVE_PROTECTED_REF, model.project)
    was = {name: getattr(ref, name) for name in flags} if ref else {}
    ref = _save(ref or Ref(model=model, kind=move.kind, name=move.name), version, flags)
    if before != version:
        _note(actor, ref, before, version, move.comment, undoes)
    if not told:
        _tell(actor, ref, before, version, move, (was, flags), undoes)
    if ref.active or "active" in flags:
        activation.after_commit(model=model, alias=ref.name)
    return ref, before is None


@prepared
def _called(model: int, name: str) -> QuerySet[Ref]:
    return Ref.objects.select_related("version").filter(model=model, name=name).order_by()


def _save(ref: Ref, version: Version, flags: dict[str, bool]) -> Ref:
    ref.version = version
    for name, on in flags.items():
        setattr(ref, name, on)
    if ref.pk and not flags:
        ref.updated_at = timezone.now()
        _point(ref.pk, version.pk, ref.updated_at)
    elif ref.pk:
        ref.save(update_fields=["version", "updated_at", *flags])
    else:
        ref.save(force_insert=True)
    return ref


@prepared_update
def _point(ref: int, version: int, now: datetime) -> tuple[QuerySet[Ref], dict[str, Any]]:
    return Ref.objects.filter(pk=ref), {"version": version, "updated_at": now}


def delete_ref(
    *,
    actor: User,
    model: RegisteredModel,
    kind: str,
    name: str,
    comment: str = "",
    expected: str | None = ANYTHING,
) -> None:
    """Take a name away; its moves are kept. Ref.DoesNotExist when there is none.

    Raises Conflict (default_branch, ref_moved).
    """
    require(actor, Action.MOVE_REF, model.project)
    with transaction.atomic():
        model = RegisteredModel.objects.locked(model.pk)
        ref = Ref.objects.select_related("version").get(model=model, kind=kind, name=name)
        ref.model = model
        if ref.protected:
            require(actor, Action.MOVE_PROTECTED_REF, model.project)
        check_expected(ref, Move(kind, name, comment=comment, expected=expected), model)
        if kind == Ref.Kind.BRANCH and name == model.default_branch:
            raise Conflict(
                "default_branch",
                f"“{name}” is the default branch of {model}. Make another one the default first:"
                ' PATCH the model with {"default_branch": …}.',
            )
        was = {flag: True for flag in ("active", "protected") if getattr(ref, flag)}
        _note(actor, ref, ref.version, None, comment, None)
        _tell(actor, ref, ref.version, None, Move(kind, name, comment=comment), (was, {}), None)
        ref.delete()
        if ref.active:
            activation.after_commit(model=model, alias=name)


def require_movable(*, actor: User, model: RegisteredModel, names: Iterable[str]) -> None:
    """Refuse, before anything is written, what moving one of these names would refuse for its protection."""
    if _protected(model.pk, list(names)):
        require(actor, Action.MOVE_PROTECTED_REF, model.project)


@prepared
def _protected(model: int, names: list[str]) -> QuerySet[Ref]:
    return Ref.objects.filter(model=model, name__in=names, protected=True)


# --- What is refused


def _check(actor: User, ref: Ref | None, version: Version, move: Move, *, published: bool) -> None:
    model = version.model
    check_name(move.name)
    if move.active and move.kind != Ref.Kind.ALIAS:
        raise Invalid("only_aliases_are_active", f"A {move.kind} cannot be active; make an alias for what is served.")
    if ref and ref.kind != move.kind:
        raise Conflict("name_taken", f"{model} has a {ref.kind} “{ref.name}” already. Choose another name.")
    if ref and ref.protected:
        require(actor, Action.MOVE_PROTECTED_REF, model.project)
    check_expected(ref, move, model)
    if ref is None or ref.version_id == version.pk:
        return
    if move.kind == Ref.Kind.TAG:
        raise Conflict(
            "tag_exists",
            f"The tag “{ref.name}” names version {ref.version.number}, and tags do not move. Use an alias.",
        )
    if move.kind == Ref.Kind.BRANCH and not published:
        _check_line(actor, ref, version)


def check_expected(ref: Ref | None, move: Move, model: RegisteredModel) -> None:
    """Raise Conflict with what the name stands for now, when that is not what the caller expects."""
    if move.expected == ANYTHING:
        return
    expected = find_version(model, move.expected) if move.expected is not None else None
    if (ref.version_id if ref else None) != (expected.pk if expected else None):
        now = f"version {ref.version.number}" if ref else "nothing"
        raise Conflict(
            "ref_moved",
            f"“{move.name}” names {now} now, not what you expected. Look at it, and try again.",
            fields={"current": ref.version.number if ref else None},
        )


def _check_line(actor: User, ref: Ref, version: Version) -> None:
    """Forward a branch goes by every contributor's hand; what takes versions off its line is for maintainers."""
    project = version.model.project
    if Version.objects.stands_on(version, ref.version) or can(actor, Action.REWIND_BRANCH, project):
        return
    raise Forbidden(
        "not_fast_forward",
        f"“{ref.name}” is at version {ref.version.number}, and version {version.number} is not made from that: the branch"
        f" would lose versions. That takes the role maintainer; or restore version {version.number} to the branch,"
        " which loses nothing.",
    )


def check_name(name: str) -> None:
    """Refuse what is no name for a ref."""
    try:
        validate_ref_name(name)
    except ValidationError as error:
        raise Invalid(error.code or "invalid_name", f"“{name}” is no name: {error.messages[0]}") from error


# --- What is kept of it


def _note(
    actor: User, ref: Ref, before: Version | None, after: Version | None, comment: str, undoes: RefMove | None
) -> None:
    insert(
        RefMove(
            model=ref.model,
            kind=ref.kind,
            name=ref.name,
            from_version=before,
            to_version=after,
            actor=actor,
            comment=comment,
            undoes=undoes,
        )
    )


def _tell(
    actor: User,
    ref: Ref,
    before: Version | None,
    after: Version | None,
    move: Move,
    flags: tuple[dict[str, bool], dict[str, bool]],
    undoes: RefMove | None,
) -> None:
    """Record the event: what of the name was changed, from what to what."""
    was: dict[str, Any] = dict(flags[0])
    now: dict[str, Any] = dict(flags[1])
    if before != after:
        was |= {"version": before.number} if before else {}
        now |= {"version": after.number} if after else {}
        now |= {"comment": move.comment} if after or move.comment else {}
    done = "deleted" if after is None else "set" if before is None else "changed" if before == after else "moved"
    events.record(
        actor=actor,
        action=f"{ref.kind}.{'rolled_back' if undoes else done}",
        project=ref.model.project,
        subject=f"{ref.model}@{ref.name}",
        before=was or None,
        after=now or None,
    )
