"""Which parameters stand in the metadata of several versions, and which of them are worth an axis of a chart. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.diffs.values import leaves

LONGEST_TEXT = 60  # characters: longer ones are no labels
LONGEST_KEY = 200
LARGEST = 1e300  # what a chart can still draw to scale
MOST_OFFERED = 100  # axes
MOST_TEXTS = 12  # different ones on an axis that nobody asked for

Value = float | int | str | None


@dataclass(frozen=True, slots=True)
class Axis:
    """One parameter over several versions, in their order; None where one has it not."""

    name: str
    values: Sequence[Value]

    @property
    def worth_showing(self) -> bool:
        """Whether it differs somewhere, and is legible without being asked for."""
        there = [value for value in self.values if value is not None]
        texts = {value for value in there if isinstance(value, str)}
        return len(set(there)) > 1 and len(texts) <= MOST_TEXTS

    @property
    def _rank(self) -> tuple[bool, int, bool, str]:
        """What most versions have stands before what few have, numbers before texts."""
        missing = sum(value is None for value in self.values)
        return not self.worth_showing, missing, any(isinstance(value, str) for value in self.values), self.name


def axes(versions: Sequence[Mapping[str, Any]]) -> list[Axis]:
    """Return the parameters in the metadata of versions that can be axes, those worth showing first."""
    read = [dict(_parameters(metadata)) for metadata in versions]
    names = dict.fromkeys(name for parameters in read for name in parameters)
    found = [Axis(name, [parameters.get(name) for parameters in read]) for name in names]
    return sorted(found, key=lambda axis: axis._rank)[:MOST_OFFERED]


def _parameters(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    """Yield numbers and short texts by the keys that lead to them."""
    for name, value in leaves(metadata).items():
        if len(name) > LONGEST_KEY:
            continue
        if isinstance(value, bool):
            yield name, "true" if value else "false"
        elif _legible(value):
            yield name, value


def _legible(value: Any) -> bool:
    if isinstance(value, int | float):
        return abs(value) < LARGEST
    return isinstance(value, str) and len(value) <= LONGEST_TEXT
