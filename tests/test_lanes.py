"""The lanes of a commit graph: where each version stands, what runs past it, what comes in and goes out."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from itertools import pairwise

import pytest

from registry.lanes import MOST_LANES, Commit, Row, colour_of, lay_out


def drawn(*history: str, **options) -> list[Row]:
    """Lay out versions told as “5 < 4 3”, newest first; behind a colon the branch: “5:wide < 4”."""
    return list(lay_out([commit(said) for said in history], **options))


def commit(said: str) -> Commit:
    name, _, parents = said.partition("<")
    number, _, branch = name.strip().partition(":")
    return Commit(int(number), tuple(map(int, parents.split())), branch or "main")


def lanes(rows: Iterable[Row]) -> dict[int, int]:
    return {row.number: row.lane for row in rows}


def pairs(lines: Iterable) -> list[tuple[int, int]]:
    return sorted((line.start, line.end) for line in lines)


def test_nothing_is_nothing() -> None:
    assert drawn() == []


def test_a_straight_line_stays_in_one_lane() -> None:
    rows = drawn("3 < 2", "2 < 1", "1")
    assert lanes(rows) == {3: 0, 2: 0, 1: 0}
    assert [pairs(row.below) for row in rows] == [[(0, 0)], [(0, 0)], []]
    assert [pairs(row.above) for row in rows] == [[], [(0, 0)], [(0, 0)]]
    assert all(not row.past and row.lanes == 1 and not row.cut_above and not row.cut_below for row in rows)


def test_a_branch_leaves_and_is_merged() -> None:
    rows = drawn("5 < 3 4", "4:wide < 2", "3 < 2", "2 < 1", "1")
    assert lanes(rows) == {5: 0, 4: 1, 3: 0, 2: 0, 1: 0}
    assert pairs(rows[0].below) == [(0, 0), (0, 1)]
    assert (pairs(rows[1].past), pairs(rows[1].above)) == ([(0, 0)], [(1, 1)])
    assert pairs(rows[3].above) == [(0, 0), (1, 0)]
    assert [row.lanes for row in rows] == [2, 2, 2, 2, 1]


def test_the_line_of_a_branch_that_was_not_merged_begins_at_its_head() -> None:
    rows = drawn("3:wide < 1", "2 < 1", "1")
    assert lanes(rows) == {3: 0, 2: 1, 1: 0}
    assert pairs(rows[2].above) == [(0, 0), (1, 0)]


def test_merges_into_each_other_crosswise_need_two_lanes() -> None:
    rows = drawn("6 < 4 5", "5:wide < 3 4", "4 < 2 3", "3:wide < 1", "2 < 1", "1")
    assert lanes(rows) == {6: 0, 5: 1, 4: 0, 3: 1, 2: 0, 1: 0}
    assert pairs(rows[1].below) == [(1, 0), (1, 1)]  # the second parent is one that a lane waits for already
    assert max(row.lanes for row in rows) == 2


def test_several_roots_each_end_their_lane_and_leave_it_to_others() -> None:
    rows = drawn("5 < 4", "4", "3:wide < 2", "2:wide", "1:old")
    assert lanes(rows) == {5: 0, 4: 0, 3: 0, 2: 0, 1: 0}
    assert [pairs(row.below) for row in rows] == [[(0, 0)], [], [(0, 0)], [], []]


def test_more_than_two_parents_and_the_same_one_twice_are_drawn_too() -> None:
    rows = drawn("5 < 4 3 2", "4 < 1", "3 < 1", "2 < 1", "1")
    assert pairs(rows[0].below) == [(0, 0), (0, 1), (0, 2)]
    assert pairs(drawn("2 < 1 1", "1")[0].below) == [(0, 0)]


def test_a_page_that_is_cut_knows_the_lines_that_leave_it() -> None:
    whole = drawn("5 < 3 4", "4:wide < 2", "3 < 2", "2 < 1", "1")
    page = drawn("5 < 3 4", "4:wide < 2")
    assert page == whole[:2]
    assert pairs(page[-1].leaving) == [(0, 0), (1, 1)]


def test_a_version_whose_newer_child_is_out_of_sight_says_so() -> None:
    rows = drawn("3 < 2", "2 < 1", "1", children={3: 900, 2: 3, 1: 2})
    assert [row.cut_above for row in rows] == [True, False, False]


def test_lanes_are_few_however_many_branches_there_are() -> None:
    heads = [f"{number}:b{number} < 1" for number in range(300, 1, -1)]
    rows = drawn(*heads, "1", children={1: 300})
    assert max(row.lanes for row in rows) <= MOST_LANES + 1
    assert [row.cut_below for row in rows] == [False] * 300  # the overflowing ones lead into a lane that waits for 1
    rows = drawn(*(f"{number}:b{number} < {number - 500}" for number in range(900, 600, -1)))
    assert max(row.lanes for row in rows) <= MOST_LANES + 1
    assert [row.cut_below for row in rows] == [False] * MOST_LANES + [True] * (300 - MOST_LANES)


def test_a_cut_line_is_marked_at_both_ends() -> None:
    rows = drawn("9:c < 6", "8:b < 5", "7:a < 4", "6", "5", "4", children={6: 9, 5: 8, 4: 7}, most=2)
    assert {row.number: (row.cut_above, row.cut_below) for row in rows} == {
        9: (False, False),
        8: (False, False),
        7: (False, True),
        6: (False, False),
        5: (False, False),
        4: (True, False),
    }


def test_a_branch_has_the_same_colour_on_every_page() -> None:
    assert colour_of("main", main="main") == colour_of("", main="main") == 0
    assert colour_of("wide", main="main") == colour_of("wide", main="other") != 0
    rows = drawn("5 < 3 4", "4:wide < 2", "3 < 2", "2 < 1", "1")
    wide = colour_of("wide", main="main")
    assert [line.colour for line in rows[0].below] == [0, wide]
    assert rows[1].colour == wide


@pytest.mark.parametrize("seed", range(20))
def test_every_line_that_leaves_a_row_enters_the_next(seed: int) -> None:
    chance = random.Random(seed)
    history = []
    for number in range(200, 0, -1):
        nearest = range(max(1, number - 12), number)
        parents = tuple(chance.sample(nearest, min(len(nearest), chance.choice([0, 1, 1, 1, 2]))))
        history.append(Commit(number, parents, chance.choice(["main", "a", "b"])))
    rows = list(lay_out(history))
    for one, following in pairwise(rows):
        leaving = sorted({line.end for line in one.leaving})
        assert leaving == sorted({line.start for line in (*following.past, *following.above)})
    for row in rows:
        assert row.lanes <= MOST_LANES + 1


def test_a_long_history_takes_time_by_its_length_alone() -> None:
    def seconds(count: int) -> float:
        history = [Commit(number, (number - 1,) if number > 1 else ()) for number in range(count, 0, -1)]
        start = time.process_time()
        assert all(row.lanes == 1 for row in lay_out(history))
        return time.process_time() - start

    assert seconds(100_000) < 10
