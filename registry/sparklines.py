"""Pure: a few numbers in a row as a small line, for a table's cell, and the same in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, EDGE = 96, 24, 3  # px; the edge leaves room for the stroke and the dot


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The `points` of an SVG polyline, where the last one is, and the numbers that matter in it."""

    points: str
    end: tuple[float, float]
    values: Sequence[float]

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)

    @property
    def first(self) -> float:
        return self.values[0]

    @property
    def last(self) -> float:
        return self.values[-1]


def draw(values: Sequence[float]) -> Sparkline | None:
    """Return the line through finite numbers, the oldest first, scaled to its own range; None for fewer than two."""
    if len(values) < 2:
        return None
    low, high = min(values), max(values)
    # Halved before they are subtracted: the distance of two finite numbers need not be finite.
    span = high / 2 - low / 2
    step = (WIDTH - 2 * EDGE) / (len(values) - 1)

    def place(number: int, value: float) -> tuple[float, float]:
        part = (value / 2 - low / 2) / span if span else 0.5
        return round(EDGE + number * step, 1), round(HEIGHT - EDGE - part * (HEIGHT - 2 * EDGE), 1)

    places = [place(number, value) for number, value in enumerate(values)]
    return Sparkline(" ".join(f"{x:g},{y:g}" for x, y in places), places[-1], values)
