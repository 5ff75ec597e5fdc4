"""The history of names: who moved a branch, a tag or an alias, when, from where to where, why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import models

from registry.models.newest import few_of_each
from registry.models.versions import Ref, RegisteredModel, Version


class RefMoveQuerySet(models.QuerySet["RefMove"]):
    def newest_of(self, refs: Sequence[Ref], most: int) -> RefMoveQuerySet:
        """So many of the newest moves of each of these names, with who moved them, and between which versions."""
        of_each = (self.filter(model=ref.model_id, kind=ref.kind, name=ref.name) for ref in refs)
        rows = self.filter(pk__in=few_of_each(moves.order_by("-id")[:most] for moves in of_each))
        around = rows.select_related("actor", "model__project", "from_version", "to_version")
        return around.defer("from_version__metadata_json", "to_version__metadata_json").order_by("-id")

    def of(self, model: RegisteredModel, kind: str, name: str) -> RefMoveQuerySet:
        return self.filter(model=model, kind=kind, name=name)

    def about(self, version: Version, *, most: int) -> list[RefMove]:
        """Return the newest moves to a version and away from it. Looked for one by one: each has its index."""
        here = (self.filter(to_version=version), self.filter(from_version=version))
        ids = {pk for rows in here for pk in rows.order_by("-id").values_list("pk", flat=True)[:most]}
        rows = self.filter(pk__in=ids).select_related("actor", "from_version", "to_version")
        rows = rows.defer("from_version__metadata_json", "to_version__metadata_json")
        return list(rows.order_by("-id")[:most])

    def for_listing(self) -> RefMoveQuerySet:
        """With who moved it, from where to where, and the move that it took back."""
        versions = "from_version", "to_version"
        rows = self.select_related("actor", *versions, "undoes__actor", "undoes__from_version", "undoes__to_version")
        return rows.defer(*(f"{version}__metadata_json" for version in versions))

    def last_until(self, time: datetime) -> RefMove | None:
        """Return the move that had put the name where it stood at this time; None: it had not been set yet."""
        return self.select_related("actor", "from_version", "to_version").filter(at__lte=time).order_by("-id").first()

    def in_force(self) -> RefMove | None:
        """Return the newest move that no rollback has undone, of one name's moves; None when none is left.

        What lies between a rollback and the move that it undid is passed over as well: it had been undone before.
        """
        undone_from: int | None = None
        for move in self.only("undoes_id", "from_version_id").order_by("-id").iterator(500):
            if undone_from is not None and move.pk >= undone_from:
                continue
            if move.undoes_id is None:
                return move
            undone_from = move.undoes_id
        return None


class RefMove(models.Model):
    """One step in the history of a name. Outlives the ref: deletion is a move to nothing."""

    model = models.ForeignKey(RegisteredModel, models.CASCADE, related_name="ref_moves")
    kind = models.CharField(max_length=6, choices=Ref.Kind.choices)
    name = models.CharField(max_length=100)
    from_version = models.ForeignKey(Version, models.PROTECT, null=True, related_name="+")
    to_version = models.ForeignKey(Version, models.PROTECT, null=True, related_name="+")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    comment = models.TextField(blank=True, max_length=1000)
    at = models.DateTimeField(auto_now_add=True)
    undoes = models.ForeignKey(
        "self", models.RESTRICT, null=True, related_name="+", help_text="The move that this rollback took back."
    )

    objects = RefMoveQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["model", "kind", "name", "-id"], name="moves_of_one_ref")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} at {self.at:%Y-%m-%d %H:%M}"
