"""What became of a text, line by line, as a unified diff that `patch` applies. Pure, and bounded whatever the lines are.

Lines that stand once on both sides are paired first (Bram Cohen's patience diff), what lies between them by the greedy
algorithm (E. W. Myers, “An O(ND) Difference Algorithm and Its Variations”, 1986). When the work that both may cost is
used up, the rest is told as replaced: a longer diff, and a right one.
"""

from __future__ import annotations

import codecs
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

MAX_BYTES = 512 * 1024
MAX_LINES = 20_000
MAX_WORK = 2_000_000  # lines looked at and steps taken
MAX_EDITS = 1000  # in one stretch: their square is what it costs
CONTEXT = 3
NO_NEWLINE = "\\ No newline at end of file\n"

Block = tuple[int, int, int]  # where it begins before, and after, and how many lines are the same
Change = tuple[int, int, int, int]  # lines before, from and to, and after, from and to


@dataclass(frozen=True, slots=True)
class TextDiff:
    """A unified diff; `whole` unless the work was used up before the shortest way was found."""

    diff: str
    additions: int
    deletions: int
    whole: bool = True


def readable(raw: bytes) -> str | None:
    """Return bytes as a text; None for what is none (no UTF-8, or with NUL)."""
    try:
        return None if b"\0" in raw else raw.decode()
    except UnicodeDecodeError:
        return None


def begins_readable(raw: bytes) -> bool:
    """Whether the beginning of a file could be that of a text; its last character may be cut."""
    try:
        return b"\0" not in raw and codecs.getincrementaldecoder("utf-8")().decode(raw) is not None
    except UnicodeDecodeError:
        return False


def lines_of(text: str) -> list[str]:
    """Return the lines with their ends; only “\\n” ends one, as for diff and patch."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def unified(
    before: list[str], after: list[str], *, former_path: str | None, path: str | None, work: int = MAX_WORK
) -> TextDiff:
    """Return the difference of two lists of lines; a path is None where there is no such file."""
    matching = _Matching(before, after, work)
    blocks = matching.blocks()
    changes = list(_changes(blocks, len(before), len(after)))
    hunks = [line for group in _grouped(changes) for line in _hunk(group, before, after)]
    heads = [f"--- {_named('a', former_path)}\n", f"+++ {_named('b', path)}\n"] if hunks else []
    return TextDiff(
        "".join(heads + hunks),
        additions=sum(change[3] - change[2] for change in changes),
        deletions=sum(change[1] - change[0] for change in changes),
        whole=not matching.exhausted,
    )


def _named(side: str, path: str | None) -> str:
    if path is None:
        return "/dev/null"
    return f"{side}/{path}\t" if " " in path else f"{side}/{path}"  # a tab ends a name with spaces


class _Matching:
    """Finds the lines that stay, within so much work: lines looked at and steps taken."""

    def __init__(self, before: list[str], after: list[str], work: int = MAX_WORK) -> None:
        numbers: dict[str, int] = {}
        self.before = [numbers.setdefault(line, len(numbers)) for line in before]
        self.after = [numbers.setdefault(line, len(numbers)) for line in after]
        self._left = work
        self._found: list[Block] = []

    @property
    def exhausted(self) -> bool:
        return self._left < 0

    def blocks(self) -> list[Block]:
        """Return the stretches that are the same, in order."""
        waiting = [(0, len(self.before), 0, len(self.after))]
        while waiting:
            waiting.extend(self._between(*waiting.pop()))
        return sorted(self._found)

    def _between(self, i: int, i_end: int, j: int, j_end: int) -> list[Change]:
        """Pair what can be paired between two places; return the gaps that are left to look at."""
        i, j, i_end, j_end = self._trimmed(i, i_end, j, j_end)
        self._left -= i_end - i + j_end - j
        if i == i_end or j == j_end or self._left < 0:
            return []
        pairs = self._anchors(i, i_end, j, j_end)
        if not pairs:
            self._greedy(i, i_end, j, j_end)
            return []
        self._found.extend((x, y, 1) for x, y in pairs)
        edges = [(i - 1, j - 1), *pairs, (i_end, j_end)]
        return [(x + 1, to_x, y + 1, to_y) for (x, y), (to_x, to_y) in pairwise(edges)]

    def _trimmed(self, i: int, i_end: int, j: int, j_end: int) -> tuple[int, int, int, int]:
        """Pair the same lines at the beginning and at the end."""
        before, after, length = self.before, self.after, min(i_end - i, j_end - j)
        same = next((n for n in range(length) if before[i + n] != after[j + n]), length)
        self._keep(i, j, same)
        i, j, length = i + same, j + same, length - same
        same = next((n for n in range(length) if before[i_end - 1 - n] != after[j_end - 1 - n]), length)
        self._keep(i_end - same, j_end - same, same)
        return i, j, i_end - same, j_end - same

    def _keep(self, i: int, j: int, length: int) -> None:
        if length:
            self._found.append((i, j, length))

    def _anchors(self, i: int, i_end: int, j: int, j_end: int) -> list[tuple[int, int]]:
        """Return the longest rising run of pairs of lines that stand once on both sides."""
        counts = Counter(self.before[i:i_end]), Counter(self.after[j:j_end])
        once = {line for line, count in counts[0].items() if count == 1 and counts[1][line] == 1}
        places = {self.after[y]: y for y in range(j, j_end)}
        pairs = [(x, places[self.before[x]]) for x in range(i, i_end) if self.before[x] in once]
        return _longest_rising(pairs)

    def _greedy(self, i: int, i_end: int, j: int, j_end: int) -> None:
        """Find the fewest edits between two stretches; nothing when they are too many."""
        before, after = self.before[i:i_end], self.after[j:j_end]
        if set(before).isdisjoint(after):
            return
        rows: list[array[int]] = []
        for edits in range(min(MAX_EDITS, len(before) + len(after)) + 1):
            self._left -= edits + 1
            if self._left < 0:
                return
            row = self._furthest(rows[-1] if rows else None, edits, before, after)
            rows.append(row)
            diagonal = len(before) - len(after)
            if abs(diagonal) <= edits and (diagonal + edits) % 2 == 0 and row[(diagonal + edits) // 2] >= len(before):
                self._walk_back(rows, i, j, len(before), len(after))
                return

    def _furthest(self, last: array[int] | None, edits: int, before: list[int], after: list[int]) -> array[int]:
        """Return how far so many edits reach on each diagonal -edits, -edits + 2, … edits (x - y)."""
        row = array("l")
        for place in range(edits + 1):
            x = _step(last, place, edits)[0] if last else 0
            y = x - (2 * place - edits)
            start = x
            while x < len(before) and y < len(after) and before[x] == after[y]:
                x, y = x + 1, y + 1
            self._left -= x - start
            row.append(x)
        return row

    def _walk_back(self, rows: list[array[int]], i: int, j: int, x: int, y: int) -> None:
        for edits in range(len(rows) - 1, 0, -1):
            place = (x - y + edits) // 2
            start, came_from = _step(rows[edits - 1], place, edits)
            self._keep(i + start, j + start - (x - y), x - start)
            former = rows[edits - 1][came_from]
            x, y = former, former - (2 * came_from - (edits - 1))
        self._keep(i, j, x)


def _step(last: array[int], place: int, edits: int) -> tuple[int, int]:
    """Return where one more edit leads on a diagonal, and the place in the last row that it comes from."""
    if place == 0 or (place != edits and last[place - 1] < last[place]):
        return last[place], place
    return last[place - 1] + 1, place - 1


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest of the subsequences in which the second numbers rise, as the first ones do."""
    ends: list[int] = []  # the smallest second number that a run of this length can end with
    last: list[int] = []  # and its place in pairs
    before: list[int] = []
    for place, (_, second) in enumerate(pairs):
        length = bisect_left(ends, second)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [second]
        last[length : length + 1] = [place]
    found, place = [], last[-1] if last else -1
    while place >= 0:
        found.append(pairs[place])
        place = before[place]
    return found[::-1]


def _changes(blocks: list[Block], before: int, after: int) -> Iterator[Change]:
    i = j = 0
    for x, y, length in [*blocks, (before, after, 0)]:
        if i < x or j < y:
            yield i, x, j, y
        i, j = x + length, y + length


def _grouped(changes: list[Change]) -> Iterator[list[Change]]:
    """Yield the changes that share a hunk, because their context meets."""
    group: list[Change] = []
    for change in changes:
        if group and change[0] - group[-1][1] > 2 * CONTEXT:
            yield group
            group = []
        group.append(change)
    if group:
        yield group


def _hunk(group: list[Change], before: list[str], after: list[str]) -> Iterator[str]:
    first, last = group[0], group[-1]
    i = max(0, first[0] - CONTEXT)
    end = min(len(before), last[1] + CONTEXT)
    j, j_end = first[2] - (first[0] - i), last[3] + (end - last[1])
    yield f"@@ -{_span(i, end)} +{_span(j, j_end)} @@\n"
    for x, to_x, y, to_y in group:
        yield from _marked(" ", before[i:x])
        yield from _marked("-", before[x:to_x])
        yield from _marked("+", after[y:to_y])
        i = to_x
    yield from _marked(" ", before[i:end])


def _span(begin: int, end: int) -> str:
    if end - begin == 1:
        return str(begin + 1)
    return f"{begin + 1 if end > begin else begin},{end - begin}"


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n{NO_NEWLINE}"
