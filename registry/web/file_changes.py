"""The files of a comparison as its page lists them: by kind, by pages, the first small texts with what changed in them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest

from lmvp.numerals import whole_number
from registry.diffs import hunks
from registry.errors import Invalid
from registry.services import differences
from registry.storage import Lost
from registry.trees import Difference

KINDS = ("added", "removed", "changed", "renamed")
ICONS = {"added": "diff-added", "removed": "diff-removed", "changed": "diff-modified", "renamed": "diff-renamed"}
FIRST = 50  # files of each kind, before one asks for the kind
ROWS = 500  # files of one kind on a page
FOLDS = 30  # changed files that unfold on the page
SMALL, SMALL_TOGETHER = 64 * 1024, 192 * 1024  # bytes of both sides that are read for the page itself
WORK = 40_000  # of one diff on the page itself
LINES = 300  # of one diff on the page itself
SECONDS = 0.15  # after which no more diff is begun


@dataclass(frozen=True, slots=True)
class Listing:
    """Counts by kind, the rows of one page, how many of each kind are not on it, and the changed ones among the rows."""

    counts: dict[str, int]
    groups: list[tuple[str, str, list[Difference], int]]  # kind, icon, rows, how many more there are
    kind: str = ""
    page: int = 1
    pages: int = 1

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def changed(self) -> list[Difference]:
        return next((rows for kind, _, rows, _ in self.groups if kind == "changed"), [])[:FOLDS]


def listing(request: HttpRequest, found: Sequence[Difference]) -> Listing:
    """Return what `?kind=` and `?page=` ask for; of every kind the first files when they ask for nothing."""
    files: dict[str, list[Difference]] = {kind: [] for kind in KINDS}
    for one in found:
        files[one.kind].append(one)
    counts = {kind: len(rows) for kind, rows in files.items()}
    kind, page = request.GET.get("kind", ""), whole_number(request.GET.get("page", "1"), digits=6)
    if not kind:
        groups = [(kind, ICONS[kind], rows[:FIRST], max(0, len(rows) - FIRST)) for kind, rows in files.items() if rows]
        return Listing(counts, groups)
    if kind not in KINDS or not page:
        raise Invalid("invalid", f"Files are {', '.join(KINDS)}; pages are counted from 1.")
    rows, at = files[kind], (page - 1) * ROWS
    group = (kind, ICONS[kind], rows[at : at + ROWS], 0)
    return Listing(counts, [group], kind, page, max(1, -(-len(rows) // ROWS)))


@dataclass(slots=True)
class Fold:
    """A changed file on the page: with its diff, or for itself to be opened."""

    one: Difference
    shown: hunks.Shown | None = None
    additions: int = 0
    deletions: int = 0

    @property
    def mode_alone(self) -> bool:
        return bool(self.one.before and self.one.after and self.one.before.digest == self.one.after.digest)


def is_small(one: Difference) -> bool:
    return _size(one) <= SMALL and bool(one.before and one.after and one.before.digest != one.after.digest)


def folds(changed: Sequence[Difference]) -> list[Fold]:
    """Return the changed files; the diffs of small ones, the smallest first, as far as bytes and time go."""
    made = [Fold(one) for one in changed]
    left, until = SMALL_TOGETHER, time.monotonic() + SECONDS
    for fold in sorted(made, key=lambda fold: _size(fold.one)):
        if is_small(fold.one) and _size(fold.one) <= left and time.monotonic() < until:
            left -= _size(fold.one)
            _fill(fold)
    return made


def _size(one: Difference) -> int:
    return sum(entry.size for entry in (one.before, one.after) if entry)


def _fill(fold: Fold) -> None:
    try:
        diff = differences.text_of(fold.one, work=WORK).text
    except Lost:
        return  # its own page says so
    if diff and diff.whole and diff.additions + diff.deletions <= LINES:
        fold.shown = hunks.shown(diff.diff, most=LINES)
        fold.additions, fold.deletions = diff.additions, diff.deletions
