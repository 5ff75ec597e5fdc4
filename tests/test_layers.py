"""A lineage laid out for its picture: nothing overlaps, lines lead one way, and odd graphs end soon."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from registry.layers import Layout, Measures, lay_out

SIZE = Measures()


def assert_nothing_overlaps(found: Layout) -> None:
    columns: dict[float, list[float]] = {}
    for x, y in found.places.values():
        columns.setdefault(x, []).append(y)
        assert 0 <= x <= found.width - SIZE.width + 0.01
        assert -0.01 <= y <= found.height - SIZE.height + 0.01
    for ys in columns.values():
        assert all(below - above >= SIZE.height for above, below in itertools.pairwise(sorted(ys)))


def assert_lines_lead_to_the_right(found: Layout) -> None:
    for (start, end), points in found.lines.items():
        assert points[0] == pytest.approx((found.places[start][0] + SIZE.width, found.places[start][1] + 24))
        assert points[-1] == pytest.approx((found.places[end][0], found.places[end][1] + 24))
        assert all(one[0] < other[0] for one, other in itertools.pairwise(points))


def test_nothing_is_an_empty_picture() -> None:
    assert lay_out([], []) == Layout({}, {}, 0, 0)


def test_one_node_stands_in_the_corner() -> None:
    found = lay_out(["a"], [])
    assert (found.places, found.width, found.height) == ({"a": (0, 0)}, SIZE.width, SIZE.height)


def test_a_line_of_versions_is_a_straight_line() -> None:
    found = lay_out("abcd", [("a", "b"), ("b", "c"), ("c", "d")])
    assert [y for _, y in found.places.values()] == [0, 0, 0, 0]
    assert [x for x, _ in found.places.values()] == [0, 280, 560, 840]


def test_a_source_stands_beside_what_was_made_from_it() -> None:
    found = lay_out("abcds", [("a", "b"), ("b", "c"), ("c", "d"), ("s", "d")])
    assert found.places["s"][0] == found.places["c"][0]
    assert_nothing_overlaps(found)


def test_a_line_past_a_layer_goes_around_what_stands_there() -> None:
    found = lay_out("abc", [("a", "b"), ("b", "c"), ("a", "c")])
    bend = found.lines["a", "c"][1]
    top = found.places["b"][1]
    assert not top < bend[1] < top + SIZE.height
    assert_lines_lead_to_the_right(found)


def test_lines_that_need_not_cross_do_not() -> None:
    found = lay_out(["a1", "a2", "a3", "b1", "b2", "b3"], [("a1", "b3"), ("a2", "b2"), ("a3", "b1")])
    order = sorted(["b1", "b2", "b3"], key=lambda key: found.places[key][1])
    sources = {"b3": "a1", "b2": "a2", "b1": "a3"}
    assert [sources[key] for key in order] == sorted(sources.values(), key=lambda key: found.places[key][1])


def test_a_circle_ends_and_loses_the_edge_that_closes_it() -> None:
    found = lay_out("abc", [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")])
    assert set(found.lines) < {("a", "b"), ("b", "c"), ("c", "a")}
    assert len(found.lines) == 2
    assert_nothing_overlaps(found)


def test_edges_to_what_is_not_shown_are_left_out() -> None:
    assert lay_out("a", [("a", "z"), ("z", "a")]).lines == {}


@pytest.mark.parametrize("seed", range(5))
def test_any_graph_of_500_nodes_is_laid_out_soon(seed: int) -> None:
    chance = random.Random(seed)
    edges = [tuple(sorted(chance.sample(range(500), 2))) for _ in range(chance.choice([400, 600, 2000]))]
    began = time.process_time()
    found = lay_out(range(500), edges)
    assert time.process_time() - began < 5  # some tenths of a second, on a machine that has nothing else to do
    assert set(found.places) == set(range(500))
    assert set(found.lines) == set(edges)
    assert_nothing_overlaps(found)
    assert_lines_lead_to_the_right(found)


def test_500_children_stand_below_each_other() -> None:
    found = lay_out(range(501), [(0, child) for child in range(1, 501)])
    assert_nothing_overlaps(found)
    assert found.places[0][1] == pytest.approx((found.height - SIZE.height) / 2)
