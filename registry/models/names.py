"""The names that point into a model, as its pages list them: so many of each kind, aliases with who moved them last."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import OuterRef, QuerySet, Subquery

from registry.models.ref_moves import RefMove
from registry.models.versions import Ref, RegisteredModel

MOST = 100  # of each kind


@dataclass(slots=True)
class Names:
    """Names of each kind: branches with the default one first, the newest tags first; `more`: kinds that have others."""

    branches: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    more: set[str] = field(default_factory=set)


def names_of(model: RegisteredModel) -> Names:
    """Return the first hundred names of each kind: three queries, however many there are."""
    names = Names()
    for kind, found, order in (
        (Ref.Kind.BRANCH, names.branches, "name"),
        (Ref.Kind.TAG, names.tags, "-pk"),
        (Ref.Kind.ALIAS, names.aliases, "name"),
    ):
        rows = model.refs.filter(kind=kind).order_by(order).values_list("name", flat=True)[: MOST + 1]
        found.extend(rows)
        if len(found) > MOST:
            names.more.add(kind)
            found.pop()
    names.branches.sort(key=lambda name: name != model.default_branch)
    return names


def refs_of(model: RegisteredModel, kind: str) -> QuerySet[Ref]:
    """Return the names of one kind, the newest first, with their versions and with `move_id`: the move that put each there."""
    moves = RefMove.objects.filter(model=OuterRef("model"), kind=kind, name=OuterRef("name"))
    rows = model.refs.filter(kind=kind).select_related("version").defer("version__metadata_json")
    return rows.annotate(move_id=Subquery(moves.order_by("-id").values("pk")[:1])).order_by("-pk")


def aliases_of(model: RegisteredModel, *, most: int) -> QuerySet[Ref]:
    """Return aliases with their versions, each with `moved_at`, `moved_by` (a username) and `reason` of its last move."""
    moves = RefMove.objects.filter(model=OuterRef("model"), kind=Ref.Kind.ALIAS, name=OuterRef("name")).order_by("-id")
    last = {"moved_at": "at", "moved_by": "actor__username", "reason": "comment"}
    rows = model.refs.filter(kind=Ref.Kind.ALIAS).select_related("version").order_by("name")
    shown = ("model_id", "kind", "name", "active", "protected", "version__number", "version__message")
    return rows.only(*shown, "version__deprecated").annotate(
        **{name: Subquery(moves.values(column)[:1]) for name, column in last.items()}
    )[:most]
