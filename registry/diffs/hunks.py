"""A unified diff as lines to be shown: numbers on both sides, and what differs within a line. Pure, and bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from registry.diffs.text import NO_NEWLINE

MOST_LINES = 3000  # that are shown
MOST_CHARACTERS = 1000  # of one line
HEADING = re.compile(r"@@ -([0-9]+)(?:,[0-9]+)? \+([0-9]+)(?:,[0-9]+)? @@\n?")
KINDS = {" ": "same", "-": "removed", "+": "added"}
WORD = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(slots=True)
class Line:
    """A line of one side or of both: `pieces` are its text, in turn the same as on the other side, and not."""

    kind: str  # same, removed, added
    old: int | None
    new: int | None
    pieces: tuple[str, ...]
    cut: int = 0  # characters that are not shown
    ends: bool = True  # with a line feed

    @property
    def mark(self) -> str:
        return {"same": " ", "removed": "-", "added": "+"}[self.kind]


@dataclass(slots=True)
class Hunk:
    """Lines that stand together, under the heading of the diff."""

    heading: str
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a diff, and how many of its lines are not."""

    hunks: list[Hunk]
    left_out: int


def shown(diff: str, *, most: int = MOST_LINES) -> Shown:
    """Return the first lines of a unified diff of one file."""
    lines = diff.split("\n")[:-1]
    hunks: list[Hunk] = []
    old = new = 0
    for place, line in enumerate(lines):
        if place - 2 >= most:
            break
        if heading := HEADING.fullmatch(line):
            old, new = int(heading[1]), int(heading[2])
            hunks.append(Hunk(line))
        elif hunks and line[:1] in KINDS:
            hunks[-1].lines.append(_line(line, old, new))
            old, new = old + (line[0] != "+"), new + (line[0] != "-")
        elif hunks and line == NO_NEWLINE.rstrip("\n"):
            hunks[-1].lines[-1].ends = False
    for hunk in hunks:
        _tell_words_apart(hunk.lines)
    return Shown(hunks, max(0, len(lines) - 2 - most))


def _line(line: str, old: int, new: int) -> Line:
    text = line[1 : 1 + MOST_CHARACTERS]
    return Line(
        KINDS[line[0]],
        old if line[0] != "+" else None,
        new if line[0] != "-" else None,
        (text,),
        cut=len(line) - 1 - len(text),
    )


# --- Within lines


def _tell_words_apart(lines: list[Line]) -> None:
    """Where as many lines came as went, in place of each other, mark the words that differ."""
    for went, came in pairwise(_runs(lines)):
        if (went[0].kind, came[0].kind, len(went)) == ("removed", "added", len(came)):
            for before, after in zip(went, came, strict=True):
                before.pieces, after.pieces = _apart(before.pieces[0], after.pieces[0])


def _runs(lines: list[Line]) -> Iterator[list[Line]]:
    """Yield stretches of lines of one kind."""
    run: list[Line] = []
    for line in lines:
        if run and run[0].kind != line.kind:
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _apart(before: str, after: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide two lines into a beginning that they share, what differs, and an end that they share, by whole words.

    Lines that share little are left whole: to mark nearly everything says nothing.
    """
    old, new = WORD.findall(before), WORD.findall(after)
    most = min(len(old), len(new))
    start = next((n for n in range(most) if old[n] != new[n]), most)
    most -= start
    end = next((n for n in range(most) if old[-1 - n] != new[-1 - n]), most)
    shared = "".join(old[:start]), "".join(old[len(old) - end :])
    if len(shared[0].strip()) + len(shared[1].strip()) < max(len(before), len(after)) / 4:
        return (before,), (after,)
    return (
        (shared[0], "".join(old[start : len(old) - end]), shared[1]),
        (shared[0], "".join(new[start : len(new) - end]), shared[1]),
    )
