"""Small lines in table cells: scaled to their own range, and never out of it."""

from __future__ import annotations

import pytest

from registry.sparklines import HEIGHT, WIDTH, draw


def test_one_number_is_no_line() -> None:
    assert draw([]) is None
    assert draw([1.0]) is None


def test_the_line_goes_from_the_lowest_to_the_highest() -> None:
    line = draw([1.0, 3.0, 2.0])
    assert line
    assert line.points == "3,21 48,3 93,12"
    assert line.end == (93.0, 12.0)
    assert (line.first, line.last, line.lowest, line.highest) == (1.0, 2.0, 1.0, 3.0)


@pytest.mark.parametrize("values", [[5.0] * 4, [1e308, -1e308], [1e-320, 2e-320, 0.0], [0.0, -0.0], [1e300, 1.0]])
def test_a_line_stays_within_its_picture(values: list[float]) -> None:
    line = draw(values)
    assert line
    for point in line.points.split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
