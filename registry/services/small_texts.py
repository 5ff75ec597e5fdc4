"""Small texts compared for somebody who looks at them: read whole, and only where both are short. Writes nothing but the audit line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from registry import connections
from registry.diffs.text import TextDiff
from registry.models import Version
from registry.services import differences, downloads
from registry.storage import Lost
from registry.trees import Difference, Entry

if TYPE_CHECKING:
    from registry.models.projects import Actor

MOST_FILES, MOST_BYTES, MOST_LINES = 10, 16 * 1024, 400  # of pairs, of one file, of one difference

Pair = tuple[Entry, Entry]


def compare(*, actor: Actor, versions: Sequence[Version], pairs: Mapping[str, Pair]) -> dict[str, TextDiff]:
    """Return what is different in the first pairs of files that are small texts on both sides, by path.

    `versions`: those that the files are of; what the actor may see of them is the caller's to check. What is no text, too
    long, or lost is left out: nobody needs it to decide.
    """
    small = {path: pair for path, pair in pairs.items() if all(entry.size <= MOST_BYTES for entry in pair)}
    if not small:
        return {}
    for version in versions:
        downloads.note(actor=actor, version=version)
    connections.release()  # from here on bytes are read
    found = {path: _difference(path, *small[path]) for path in list(small)[:MOST_FILES]}
    return {path: diff for path, diff in found.items() if diff}


def _difference(path: str, before: Entry, after: Entry) -> TextDiff | None:
    try:
        diff = differences.text_of(Difference(path, before, after)).text
    except Lost:
        return None
    return diff if diff and 0 < diff.diff.count("\n") <= MOST_LINES else None
