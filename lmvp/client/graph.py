"""The graph of a history in characters, newest first, in the manner of `git log --graph`. Pure: knows numbers alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Parents = Mapping[int, Sequence[int]]  # of each version that is shown, newest first: its parents, the first one first


def drawn(history: Parents) -> Iterator[tuple[str, int | None]]:
    """Yield rows, downwards: the characters, and the version that stands in this row, or None between two of them.

    A lane waits for the version that its line leads to. Parents older than all that is shown keep their lane to the end.
    """
    lanes: list[int] = []
    for number, parents in history.items():
        at = lanes.index(number) if number in lanes else _opened(lanes, number)
        yield from _joined(lanes, at)
        yield _row(["*" if lane == at else "|" for lane in range(len(lanes))]), number
        yield from _led_on(lanes, at, _reachable(parents, history))


def _reachable(parents: Sequence[int], history: Parents) -> list[int]:
    """Leave out parents that the list has skipped: their lanes would never end."""
    oldest = min(history)
    return [parent for parent in dict.fromkeys(parents) if parent in history or parent < oldest]


def _opened(lanes: list[int], number: int) -> int:
    lanes.append(number)
    return len(lanes) - 1


def _joined(lanes: list[int], at: int) -> Iterator[tuple[str, None]]:
    """Bring the other lanes that wait for the same version into its own."""
    for lane in reversed([lane for lane, awaited in enumerate(lanes) if awaited == lanes[at] and lane > at]):
        crossed = "".join("_|" for _ in range(at + 1, lane))
        yield ("| " * at + "|" + crossed + "/" + " /" * (len(lanes) - lane - 1)).rstrip(), None
        del lanes[lane]


def _led_on(lanes: list[int], at: int, parents: Sequence[int]) -> Iterator[tuple[str, None]]:
    """Let the version's lane, and one more for each further parent, wait for what comes below."""
    if not parents:
        del lanes[at]
        if at < len(lanes):
            yield ("| " * at + " /" * (len(lanes) - at)), None
        return
    lanes[at] = parents[0]
    for parent in parents[1:]:
        yield ("| " * at + "|\\" + " \\" * (len(lanes) - at - 1)), None
        lanes.insert(at + 1, parent)


def _row(marks: Sequence[str]) -> str:
    return " ".join(marks)
