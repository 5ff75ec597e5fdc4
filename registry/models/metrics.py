"""How metrics are read at size: filtered, ranked, named, thinned. The rows themselves are described in versions.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.models import Exists, Func, OuterRef, Q, Value
from django.db.models.lookups import GreaterThan, LessThan

from registry.models.newest import few_of_each
from registry.series import Series, thin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from registry.models.versions import RegisteredModel, Version

MOST_STEPPED = 10_000  # names of series, of all versions of a page together
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

# The lowest and the highest of each of so many equally long stretches of versions, and how many there are. One pass over the
# index that ranks values, so that no row is read; the first version with a value is then looked up in it. The LIMIT says
# what PostgreSQL cannot guess: taken for as many stretches as rows, the query would be compiled for longer than it runs.
STRETCHES = """
    WITH trashed AS MATERIALIZED (
        SELECT id FROM registry_version WHERE model_id = %(model)s AND trashed_at IS NOT NULL
    ), point AS NOT MATERIALIZED (
        SELECT version_id, value FROM registry_metric
        WHERE model_id = %(model)s AND name = %(name)s AND latest AND value IS NOT NULL
        AND version_id NOT IN (SELECT id FROM trashed)
    ), stretch AS (
        SELECT (version_id - %(first)s) * %(stretches)s / %(span)s AS place,
            MIN(value) AS low, MAX(value) AS high, COUNT(*) AS total
        FROM point GROUP BY 1 LIMIT %(stretches)s
    ), bounded AS (
        SELECT low, high, total, %(first)s + (place * %(span)s + %(stretches)s - 1) / %(stretches)s AS start FROM stretch
    ) SELECT total,
        (SELECT MIN(version_id) FROM point WHERE value = low AND version_id >= start), low,
        (SELECT MIN(version_id) FROM point WHERE value = high AND version_id >= start), high
    FROM bounded
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

    def over(self, model: RegisteredModel, name: str) -> MetricQuerySet:
        """The same with `number`, the version's, looked up row by row: by a join PostgreSQL would read all newer versions to
        show a page of older ones."""
        versions: Any = self.model._meta.get_field("version").related_model
        shown = versions.objects.filter(pk=OuterRef("version_id"), trashed_at=None).order_by().values("number")
        rows = self.filter(model=model, name=name, latest=True)
        return rows.annotate(number=models.Subquery(shown)).filter(number__isnull=False)

    def of_version(self, version: Version, name: str) -> MetricQuerySet:
        """The rows of one name in a version; few are not searched for among the many of other names."""
        rows = self.filter(version=version, name=name)
        ids = list(rows.order_by("step").values_list("pk", flat=True)[: FEW + 1])
        return self.filter(pk__in=ids) if len(ids) <= FEW else rows

    def standing(self, version: Version, *, after: str = "") -> MetricQuerySet:
        """The latest row of each name of a version, in the order of the names, behind one of them."""
        return self.filter(version=version, latest=True, name__gt=after).order_by("name")

    def stepped(self) -> MetricQuerySet:
        """Of the latest rows, the numbers whose names have others as well, at steps."""
        series = self.model.objects.filter(version=OuterRef("version"), name=OuterRef("name"), step__isnull=False)
        return self.filter(Exists(series.exclude(pk=OuterRef("pk"))), value__isnull=False)

    def series_in(self, versions: Sequence[Version]) -> dict[str, int]:
        """Return the names of the series of versions, and how many of them have each.

        Only names that stand for themselves are looked at: the row that stands for a name has a step, or there are others.
        """
        more = self.filter(version=OuterRef("version"), name=OuterRef("name"), step__isnull=False, value__isnull=False)
        latest = self.filter(version__in=versions, latest=True, value__isnull=False)
        stepped = latest.filter(Q(step__isnull=False) | Exists(more))
        found = Counter(stepped.order_by().values_list("name", flat=True)[:MOST_STEPPED])
        return dict(sorted(found.items()))

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

    def values_of(self, versions: Collection[int], names: Collection[str]) -> dict[int, dict[str, float | str]]:
        """Return, by the versions' ids, the latest values of these names: one query."""
        found: dict[int, dict[str, float | str]] = {}
        rows = self.filter(version__in=versions, name__in=names, latest=True) if names else self.none()
        for version, name, value, text in rows.values_list("version_id", "name", "value", "text"):
            found.setdefault(version, {})[name] = text if text is not None else value
        return found

    def few_over_versions(self, model: RegisteredModel, name: str, *, most: int) -> Series | None:
        """Return the numbers of one name by the versions' numbers, where they are no more than `most`."""
        rows = self._numbers_of(model, name).values_list("version__number", "value")
        whole = list(rows[: most + 1])
        return Series(len(whole), whole) if len(whole) <= most else None

    def over_versions(self, model: RegisteredModel, name: str, *, most: int) -> Series:
        """Return the numbers of one name by the versions' numbers: all of them, or thinned to `most` points."""
        few = self.few_over_versions(model, name, most=most)
        if few is not None:
            return few
        rows = self._numbers_of(model, name).values_list("version_id", "value")
        ends = [rows[0], rows.reverse()[0]]
        total, points = self._extremes(model, name, ends[0][0], ends[1][0], (most - 2) // 2)
        kept = sorted({*ends, *points} if most >= 4 else ends)
        numbers = dict(model.versions.filter(pk__in=[version for version, _ in kept]).values_list("pk", "number"))
        return Series(total, [(numbers[version], value) for version, value in kept])

    def _numbers_of(self, model: RegisteredModel, name: str) -> MetricQuerySet:
        return self.latest_of(model, name).filter(value__isnull=False).order_by("version_id")

    def _extremes(
        self, model: RegisteredModel, name: str, first: int, last: int, stretches: int
    ) -> tuple[int, list[tuple[int, float]]]:
        """Return how many numbers there are from the first version (an id) to the last, and each stretch's extremes."""
        said = {"model": model.pk, "name": name, "first": first, "span": last - first + 1, "stretches": stretches or 1}
        with connections[self.db].cursor() as cursor:
            cursor.execute(STRETCHES, said)
            found = cursor.fetchall()
        points = [point for _, lowest, low, highest, high in found for point in ((lowest, low), (highest, high))]
        return sum(row[0] for row in found), points

    def series(self, x: str, *, most: int) -> Series:
        """Return the numbers by `x`, a column of whole numbers: all of them, or thinned to `most` points."""
        rows = self.filter(value__isnull=False).order_by(x).values_list(x, "value")
        whole = list(rows[: most + 1])
        if len(whole) <= most:
            return Series(len(whole), whole)
        last = rows.reverse()[0]
        return thin(rows.iterator(CHUNK), first=whole[0][0], last=last[0], most=most)
