"""Pure: a long series of numbers made short for a chart, in one pass and constant memory, without losing a spike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Point = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Series:
    """Points in the order of x, and of how many they were chosen."""

    total: int
    points: Sequence[Point]


def thin(points: Iterable[Point], *, first: int, last: int, most: int) -> Series:
    """Return at most so many of the points: the first, the last, and the lowest and highest of each stretch between.

    The points come in the order of x, from `first` to `last`; the stretches are equally long.
    """
    stretches, span = (most - 2) // 2, last - first + 1
    total, point = 0, (first, 0.0)
    kept: list[Point] = []
    lowest = highest = point
    stretch = -1
    for point in points:
        total += 1
        if total == 1:
            kept.append(point)
        number = (point[0] - first) * stretches // span
        if number != stretch:
            kept += _apart(lowest, highest) if stretch >= 0 and stretches else ()
            stretch, lowest, highest = number, point, point
        elif point[1] < lowest[1]:
            lowest = point
        elif point[1] > highest[1]:
            highest = point
    kept += [*(_apart(lowest, highest) if stretches else ()), point] if total > 1 else []
    return Series(total, list(dict.fromkeys(kept)))


def _apart(lowest: Point, highest: Point) -> list[Point]:
    return sorted({lowest, highest})
