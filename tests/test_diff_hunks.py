"""A diff as lines to be shown: numbers, words that differ, bounds."""

from __future__ import annotations

import random
import time

import pytest

from registry.ancestry import Divergence, divergence
from registry.diffs.hunks import MOST_CHARACTERS, Line, Shown, shown
from registry.diffs.text import lines_of, unified


def told(before: str, after: str, **bounds: int) -> Shown:
    diff = unified(lines_of(before), lines_of(after), former_path="f", path="f")
    return shown(diff.diff, **bounds)


def row(line: Line) -> tuple[str, int | None, int | None, str]:
    return line.mark, line.old, line.new, "|".join(line.pieces)


def test_lines_have_the_numbers_of_both_sides() -> None:
    (hunk,) = told("a\nb\nc\n", "a\nx y\nc\nd").hunks
    assert hunk.heading == "@@ -1,3 +1,4 @@"
    assert [row(line) for line in hunk.lines] == [
        (" ", 1, 1, "a"),
        ("-", 2, None, "b"),
        ("+", None, 2, "x y"),
        (" ", 3, 3, "c"),
        ("+", None, 4, "d"),
    ]
    assert [line.ends for line in hunk.lines] == [True, True, True, True, False]


def test_words_that_differ_are_told_apart() -> None:
    (hunk,) = told("learning_rate = 0.1  # ä\n", "learning_rate = 0.01  # ä\n").hunks
    assert [line.pieces for line in hunk.lines] == [
        ("learning_rate = 0.", "1", "  # ä"),
        ("learning_rate = 0.", "01", "  # ä"),
    ]


def test_lines_that_share_nothing_are_left_whole() -> None:
    (hunk,) = told("one\n", "another thing\n").hunks
    assert [line.pieces for line in hunk.lines] == [("one",), ("another thing",)]


def test_a_text_that_looks_like_a_diff_is_a_text() -> None:
    before, after = "@@ -1 +1 @@\n--- a\n", "@@ -1 +1 @@\n+++ b\n\\ No newline at end of file\n"
    (hunk,) = told(before, after).hunks
    assert [row(line)[0] + "".join(line.pieces) for line in hunk.lines] == [
        " @@ -1 +1 @@",
        "---- a",
        "++++ b",
        "+\\ No newline at end of file",
    ]


@pytest.mark.parametrize("before", ["", "a\r\nb\x0c\x1c\u2028c\n"])
def test_only_a_line_feed_ends_a_line(before: str) -> None:
    (hunk,) = told(before, before + "d\u2029e\x85f\rg\n").hunks
    assert row(hunk.lines[-1])[3] == "d\u2029e\x85f\rg"


def test_long_lines_and_long_diffs_are_cut() -> None:
    found = told("", "x" * 5000 + "\n" + "y\n" * 50, most=10)
    assert (len(found.hunks[0].lines), found.left_out) == (9, 42)
    assert (len(found.hunks[0].lines[0].pieces[0]), found.hunks[0].lines[0].cut) == (MOST_CHARACTERS, 4000)


def test_nothing_is_shown_of_nothing() -> None:
    assert told("a", "a") == Shown([], 0)


def test_ten_thousand_lines_are_shown_quickly() -> None:
    lines = [f"{n} {n % 7} word\n" for n in range(10_000)]
    diff = unified(lines, [line.replace("word", "other") for line in lines], former_path="f", path="f")
    begun = time.perf_counter()
    assert shown(diff.diff).left_out > 0
    assert time.perf_counter() - begun < 0.5


# --- How two versions stand to each other


def edges_of(parents: dict[int, list[int]]):
    return lambda above, to: [(n, p) for n, ps in parents.items() if above < n <= to for p in ps]


def ancestors(parents: dict[int, list[int]], number: int) -> set[int]:
    return {number}.union(*(ancestors(parents, one) for one in parents.get(number, [])))


def test_how_two_versions_stand_to_each_other_is_what_sets_say() -> None:
    chance = random.Random(7)
    for _ in range(200):
        parents = {n: chance.sample(range(1, n), min(n - 1, chance.randrange(3))) for n in range(1, 15)}
        base, head = chance.randrange(1, 15), chance.randrange(1, 15)
        below, above = ancestors(parents, base), ancestors(parents, head)
        assert divergence(edges_of(parents), base, head) == Divergence(
            max(below & above, default=0), len(above - below), len(below - above)
        )


def test_nobody_looks_too_far() -> None:
    line = {n: [n - 1] for n in range(2, 3000)}
    assert divergence(edges_of(line), 1, 2999) is None
    assert divergence(edges_of(line), 2999, 2990) == Divergence(2990, 0, 9)
    assert divergence(edges_of(line), 1, 500) == Divergence(1, 499, 0)
