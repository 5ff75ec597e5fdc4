"""What is shown of versions beside their own rows: looked up for a whole page at once, and no object for every row of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lmvp.prepared import prepared
from registry.models.versions import Metric, Ref, Version, VersionParent

if TYPE_CHECKING:
    from django.db.models import QuerySet


@dataclass(slots=True)
class Surroundings:
    """What is shown of a version beside its own row and its tree's figures."""

    parents: list[tuple[int, str]] = field(default_factory=list)  # number and digest, the first parent first
    refs: list[tuple[str, str]] = field(default_factory=list)  # kind and name
    metrics: dict[str, float | str] = field(default_factory=dict)  # the latest of each name


def surroundings_of(versions: Sequence[Version]) -> dict[int, Surroundings]:
    """Return, by their ids, what is shown around versions: three queries."""
    around = {version.pk: Surroundings() for version in versions}
    if not around:
        return around
    ids = list(around)
    for version, number, digest in _parents(ids):
        around[version].parents.append((number, digest))
    for version, kind, name in _refs(ids):
        around[version].refs.append((kind, name))
    for version, name, value, text in _metrics(ids):
        around[version].metrics[name] = text if text is not None else value
    return around


@prepared
def _parents(versions: list[int]) -> QuerySet[Any, tuple[int, int, str]]:
    rows = VersionParent.objects.filter(version__pk__in=versions).order_by("position")
    return rows.values_list("version_id", "parent__number", "parent__digest")


@prepared
def _refs(versions: list[int]) -> QuerySet[Any, tuple[int, str, str]]:
    return (
        Ref.objects.filter(version__pk__in=versions).order_by("kind", "name").values_list("version_id", "kind", "name")
    )


@prepared
def _metrics(versions: list[int]) -> QuerySet[Any, tuple[int, str, float, str | None]]:
    latest = Metric.objects.filter(version__pk__in=versions, latest=True).order_by("version_id", "name")
    return latest.values_list("version_id", "name", "value", "text")
