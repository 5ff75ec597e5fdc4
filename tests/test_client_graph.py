"""A history's graph in characters: every version once, in order, every line led to its end."""

import random

import pytest

from lmvp.client.graph import drawn


def picture(history):
    return "\n".join(f"{row} {number or ''}".rstrip() for row, number in drawn(history))


def test_one_line_is_a_column_of_stars():
    assert picture({3: [2], 2: [1], 1: []}) == "* 3\n* 2\n* 1"


def test_a_merge_opens_a_lane_and_the_fork_closes_it():
    assert picture({6: [5], 5: [3, 4], 4: [2], 3: [2], 2: [1], 1: []}) == "\n".join(
        ["* 6", "* 5", "|\\", "| * 4", "* | 3", "|/", "* 2", "* 1"]
    )


def test_two_heads_run_side_by_side_to_their_fork():
    assert picture({3: [1], 2: [1], 1: []}) == "* 3\n| * 2\n|/\n* 1"


def test_lanes_right_of_a_closing_one_move_left():
    assert picture({9: [8], 8: [7, 6], 7: [5], 6: [5, 4], 5: [3], 4: [3], 3: []}) == "\n".join(
        ["* 9", "* 8", "|\\", "* | 7", "| * 6", "| |\\", "|/ /", "* | 5", "| * 4", "|/", "* 3"]
    )


def test_parents_older_than_the_list_keep_their_lane_and_skipped_ones_get_none():
    assert picture({9: [8, 3], 8: [7]}) == "* 9\n|\\\n* | 8"
    assert picture({9: [7, 8], 7: [6]}) == "* 9\n* 7"  # a branch's own line: version 8 is not shown


def test_an_empty_history_draws_nothing():
    assert picture({}) == ""


@pytest.mark.parametrize("seed", range(50))
def test_every_version_stands_once_below_its_children(seed):
    chance = random.Random(seed)
    history = {
        number: chance.sample(range(1, number), k=min(number - 1, chance.choice([0, 1, 1, 1, 2])))
        for number in range(40, 0, -1)
    }
    rows = list(drawn(history))
    assert [number for _, number in rows if number] == list(history)
    for row, number in rows:
        assert row.count("*") == (number is not None)
        assert set(row) <= set("*|/\\_ ")
    if history[1] == []:
        assert "*" in rows[-1][0]  # no lane is left over below the first version
