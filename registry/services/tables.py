"""Several versions side by side: a column for each, a row for each metric and each metadata key. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry.diffs import values
from registry.diffs.values import Row
from registry.errors import Invalid
from registry.models import RegisteredModel, Version
from registry.models.surroundings import Surroundings, surroundings_of

FEWEST, MOST = 2, 20  # versions


@dataclass(frozen=True, slots=True)
class Table:
    """Versions, what is around each by its id, and a row for each value that one of them has."""

    versions: Sequence[Version]
    around: dict[int, Surroundings]
    metrics: list[Row]
    metadata: list[Row]


def versions_named(model: RegisteredModel, said: str) -> dict[str, Version]:
    """Return what “1,3,production” names, by revision and in that order, each version once.

    Raises Invalid (invalid_versions) for too few and too many; Version.DoesNotExist, which says the revision.
    """
    revisions = [one.strip() for one in said.split(",") if one.strip()]
    if not FEWEST <= len(revisions) <= MOST:
        raise Invalid("invalid_versions", f"Name {FEWEST} to {MOST} revisions, as in ?versions=1,3,production")
    found = model.versions.filter(trashed_at=None).with_figures().at_each(model, revisions)
    if unknown := [revision for revision in revisions if revision not in found]:
        raise Version.DoesNotExist(unknown[0])
    first = {found[revision].pk: revision for revision in reversed(revisions)}
    return {revision: found[revision] for revision in dict.fromkeys(revisions) if first[found[revision].pk] == revision}


def side_by_side(versions: Sequence[Version], *, differing: bool) -> Table:
    """Return the table of versions; with `differing` without the rows that are the same everywhere."""
    around = surroundings_of(versions)
    metrics = [around[version.pk].metrics for version in versions]
    metadata = [values.leaves(version.metadata) for version in versions]
    return Table(
        versions,
        around,
        metrics=values.rows(metrics, differing=differing),
        metadata=values.rows(metadata, differing=differing),
    )
