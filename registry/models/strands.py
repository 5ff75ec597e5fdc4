"""Lines of first parents, and how a long one is told in few words: by strands.

A strand is a version and those published one after the other on top of it, on its branch, the first of each. Every version is
in one; a line of first parents runs down a strand to where that began, then down the strand of the parent there. A link
to a first parent names the strand that its version continues, none where the version begins one: so a history whose links
name none is told no worse, only at length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.models import Case, F, OuterRef, Q, Subquery, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.lookups import LessThanOrEqual

from lmvp.prepared import prepared
from registry.ancestry import Edges
from registry.models.newest import each_of

if TYPE_CHECKING:
    from registry.models.versions import Version

MOST_PARTS = 50  # of a line that is told by strands; else it is walked
FEW = 1000  # versions of a line that are named one by one

FIRST_PARENTS = """
    WITH RECURSIVE line(id) AS (
        SELECT CAST(%s AS bigint)
        UNION ALL
        SELECT link.parent_id FROM registry_versionparent link JOIN line ON link.version_id = line.id
        WHERE link.position = 0
    ) SELECT id FROM line
"""
# The same, no further than so many steps.
FIRST_PARENTS_NEAR = """
    WITH RECURSIVE line(id, steps) AS (
        SELECT CAST(%s AS bigint), 0
        UNION ALL
        SELECT link.parent_id, line.steps + 1 FROM registry_versionparent link JOIN line ON link.version_id = line.id
        WHERE link.position = 0 AND line.steps < %s
    ) SELECT line.id, version.number FROM line JOIN registry_version version ON version.id = line.id ORDER BY line.steps
"""
# The strands that a line runs down, each with the version where it enters it.
PARTS = """
    WITH RECURSIVE part(strand, entered, steps) AS (
        SELECT COALESCE((
            SELECT strand FROM registry_versionparent WHERE version_id = %(head)s AND position = 0
        ), %(head)s), CAST(%(head)s AS bigint), 1
        UNION ALL
        SELECT COALESCE((
            SELECT below.strand FROM registry_versionparent below
            WHERE below.version_id = began.parent_id AND below.position = 0
        ), began.parent_id), began.parent_id, part.steps + 1
        FROM part JOIN registry_versionparent began ON began.version_id = part.strand AND began.position = 0
        WHERE part.steps < %(most)s
    ) SELECT strand, entered FROM part ORDER BY steps
"""


class VersionParentQuerySet(models.QuerySet[Any]):
    def of_model(self, model_id: int) -> Edges:
        """Return what reads the edges of a model's history, by numbers."""

        def between(above: int, to: int) -> list[tuple[int, int]]:
            rows = self.filter(version__model=model_id, version__number__gt=above, version__number__lte=to)
            return list(rows.order_by().values_list("version__number", "parent__number"))

        return between

    def on_line(self, head_id: int, key: str) -> Q:
        """Return what is asked of rows whose `key` is a version: that it is on the line of a head. Two queries."""
        parts = self._parts(head_id)
        if len(parts) > MOST_PARTS:
            return Q((f"{key}__in", RawSQL(FIRST_PARENTS, [head_id])))
        inside = self.filter(position=0)
        runs = [inside.filter(strand=strand, version__lte=entered) for strand, entered in parts]
        began = [strand for strand, _ in parts]
        named = each_of([run.order_by("version").values_list("version")[: FEW + 1] for run in runs])
        if sum(map(len, named)) <= FEW:
            return Q((f"{key}__in", [*began, *(version for versions in named for version in versions)]))
        # Not by EXISTS: PostgreSQL would make a table of all versions of the strands, for a page of fifty.
        whens = [When(strand=strand, then=Value(entered)) for strand, entered in parts]
        entered = Case(*whens, output_field=models.BigIntegerField())
        until = inside.filter(version=OuterRef(key)).order_by().values_list(entered)
        return Q((f"{key}__in", began)) | Q(LessThanOrEqual(F(key), Subquery(until)))

    def _parts(self, head_id: int) -> Sequence[tuple[int, int]]:
        """Return the strands of a line with where it enters them, from the head down: no more than one too many."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(PARTS, {"head": head_id, "most": MOST_PARTS + 1})
            return list(cursor.fetchall())


def strand_behind(parent: Version, branch: str) -> int | None:
    """Return the strand that the next version on top of another continues; None: it begins one.

    Nobody else may publish to the model meanwhile.
    """
    if parent.branch != branch:
        return None
    [(own,)] = _strand_of(parent.pk) or [(None,)]
    strand = own or parent.pk
    return None if _goes_on(strand, parent.pk) else strand


@prepared
def _strand_of(version: int) -> models.QuerySet[Any]:
    return _links().filter(version=version, position=0).values_list("strand")


@prepared
def _goes_on(strand: int, above: int) -> models.QuerySet[Any]:
    return _links().filter(strand=strand, version__gt=above).order_by().values_list("pk")[:1]


def _links() -> models.QuerySet[Any]:
    from registry.models.versions import VersionParent  # it has these rows, and is made with this module's queryset

    return VersionParent.objects.all()
