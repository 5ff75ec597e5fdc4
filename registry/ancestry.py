"""Which versions a version was made from, told from the edges of one model's history. Pure.

Numbers grow along the edges: a version's parents have smaller numbers than it has itself.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

Edges = Callable[[int, int], Iterable[tuple[int, int]]]
"""Given two numbers, return (version, parent) for all versions above the first, up to the second."""

MOST_APART = 1000  # versions that are looked at to tell how two stand to each other
FIRST_STRETCH, LONGEST_STRETCH = 64, 8192  # numbers asked for at once: few when the answer is near


def common_ancestors(edges: Edges, one: int, other: int) -> Iterator[int]:
    """Yield the numbers of the versions that both stand on (or are), the newest first.

    Goes down from the larger number, and no further than it is asked: a version is reached after all that stand on it.
    """
    return (number for number, reached_from, _ in _downwards(edges, one, other) if reached_from >= {one, other})


@dataclass(frozen=True, slots=True)
class Divergence:
    """How two versions stand to each other: their newest common ancestor (0: none), and how many only one stands on."""

    ancestor: int
    ahead: int  # of the base: what the head stands on, itself included, and the base does not
    behind: int


def divergence(edges: Edges, base: int, head: int, *, most: int = MOST_APART) -> Divergence | None:
    """Return how two versions stand to each other, looking at so many versions at most; None where those do not tell."""
    ancestor, ahead, behind = 0, 0, 0
    for looked_at, (number, reached_from, waiting) in enumerate(_downwards(edges, base, head)):
        if looked_at == most:
            return None
        both = reached_from >= {base, head}  # and so all below it
        ancestor = max(ancestor, number if both else 0)
        ahead += not both and head in reached_from
        behind += not both and base in reached_from
        if both and all(reached >= {base, head} for reached in waiting.values()):
            break
    return Divergence(ancestor, ahead, behind)


def _downwards(edges: Edges, one: int, other: int) -> Iterator[tuple[int, set[int], dict[int, set[int]]]]:
    """Yield every version that one of two stands on (or is), the newest first: its number, from which of them it was
    reached, and the same of those that wait to be looked at."""
    stands_on: dict[int, set[int]] = {}
    for number in (one, other):
        stands_on.setdefault(number, set()).add(number)
    history = _History(edges)
    waiting = [-number for number in stands_on]
    heapq.heapify(waiting)
    while waiting:
        number = -heapq.heappop(waiting)
        reached_from = stands_on.pop(number)
        yield number, reached_from, stands_on
        for parent in history.parents_of(number):
            if parent not in stands_on:
                stands_on[parent] = set()
                heapq.heappush(waiting, -parent)
            stands_on[parent] |= reached_from


def distances(edges: Edges, heads: Mapping[str, int], main: str, most: int) -> dict[str, tuple[int, int] | None]:
    """Return, for each head by its name, how many versions it has that `main` has not, and the other way round.

    Reads the edges of the `most` newest numbers, once; None where that does not tell.
    """
    bits = {name: 1 << place for place, name in enumerate(heads)}
    reached_from: dict[int, int] = {}
    for name, number in heads.items():
        reached_from[number] = reached_from.get(number, 0) | bits[name]
    top = max(heads.values())
    bottom = max(top - most, 0)
    parents: dict[int, list[int]] = {}
    for version, parent in edges(bottom, top):
        parents.setdefault(version, []).append(parent)
    counted: Counter[int] = Counter()
    for number in range(top, bottom, -1):
        reached = reached_from.get(number)
        if reached:
            counted[reached] += 1
            for parent in parents.get(number, ()):
                reached_from[parent] = reached_from.get(parent, 0) | reached
    below = {reached for number, reached in reached_from.items() if number <= bottom}
    return {name: _apart(counted, below, bits[name], bits[main]) for name in heads}


def _apart(counted: Counter[int], below: set[int], one: int, other: int) -> tuple[int, int] | None:
    if any(bool(reached & one) != bool(reached & other) for reached in below):
        return None  # how far the two differ is told further down
    ahead = sum(count for reached, count in counted.items() if reached & one and not reached & other)
    behind = sum(count for reached, count in counted.items() if reached & other and not reached & one)
    return ahead, behind


class _History:
    """Parents by number, read in stretches on the way down; numbers that nobody asks about are jumped over."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self._above: int | None = None
        self._length = FIRST_STRETCH
        self._parents: dict[int, list[int]] = {}

    def parents_of(self, number: int) -> list[int]:
        if self._above is None or number <= self._above:
            self._read(number)
        return self._parents.get(number, [])

    def _read(self, number: int) -> None:
        self._above, self._parents = max(number - self._length, 0), {}
        for version, parent in self._edges(self._above, number):
            self._parents.setdefault(version, []).append(parent)
        self._length = min(self._length * 2, LONGEST_STRETCH)
