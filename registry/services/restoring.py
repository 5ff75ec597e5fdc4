"""Going back to an old version without losing a later one: as a new version on a branch, or by moving an alias."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from registry.errors import Invalid
from registry.models import Ref, RegisteredModel, Version
from registry.permissions import Action, require
from registry.services import commits, derivations, refs
from registry.services.rollbacks import refuse_gone


def restore_to_branch(
    *,
    actor: User,
    model: RegisteredModel,
    revision: str,
    branch: str,
    message: str = "",
    expected: str | None = refs.ANYTHING,
) -> tuple[Version, bool]:
    """Publish the tree and the metadata of an old version on top of a branch; return the version, and whether it is new.

    False: the branch's head has this very tree, and is returned. The metrics stay with the version they were logged to.
    Raises Conflict (in_trash, ref_moved), Gone (purged), Invalid (unknown_branch), Version.DoesNotExist.
    """
    require(actor, Action.PUBLISH, model.project)
    refs.require_movable(actor=actor, model=model, names=[branch])
    with transaction.atomic():
        model = commits.lock_model(model)
        old, head = _restorable(model, revision), commits.head_of(model, branch)
        ref = Ref.objects.select_related("version").filter(model=model, kind=Ref.Kind.BRANCH, name=branch).first()
        if ref is None or head is None:
            raise Invalid(
                "unknown_branch", f"{model} has no branch “{branch}”. Make it at the old version: POST …/branches/."
            )
        refs.check_expected(ref, refs.Move(Ref.Kind.BRANCH, branch, expected=expected), model)
        if (head.tree_id, head.metadata_json) == (old.tree_id, old.metadata_json):
            return head, False
        commit = commits.Commit(
            tree=old.tree_id,
            parents=[head],
            branch=branch,
            message=message or f"Restore version {old.number}",
            metadata_json=old.metadata_json,
            sources=derivations.sources_of(old),
            detail={"restored": old.number},
        )
        return commits.write_version(actor=actor, model=model, commit=commit), True


def restore_to_alias(
    *,
    actor: User,
    model: RegisteredModel,
    revision: str,
    alias: str,
    comment: str = "",
    expected: str | None = refs.ANYTHING,
) -> tuple[Ref, bool]:
    """Point an alias to an old version; return the alias, and whether it is new. Raises as restore_to_branch."""
    require(actor, Action.MOVE_REF, model.project)
    refs.check_name(alias)
    with transaction.atomic():
        model = commits.lock_model(model)
        old = _restorable(model, revision)
        old.model = model
        move = refs.Move(Ref.Kind.ALIAS, alias, str(old.number), comment=comment, expected=expected)
        return refs.place(actor=actor, version=old, move=move)


def _restorable(model: RegisteredModel, revision: str) -> Version:
    version = Version.objects.at(model, revision)
    refuse_gone(version, instead="Or restore another version")
    return version
