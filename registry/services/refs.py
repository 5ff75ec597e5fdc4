"""Names for versions: set, moved, deleted, each with its line in the history of moves."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import User
from registry.errors import Conflict, Invalid
from registry.models import Ref, RefMove, RegisteredModel, Version
from registry.models.versions import validate_ref_name
from registry.permissions import Action, require
from registry.services import events

ANYTHING = "*"  # no expectation: the name may point anywhere, or not be there


@dataclass(frozen=True, slots=True)
class Move:
    """Where a name shall point, and why. `expected`: a revision, None (must not be there yet) or ANYTHING."""

    kind: str
    name: str
    revision: str
    comment: str = ""
    expected: str | None = ANYTHING


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
    """Point an alias or a tag at a version; return the ref, and whether it is new. Tags do not move.

    Raises Conflict (tag_exists, name_taken, ref_moved: it is not where `expected` says), Invalid.
    """
    require(actor, Action.MOVE_REF, model.project)
    if move.kind == Ref.Kind.BRANCH:
        raise Invalid("branch_moves_by_publishing", "A branch moves when a version is published on it.")
    with transaction.atomic():
        RegisteredModel.objects.select_for_update(no_key=True).get(pk=model.pk)
        version = find_version(model, move.revision)
        return place(actor=actor, version=version, move=move)


def place(*, actor: User, version: Version, move: Move) -> tuple[Ref, bool]:
    """Point a name at a version of the model whose row the caller has locked, in the caller's transaction."""
    model = version.model
    ref = Ref.objects.select_related("version").filter(model=model, name=move.name).first()
    _check(actor, model, ref, move)
    if ref and ref.version_id == version.pk:
        return ref, False
    before = ref.version if ref else None
    if ref:
        ref.version = version
        ref.save(update_fields=["version", "updated_at"])
    else:
        ref = Ref.objects.create(model=model, kind=move.kind, name=move.name, version=version)
    _note(actor, model, move.kind, move.name, before, version, move.comment)
    return ref, before is None


def delete_ref(*, actor: User, model: RegisteredModel, kind: str, name: str, comment: str = "") -> None:
    """Take an alias or a tag away; its moves are kept. Ref.DoesNotExist when there is none."""
    require(actor, Action.MOVE_REF, model.project)
    with transaction.atomic():
        RegisteredModel.objects.select_for_update(no_key=True).get(pk=model.pk)
        ref = Ref.objects.select_related("version").get(model=model, kind=kind, name=name)
        if ref.protected:
            require(actor, Action.MOVE_PROTECTED_REF, model.project)
        _note(actor, model, kind, name, ref.version, None, comment)
        ref.delete()


def _check(actor: User, model: RegisteredModel, ref: Ref | None, move: Move) -> None:
    check_name(move.name)
    if ref and ref.kind != move.kind:
        raise Conflict("name_taken", f"{model} has a {ref.kind} “{ref.name}” already. Choose another name.")
    if ref and ref.protected:
        require(actor, Action.MOVE_PROTECTED_REF, model.project)
    if move.expected != ANYTHING:
        _check_expected(model, ref, move)
    if ref and move.kind == Ref.Kind.TAG and find_version(model, move.revision).pk != ref.version_id:
        raise Conflict(
            "tag_exists",
            f"The tag “{ref.name}” names version {ref.version.number}, and tags do not move. Use an alias.",
        )


def _check_expected(model: RegisteredModel, ref: Ref | None, move: Move) -> None:
    expected = find_version(model, move.expected) if move.expected is not None else None
    if (ref.version_id if ref else None) != (expected.pk if expected else None):
        now = f"version {ref.version.number}" if ref else "nothing"
        raise Conflict(
            "ref_moved",
            f"“{move.name}” names {now} now, not what you expected. Look at it, and try again.",
            fields={"current": ref.version.number if ref else None},
        )


def check_name(name: str) -> None:
    """Refuse what is no name for a ref."""
    try:
        validate_ref_name(name)
    except ValidationError as error:
        raise Invalid(error.code or "invalid_name", f"“{name}” is no name: {error.messages[0]}") from error


def _note(
    actor: User,
    model: RegisteredModel,
    kind: str,
    name: str,
    before: Version | None,
    after: Version | None,
    comment: str,
) -> None:
    RefMove.objects.create(
        model=model, kind=kind, name=name, from_version=before, to_version=after, actor=actor, comment=comment
    )
    if kind != Ref.Kind.BRANCH:  # a branch moves with a version, whose own event tells it
        events.record(
            actor=actor,
            action=f"{kind}.{'moved' if before and after else 'set' if after else 'deleted'}",
            project=model.project,
            subject=f"{model}@{name}",
            before={"version": before.number} if before else None,
            after={"version": after.number, "comment": comment} if after else None,
        )
