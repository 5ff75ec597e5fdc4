"""What stands around the versions of one page of a history: parents, names, metrics beside those of the first parent.

A fixed number of queries, however many the versions and their metrics are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef, Subquery

from registry.lanes import Commit
from registry.models.versions import Metric, Ref, RegisteredModel, Version, VersionParent

Values = dict[str, float | str]
MOST_REFS = 30  # told of one version; a tag for every run is nothing to read
NEAR = 30  # newest versions among which one with metrics is looked for


@dataclass(frozen=True, slots=True)
class Parent:
    """A version that another was made from; it may lie in the trash."""

    pk: int
    number: int
    in_trash: bool


@dataclass(slots=True)
class Beside:
    """What is shown beside one version's own row; `before` is what its first parent has under the same names."""

    parents: list[Parent] = field(default_factory=list)
    refs: list[tuple[str, str]] = field(default_factory=list)  # kind and name
    values: Values = field(default_factory=dict)
    before: Values = field(default_factory=dict)


def beside(versions: Sequence[Version], names: Collection[str] = ()) -> dict[int, Beside]:
    """Return, by their ids, what stands around versions, with the metrics of these names: three queries."""
    around = {version.pk: Beside() for version in versions}
    links = VersionParent.objects.filter(version__in=around).order_by("position")
    for version, *parent, trashed_at in links.values_list(
        "version_id", "parent_id", "parent__number", "parent__trashed_at"
    ):
        around[version].parents.append(Parent(*parent, in_trash=trashed_at is not None))
    refs = Ref.objects.filter(version__in=around).order_by("kind", "name")
    for version, kind, name in refs.values_list("version_id", "kind", "name"):
        if len(around[version].refs) < MOST_REFS:
            around[version].refs.append((kind, name))
    first = {version: one.parents[0].pk for version, one in around.items() if one.parents}
    found = Metric.objects.values_of({*around, *first.values()}, names)
    for version, one in around.items():
        one.values, one.before = found.get(version, {}), found.get(first.get(version, 0), {})
    return around


def newest_measured(models: Iterable[RegisteredModel]) -> dict[int, Version]:
    """Return, by the models' ids, the newest version that has metrics: of the newest 30 that are not in the trash.

    A merge brings none with it, nor does a change of the card. Three queries at most.
    """
    keys = Version.objects.newest_keys_of(models, NEAR)
    some = Exists(Metric.objects.filter(version=OuterRef("pk"), latest=True))
    measured = Version.objects.filter(some, pk__in=keys).order_by("pk") if keys else Version.objects.none()
    newest = dict(measured.values_list("model_id", "pk"))  # of several the last
    found = Version.objects.defer("metadata_json").in_bulk(newest.values())
    return {model: found[pk] for model, pk in newest.items()}


def commits_between(model: RegisteredModel, above: int, to: int) -> list[Commit]:
    """Return the versions of these numbers as the graph is drawn from, newest first, those in the trash as well."""
    numbers = model.versions.filter(number__gt=above, number__lte=to).order_by("-number")
    links = VersionParent.objects.filter(version__model=model, version__number__gt=above, version__number__lte=to)
    parents: dict[int, list[int]] = {}
    for number, parent in links.order_by("position").values_list("version__number", "parent__number"):
        parents.setdefault(number, []).append(parent)
    return [
        Commit(number, tuple(parents.get(number, ())), branch)
        for number, branch in numbers.values_list("number", "branch")
    ]


def newest_children(model: RegisteredModel, numbers: Collection[int]) -> dict[int, int]:
    """Return by number, for those of these versions that others were made from, the newest of those: one query."""
    links = VersionParent.objects.filter(parent=OuterRef("pk")).order_by("-pk")
    rows = model.versions.filter(number__in=numbers).order_by()
    found = rows.annotate(child=Subquery(links.values("version__number")[:1])).values_list("number", "child")
    return {number: child for number, child in found if child is not None}
