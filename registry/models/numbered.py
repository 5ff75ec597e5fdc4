"""All the versions of a model by number, the list that is asked for most."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db.models import QuerySet

from lmvp.prepared import prepared_page
from registry.models.versions import RegisteredModel, Version


@dataclass(frozen=True, slots=True)
class Numbered:
    """Those that are not in the trash, with their figures, as DRF's cursor paginator asks for a page: ordered, behind a
    position, cut. What lies behind is below where the newest come first, else above."""

    model: RegisteredModel
    newest_first: bool = True
    position: int | None = None

    def order_by(self, ordering: str) -> Numbered:
        return replace(self, newest_first=ordering == "-number")

    def filter(self, **behind: str) -> Numbered:
        [position] = behind.values()
        return replace(self, position=int(position))

    def __getitem__(self, part: slice) -> list[Version]:
        read = _downwards if self.newest_first else _upwards
        rows = read(part.stop, self.model.pk, self.position)[part.start :]
        for version in rows:
            version.model = self.model
        return rows


@prepared_page
def _downwards(model: int, position: int | None) -> QuerySet[Version]:
    rows = Version.objects.filter(model=model, trashed_at=None).with_figures().order_by("-number")
    return rows if position is None else rows.filter(number__lt=position)


@prepared_page
def _upwards(model: int, position: int | None) -> QuerySet[Version]:
    rows = Version.objects.filter(model=model, trashed_at=None).with_figures().order_by("number")
    return rows if position is None else rows.filter(number__gt=position)
