"""What counts towards a quota: which digests a project, or a user, holds, and how many bytes those are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.db.models import Case, CharField, F, Max, QuerySet, When
from django.db.models.functions import Cast

from accounts.models import User
from registry.models.content import Blob, Occurrence, Upload, UploadQuerySet
from registry.models.lineage import Artifact
from registry.models.projects import Project
from registry.models.versions import RegisteredModel

ASKED_AT_ONCE = 5000  # digests; each question reads much of what a large holder has
# By hand: Django sums up no union, and what is both here and announced, asked for row by row, is planned badly by SQLite.
TOGETHER = """
    SELECT COALESCE(SUM(most), 0) FROM (
        SELECT file, MAX(size) AS most FROM ({} UNION ALL {}) AS each GROUP BY file
    ) AS files
"""


@dataclass(frozen=True, slots=True)
class Holdings:
    """Where the digests of one holder stand: in versions (in the trash too), in artifacts, and in open uploads.

    Each digest counts once, however often it stands there; what is purged does not stand there any more.
    """

    occurrences: QuerySet[Occurrence]
    artifacts: QuerySet[Artifact]
    uploads: UploadQuerySet

    @classmethod
    def of_project(cls, project: Project) -> Holdings:
        """All that stands in a project, whoever brought it."""
        occurrences = Occurrence.objects.filter(model__project=project)
        return cls(occurrences, Artifact.objects.filter(project=project), Upload.objects.filter(project=project))

    @classmethod
    def of_user(cls, user: User) -> Holdings:
        """What the versions of a user brought first to their models, the user's artifacts, and own uploads."""
        occurrences = Occurrence.objects.filter(first_version__author=user)
        return cls(occurrences, Artifact.objects.filter(created_by=user), Upload.objects.filter(actor=user))

    @classmethod
    def of_model(cls, model: RegisteredModel) -> Holdings:
        """What stands in one model, and its uploads."""
        occurrences = Occurrence.objects.filter(model=model)
        return cls(occurrences, Artifact.objects.none(), Upload.objects.filter(model=model))

    def without_coming_of(self, user: User) -> Holdings:
        """The same without what this user announced and has not sent yet."""
        return replace(self, uploads=self.uploads.exclude(actor=user, stored_at=None))

    def size(self) -> int:
        """How many bytes that is, in one query; what is still to come counts as if it were here.

        What has no digest yet is a file of its own.
        """
        stored, recorded = self.uploads.open().exclude(stored_at=None), self.artifacts.exclude(content=None)
        standing = self.occurrences.order_by().values("digest")
        digests = standing.union(recorded.order_by().values("content_id"), stored.order_by().values("sha256"))
        here = Blob.objects.filter(pk__in=digests).annotate(file=F("sha256"))
        own = Case(When(sha256="", then=Cast("id", CharField())), default=F("sha256"))
        each = [rows.order_by().values("file", "size") for rows in (here, self.uploads.coming().annotate(file=own))]
        (one, its), (other, others) = (rows.query.sql_with_params() for rows in each)
        with connection.cursor() as cursor:
            cursor.execute(TOGETHER.format(one, other), [*its, *others])
            return int(cursor.fetchone()[0])

    def published_of(self, digests: Collection[str]) -> set[str]:
        """Return those of the digests that stand in versions or artifacts."""
        found = set[str]()
        for some in _few_at_a_time(digests):
            found |= _named(self.occurrences.filter(digest__in=some), "digest")
            found |= _named(self.artifacts.filter(content__in=some), "content_id")
        return found

    def added_by(self, sizes: Mapping[str, int]) -> int:
        """How many bytes more it would be with these files: size by digest. Those that count already add nothing."""
        here, announced = self.published_of(sizes), dict[str, int]()
        stored = self.uploads.open().exclude(stored_at=None)
        for some in _few_at_a_time(sizes.keys() - here):
            here |= _named(stored.filter(sha256__in=some), "sha256")
            coming = self.uploads.coming().filter(sha256__in=some).order_by().values("sha256")
            announced.update(coming.annotate(most=Max("size")).values_list("sha256", "most"))
        # As many as were said there: whoever announced less before has not announced these.
        return sum(max(size - announced.get(digest, 0), 0) for digest, size in sizes.items() if digest not in here)


def _few_at_a_time(digests: Collection[str]) -> Iterator[list[str]]:
    wanted = sorted(digests)
    yield from (wanted[start : start + ASKED_AT_ONCE] for start in range(0, len(wanted), ASKED_AT_ONCE))


def _named(rows: QuerySet[Any], column: str) -> set[str]:
    return set(rows.order_by().values_list(column, flat=True).distinct())
