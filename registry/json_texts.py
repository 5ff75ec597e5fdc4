"""JSON as somebody wrote it: whether it is JSON that every reader takes for the same, and its values line by line. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
OPENING, CLOSING = ("[", "{"), ("]", "}")


def check(text: str) -> None:
    """Raise ValueError (or RecursionError) for what is no JSON, NaN among it, and for names that are there twice."""
    json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)


def read(text: str) -> Any:
    """Return the value of a JSON text; raises as `check` does, and for numbers that are too large to be written again."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite)


def in_order(text: str, *, most: int, most_lines: int) -> tuple[str, bool]:
    """Return JSON with a line for each value, all of them as they are spelled, and whether it was cut.

    256 KiB, deep enough, would be 80 MB of blanks: at most so many characters and lines.
    """
    pieces, length, lines = list[str](), 0, 1
    for piece in _laid_out(text):
        length, lines = length + len(piece), lines + piece.count("\n")
        if length > most or lines > most_lines:
            return "".join(pieces), True
        pieces.append(piece)
    return "".join(pieces), False


def _laid_out(text: str) -> Iterator[str]:
    depth, before = 0, ""
    for found in TOKEN.finditer(text):
        token = found[0]
        depth -= token in CLOSING
        is_empty = token in CLOSING and before in OPENING
        if not is_empty and (token in CLOSING or before in OPENING or before == ","):
            yield "\n" + "  " * depth
        yield ": " if token == ":" else token
        depth += token in OPENING
        before = token


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _refuse(said: str) -> None:
    raise ValueError(f"{said} is no number of JSON")


def _finite(said: str) -> float:
    number = float(said)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
