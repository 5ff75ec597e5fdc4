"""Which versions of a model a list is about, and its pages where no index gives their order: by a metric, down a branch.

A walk answers the page behind a position, and the position behind that page (None: there is nothing more). Positions
are texts; one that a walk did not make is a ValueError.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from registry.models.metrics import FEW, Condition, MetricQuerySet
from registry.models.newest import each_of
from registry.models.versions import Metric, RegisteredModel, Version, VersionParent, VersionQuerySet

MOST_WALKED = 5000  # versions of a branch looked at for one page: filters may leave out most of them
STRIDE = 1000  # of them at a time
RANKED = re.compile(r"(-?[0-9.]{1,30}(?:e[+-]?[0-9]{1,3})?) ([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Choice:
    """Versions of a model that are not in the trash: all, or those of an author, and whose metrics meet conditions."""

    model: RegisteredModel
    author_id: int | None = None
    conditions: Sequence[Condition] = ()

    def rows(self, among: Sequence[int] | None = None) -> VersionQuerySet:
        """Return the chosen; `among`: only of these versions of the model."""
        # Of the model or among these, not both: SQLite would go through all versions for the sake of their order.
        rows = self.model.versions.all() if among is None else Version.objects.filter(pk__in=among)
        rows = rows.filter(trashed_at=None)
        if self.author_id is not None:
            rows = rows.filter(author_id=self.author_id)
        for condition in self.conditions:
            # Without the model, or SQLite would search its metrics for every version anew.
            rows = rows.filter(Exists(Metric.objects.meeting(condition).filter(version=OuterRef("pk"))))
        return rows

    def few(self) -> list[int] | None:
        """Return the ids of versions that the choice is among, where an index shows that they are few; else None: one query."""
        of_model = Metric.objects.filter(model=self.model, latest=True).order_by("value", "version_id")
        narrow = [
            of_model.filter(condition.within(), name=condition.name).values_list("version_id", flat=True)
            for condition in self.conditions
        ]
        if self.author_id is not None:
            of_author = Version.objects.filter(model=self.model, author_id=self.author_id)
            narrow.append(of_author.order_by("number").values_list("pk", flat=True))
        found = min(each_of([ids[: FEW + 1] for ids in narrow]), key=len, default=None)
        return found if found is not None and len(found) <= FEW else None


@dataclass(frozen=True, slots=True)
class ByMetric:
    """The chosen versions that have a number under this name, in its order; with `head`, on its line alone."""

    choice: Choice
    name: str
    descending: bool
    head: Version | None = None

    def page(self, after: str | None, size: int) -> tuple[list[Version], str | None]:
        ranked = self._candidates().ranked(descending=self.descending, after=_ranked_position(after))
        found = list(ranked.values_list("value", "version_id")[: size + 1])
        following = "{!r} {}".format(*found[size - 1]) if len(found) > size else None
        return self._versions([version for _, version in found[:size]]), following

    def best(self) -> Version | None:
        """Return the first; of several with its value the newest."""
        candidates = self._candidates()
        value = candidates.ranked(descending=self.descending).values_list("value", flat=True).first()
        if value is None:
            return None
        equal = candidates.filter(value=value).order_by("-version_id").values_list("version_id", flat=True)
        return self._versions(list(equal[:1]))[0]

    def _candidates(self) -> MetricQuerySet:
        few = self.choice.few()
        of_name = Metric.objects.filter(name=self.name, latest=True)
        rows = of_name.filter(model=self.choice.model) if few is None else of_name.filter(version__in=few)
        for condition in self.choice.conditions:
            if condition.name == self.name:  # asked of the versions as well; so the walk begins where it can hold
                rows = rows.filter(condition.holds())
        if self.head:
            rows = rows.filter(VersionParent.objects.on_line(self.head.pk, "version_id"))
        return rows.filter(Exists(self.choice.rows().filter(pk=OuterRef("version_id"))))

    def _versions(self, ids: list[int]) -> list[Version]:
        found = Version.objects.with_figures().in_bulk(ids)
        for version in found.values():
            version.model = self.choice.model
        return [found[version] for version in ids]


@dataclass(frozen=True, slots=True)
class DownBranch:
    """The chosen versions on the line of a branch: its head, its first parent, the first parent of that …

    Positions are numbers. A page may be shorter than asked for and still lead on: for one page no more than so many
    versions of the line are looked at.
    """

    choice: Choice
    head: Version

    def page(self, after: str | None, size: int) -> tuple[list[Version], str | None]:
        steps = size + 1
        line = self._line(after, steps)
        found, walked = self._found(line, size + 1), len(line)
        while len(line) == steps and len(found) <= size and walked < MOST_WALKED:
            steps = STRIDE
            line = Version.objects.line_from(line[-1][0], steps)[1:]
            found += self._found(line, size + 1 - len(found))
            walked += len(line)
        if len(found) > size:
            return found[:size], str(found[size - 1].number)
        return found, str(line[-1][1]) if len(line) == steps else None

    def _line(self, after: str | None, steps: int) -> list[tuple[int, int]]:
        """Return the first stretch of the line: from the head on, or behind the version at the position."""
        if after is None:
            return Version.objects.line_from(self.head.pk, steps - 1)
        if not re.fullmatch(r"[0-9]{1,9}", after):
            raise ValueError(after)
        passed = Version.objects.filter(model=self.choice.model, number=int(after)).values_list("pk", flat=True)
        if not passed:
            raise ValueError(after)
        return Version.objects.line_from(passed[0], steps)[1:]

    def _found(self, line: list[tuple[int, int]], most: int) -> list[Version]:
        if not line:
            return []
        rows = self.choice.rows(among=[version for version, _ in line])
        found = list(rows.with_figures().order_by("-number")[:most])
        for version in found:
            version.model = self.choice.model
        return found


def _ranked_position(after: str | None) -> tuple[float, int] | None:
    if after is None:
        return None
    said = RANKED.fullmatch(after)
    if said is None or not math.isfinite(float(said[1])):
        raise ValueError(after)
    return float(said[1]), int(said[2])
