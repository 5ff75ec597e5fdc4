"""What became of named values – metadata and metrics – from one version to another, and rows of them over several. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.digests import canonical_json

LONGEST_WAY = 200  # characters of the keys above: what lies deeper stays one value
MISSING = object()  # where a version has no such value: another thing than null

Cells = Mapping[str, Any]


def changes(base: Cells, head: Cells) -> dict[str, dict[str, Any]]:
    """Return the keys that were added, removed and changed, with their values."""
    return {
        "added": {key: head[key] for key in head.keys() - base.keys()},
        "removed": {key: base[key] for key in base.keys() - head.keys()},
        "changed": {
            key: {"before": base[key], "after": head[key]}
            for key in base.keys() & head.keys()
            if base[key] != head[key]
        },
    }


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric of either version: a number, a text, or None where a version has it not."""

    name: str
    before: float | str | None
    after: float | str | None

    @property
    def delta(self) -> float | None:
        """The difference, where both are numbers and it is one too: the largest and the smallest lie too far apart."""
        if not isinstance(self.before, float) or not isinstance(self.after, float):
            return None
        return _finite(self.after - self.before)

    @property
    def percent(self) -> float | None:
        """The difference in hundredths of what was there before, where that says something."""
        delta = self.delta
        return _finite(100 * delta / abs(self.before)) if delta is not None and self.before else None  # type: ignore[arg-type]

    @property
    def differs(self) -> bool:
        return self.before != self.after


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def metric_changes(before: Mapping[str, float | str], after: Mapping[str, float | str]) -> list[MetricChange]:
    """Return every metric of either version, by name."""
    return [MetricChange(name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]


@dataclass(frozen=True, slots=True)
class Row:
    """One value over several versions, MISSING where one has it not."""

    name: str
    values: Sequence[Any]

    @property
    def differs(self) -> bool:
        """Whether it is not the same everywhere: not there is another thing than null, 1 than true."""
        return len({"" if value is MISSING else canonical_json(value) for value in self.values}) > 1


def rows(columns: Sequence[Cells], *, differing: bool = False) -> list[Row]:
    """Return a row for each name of the columns; with `differing` those that are not the same everywhere."""
    names = sorted({name for cells in columns for name in cells})
    found = (Row(name, [cells.get(name, MISSING) for cells in columns]) for name in names)
    return [row for row in found if row.differs] if differing else list(found)


def leaves(metadata: Cells) -> dict[str, Any]:
    """Return the values of nested objects by keys joined with dots; a key that holds one itself stands in quotes."""
    return dict(_leaves(metadata, ""))


def _leaves(value: Cells, way: str) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        name = way + (json.dumps(key, ensure_ascii=False) if "." in key or '"' in key else key)
        if isinstance(inner, dict) and inner and len(name) <= LONGEST_WAY:
            yield from _leaves(inner, f"{name}.")
        else:
            yield name, inner
