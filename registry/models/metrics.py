"""How metrics are read at size: filtered, ranked, named, thinned. The rows themselves are described in versions.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.models import Func, Q, Value
from django.db.models.lookups import GreaterThan, LessThan

from registry.models.newest import few_of_each
from registry.series import Series, thin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.models.versions import RegisteredModel, Version

MOST_NAMES = 1000  # of a model in one answer
CHUNK = 5000  # points read at a time
FEW = 1000  # where a filter leaves no more, they are named one by one, and nothing else is looked at

# Every name once, by hopping from one to the next in the index (DISTINCT would read every row), with the row that the
# newest version has under it.
NEWEST = """
    WITH RECURSIVE names(name) AS (
        SELECT MIN(name) FROM registry_metric WHERE model_id = %s AND latest
        UNION ALL
        SELECT (SELECT MIN(m.name) FROM registry_metric m WHERE m.model_id = %s AND m.latest AND m.name > names.name)
        FROM names WHERE names.name IS NOT NULL
    )
    SELECT (
        SELECT m.id FROM registry_metric m JOIN registry_version v ON v.id = m.version_id
        WHERE m.model_id = %s AND m.latest AND m.name = names.name AND v.trashed_at IS NULL
        ORDER BY m.version_id DESC LIMIT 1
    ) FROM names WHERE name IS NOT NULL LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the latest value of a metric has to be: a number compared (lt, lte, gt, gte, eq, ne), or a text (eq, ne)."""

    name: str
    operator: str
    operand: float | str

    def holds(self) -> Q:
        """Return what is asked of the metric's row; one of the other kind never meets it."""
        column = "text" if isinstance(self.operand, str) else "value"
        if self.operator == "ne":
            return Q(**{f"{column}__isnull": False}) & ~Q(**{column: self.operand})
        return Q(**{column if self.operator == "eq" else f"{column}__{self.operator}": self.operand})

    def within(self) -> Q:
        """Return what an index finds without looking at other rows: all that meet the condition, and maybe more."""
        if isinstance(self.operand, str):
            return Q(value=None)
        return Q(value__isnull=False) if self.operator == "ne" else self.holds()


class Row(Func):
    """Columns or values compared as one: (a, b) < (c, d), which an index over both serves."""

    function = ""
    output_field = models.BooleanField()  # any will do: the database compares the parts


class MetricQuerySet(models.QuerySet[Any]):
    def latest_of(self, model: RegisteredModel, name: str) -> MetricQuerySet:
        """The rows that stand for one name in the versions of a model that are not in the trash."""
        return self.filter(model=model, name=name, latest=True, version__trashed_at=None)

    def of_version(self, version: Version, name: str) -> MetricQuerySet:
        """The rows of one name in a version; few are not searched for among the many of other names."""
        rows = self.filter(version=version, name=name)
        ids = list(rows.order_by("step").values_list("pk", flat=True)[: FEW + 1])
        return self.filter(pk__in=ids) if len(ids) <= FEW else rows

    def meeting(self, condition: Condition) -> MetricQuerySet:
        return self.filter(condition.holds(), name=condition.name, latest=True)

    def ranked(self, *, descending: bool, after: tuple[float, int] | None = None) -> MetricQuerySet:
        """Numbers alone, by value; of equal ones the newer version first, when ascending the older. Behind (value, id)."""
        rows = self.filter(value__isnull=False)
        if after:
            behind = LessThan if descending else GreaterThan
            rows = rows.filter(behind(Row("value", "version_id"), Row(*map(Value, after))))
        sign = "-" if descending else ""
        return rows.order_by(f"{sign}value", f"{sign}version_id")

    def newest_in(self, model: RegisteredModel) -> MetricQuerySet:
        """One row for each name that versions of a model have: the newest version's. The first 1,000 names."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(NEWEST, [model.pk, model.pk, model.pk, MOST_NAMES])
            ids = [row for (row,) in cursor.fetchall() if row is not None]
        return self.filter(pk__in=ids).order_by("name")

    def first_of(self, versions: Iterable[int], most: int) -> MetricQuerySet:
        """So many of the rows that stand for a name in each of these versions, by name."""
        rows = self.filter(latest=True).order_by("name")
        return self.filter(pk__in=few_of_each(rows.filter(version=version)[:most] for version in versions))

    def with_range(self) -> MetricQuerySet:
        """Annotate each number with `lowest` and `highest`, the keys of the rows that have the least and the greatest value
        of its name among the model's versions that are not in the trash."""
        same = self.model.objects.filter(
            model=models.OuterRef("model"), name=models.OuterRef("name"), latest=True, version__trashed_at=None
        ).filter(value__isnull=False)
        return self.annotate(
            lowest=models.Subquery(same.order_by("value", "version_id").values("pk")[:1]),
            highest=models.Subquery(same.order_by("-value", "-version_id").values("pk")[:1]),
        )

    def series(self, x: str, *, most: int) -> Series:
        """Return the numbers by `x`, a column of whole numbers: all of them, or thinned to `most` points."""
        rows = self.filter(value__isnull=False).order_by(x).values_list(x, "value")
        whole = list(rows[: most + 1])
        if len(whole) <= most:
            return Series(len(whole), whole)
        last = rows.reverse()[0]
        return thin(rows.iterator(CHUNK), first=whole[0][0], last=last[0], most=most)
