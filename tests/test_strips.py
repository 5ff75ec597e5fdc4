"""The history of a name as a strip: spans in order, as wide as they were long, none too narrow to be read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from registry.ancestry import distances
from registry.strips import MOST_SPANS, Stop, spans

START = datetime(2026, 3, 1, tzinfo=timezone.utc)


def at(days: float) -> datetime:
    return START + timedelta(days=days)


def drawn(stops: list[Stop], now: datetime) -> list[tuple[int | None, float, float]]:
    return [(span.number, round(span.x, 3), round(span.width, 3)) for span in spans(stops, now)]


def test_spans_are_as_wide_as_they_were_long() -> None:
    stops = [Stop(1, at(0)), Stop(2, at(40)), Stop(1, at(70))]
    assert drawn(stops, at(100)) == [(1, 0, 0.4), (2, 0.4, 0.3), (1, 0.7, 0.3)]


def test_short_span_stays_readable_and_long_ones_give_way() -> None:
    stops = [Stop(1, at(0)), Stop(2, at(100)), Stop(3, at(100.001))]
    assert drawn(stops, at(200)) == [(1, 0, 0.44), (2, 0.44, 0.12), (3, 0.56, 0.44)]


def test_deleted_name_leaves_a_gap_also_at_the_end() -> None:
    stops = [Stop(1, at(0)), Stop(None, at(50)), Stop(2, at(75)), Stop(None, at(80))]
    found = spans(stops, at(100))
    assert [span.number for span in found] == [1, None, 2, None]
    assert (found[-1].start, found[-1].end) == (at(80), at(100))


def test_strip_begins_with_a_version_not_with_a_gap() -> None:
    assert [span.number for span in spans([Stop(None, at(0)), Stop(2, at(1))], at(2))] == [2]
    assert spans([Stop(None, at(0))], at(2)) == []
    assert spans([], at(2)) == []


@pytest.mark.parametrize("days", [[0] * 5, [1e6, *[1e-6] * 15], [1e-9] * 30, [1, 0, 0, 5]])
def test_whatever_the_times_the_strip_is_full_and_holds_the_newest(days: list[float]) -> None:
    stops = [Stop(number, at(sum(days[:number]))) for number in range(len(days))]
    found = spans(stops, at(sum(days)))
    assert len(found) == min(len(days), MOST_SPANS)
    assert found[-1].number == len(days) - 1
    assert sum(span.width for span in found) == pytest.approx(1)
    assert min(span.width for span in found) >= min(0.12, 0.7 / len(found)) - 1e-9


def test_clock_that_went_back_does_no_harm() -> None:
    assert drawn([Stop(1, at(5)), Stop(2, at(6))], at(4))[-1][0] == 2


# --- Branches beside the default one

EDGES = {2: [1], 3: [2], 4: [2], 5: [4], 6: [3, 5], 7: [5]}  # 6 merges 5 into 3


def between(above: int, to: int) -> list[tuple[int, int]]:
    return [(one, parent) for one, parents in EDGES.items() if above < one <= to for parent in parents]


def test_branches_are_counted_ahead_and_behind_in_one_reading() -> None:
    heads = {"main": 6, "merged": 5, "old": 1, "wider": 7, "other": 3}
    assert distances(between, heads, "main", 100) == {
        "main": (0, 0), "merged": (0, 2), "old": (0, 5), "wider": (1, 2), "other": (0, 3),
    }  # fmt: skip


def test_branches_that_part_too_far_back_are_not_told() -> None:
    heads = {"main": 6, "old": 1, "merged": 5, "wider": 7}
    assert distances(between, heads, "main", 5) == {"main": (0, 0), "old": None, "merged": (0, 2), "wider": (1, 2)}
