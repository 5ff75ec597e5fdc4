"""A name's history as a strip: where it stood one span after the other, from its first move that is shown until now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

MOST_SPANS = 16  # the newest moves: more would not be told apart
LEAST, SHARED = 0.12, 0.7  # of the strip's width: what one span has at least, if all together do not take more


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a move put the name, and when; None: nowhere, it was deleted."""

    number: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """How long a name stood at one version (None: it was away), and where it is drawn: from 0 to 1."""

    number: int | None
    start: datetime
    end: datetime
    x: float
    width: float


def spans(stops: Sequence[Stop], now: datetime) -> list[Span]:
    """Return the spans between stops (the oldest first), the last one until now; none for no stops.

    Each is as wide as it was long, and has room for a label: what short ones get more, long ones give. What is away at the end
    is a span as well, and what is away at the beginning is none.
    """
    shown = [stop for place, stop in enumerate(stops[-MOST_SPANS:]) if place or stop.number is not None]
    if not shown:
        return []
    starts = [stop.at for stop in shown]
    ends = [*starts[1:], max(now, starts[-1])]
    widths = _widths([(end - start).total_seconds() for start, end in zip(starts, ends, strict=True)])
    edges = [sum(widths[:place]) for place in range(len(widths) + 1)]
    return [
        Span(stop.number, start, end, x, to - x)
        for stop, start, end, (x, to) in zip(shown, starts, ends, pairwise(edges), strict=True)
    ]


def _widths(seconds: list[float]) -> list[float]:
    """Share the width by seconds among those that are wide enough, and give the others the least."""
    least, narrow = min(LEAST, SHARED / len(seconds)), set[int]()
    while True:
        left, total = 1 - least * len(narrow), sum(long for place, long in enumerate(seconds) if place not in narrow)
        if not total:
            return [1 / len(seconds)] * len(seconds)
        few = {place for place, long in enumerate(seconds) if place not in narrow and long / total * left < least}
        if not few:
            return [least if place in narrow else long / total * left for place, long in enumerate(seconds)]
        narrow |= few
