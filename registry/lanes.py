"""Where the lines of a history run beside its versions: a lane for each line, told row by row. Pure.

The way down is the usual one of commit graphs: a lane waits for the version that its line leads to. A version stands in
the first lane that waits for it, the others join it there; its first parent takes the lane over, a second gets one of
its own. Lanes are few: a line that finds none free is cut short, and its ends say so.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

MOST_LANES = 8
COLOURS = 8


@dataclass(frozen=True, slots=True)
class Commit:
    """A version as the graph needs it: its number, its parents' (smaller) numbers, the first one first, its branch."""

    number: int
    parents: tuple[int, ...] = ()
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of a line in one row: from a lane at its upper edge to one at its lower edge, or from or to the version."""

    start: int
    end: int
    colour: int


@dataclass(frozen=True, slots=True)
class Row:
    """One version's row: its own lane, what runs past it, comes in from above, goes out below; which of these was cut."""

    number: int
    lane: int
    colour: int
    past: tuple[Line, ...] = ()
    above: tuple[Line, ...] = ()
    below: tuple[Line, ...] = ()
    cut_above: bool = False
    cut_below: bool = False

    @property
    def lanes(self) -> int:
        """How many lanes wide it is."""
        return 1 + max([self.lane, *(max(line.start, line.end) for line in (*self.past, *self.above, *self.below))])

    @property
    def leaving(self) -> tuple[Line, ...]:
        """The lines that cross its lower edge."""
        return (*self.past, *self.below)


@dataclass(slots=True)
class _Lane:
    awaited: int
    colour: int


def colour_of(branch: str, *, main: str) -> int:
    """Return the colour of a branch, the same on every page: 0 for the main one, else 1 to 7."""
    return 0 if branch in ("", main) else 1 + zlib.crc32(branch.encode()) % (COLOURS - 1)


def lay_out(
    commits: Sequence[Commit],
    *,
    main: str = "main",
    children: dict[int, int] | None = None,
    most: int = MOST_LANES,
) -> Iterator[Row]:
    """Yield the rows of versions that come newest first. `children`: numbers whose children are known, with the newest.

    A version whose newest child led no line to it, being newer than all of these or cut, is marked as cut above.
    """
    newest = commits[0].number if commits else 0
    lanes: list[_Lane | None] = []
    branches = {commit.number: commit.branch for commit in commits}
    for commit in commits:
        row = _place(commit, lanes, branches, main, most)
        child = (children or {}).get(commit.number, 0)
        yield replace(row, cut_above=child > newest or (child > 0 and not row.above))


def _place(commit: Commit, lanes: list[_Lane | None], branches: dict[int, str], main: str, most: int) -> Row:
    waiting = [at for at, lane in enumerate(lanes) if lane and lane.awaited == commit.number]
    colour = colour_of(commit.branch, main=main)
    above = tuple(Line(at, waiting[0], _colour(lanes, at)) for at in waiting)
    for at in waiting:
        lanes[at] = None
    past = tuple(Line(at, at, lane.colour) for at, lane in enumerate(lanes) if lane)
    free = waiting[0] if waiting else _free(lanes, most)
    lane = most if free is None else free
    below = list(_lead_on(commit, lane, lanes, branches, main, most))
    return Row(
        number=commit.number,
        lane=lane,
        colour=colour,
        past=past,
        above=above,
        below=tuple(below),
        cut_below=len(below) < len(set(commit.parents)),
    )


def _lead_on(
    commit: Commit, lane: int, lanes: list[_Lane | None], branches: dict[int, str], main: str, most: int
) -> Iterable[Line]:
    """Let lanes wait for the parents; yield the lines that lead there."""
    for position, parent in enumerate(dict.fromkeys(commit.parents)):
        colour = colour_of(branches.get(parent, commit.branch) if position else commit.branch, main=main)
        there = next((at for at, one in enumerate(lanes) if one and one.awaited == parent), None)
        if position == 0 and lane < most:
            to: int | None = lane  # its own line goes on, beside one that leads to the same version
        else:
            to = there if there is not None else _free(lanes, most)
        if to is None:
            continue
        if to != there:
            _take(lanes, to, _Lane(parent, colour))
        yield Line(lane, to, colour if to != there else _colour(lanes, to))


def _free(lanes: list[_Lane | None], most: int) -> int | None:
    """Return the first lane in which nothing runs; None when all that there may be are taken."""
    at = next((at for at, lane in enumerate(lanes) if lane is None), len(lanes))
    return at if at < most else None


def _take(lanes: list[_Lane | None], at: int, lane: _Lane) -> None:
    lanes.extend([None] * (at + 1 - len(lanes)))
    lanes[at] = lane


def _colour(lanes: list[_Lane | None], at: int) -> int:
    lane = lanes[at]
    assert lane
    return lane.colour
