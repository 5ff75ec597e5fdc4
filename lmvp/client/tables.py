"""Values as people read them in a terminal: tables, times, numbers, text that steers nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any


def moment(text: str) -> datetime:
    """Read a time as the server writes it; Python 3.10 does not know its “Z”."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def when(time: datetime) -> str:
    """Return a time as people here read it: local, to the minute."""
    return f"{time.astimezone():%Y-%m-%d %H:%M}"


def when_of(seconds: float) -> str:
    """Return a time of this machine's clock as people here read it."""
    return when(datetime.fromtimestamp(seconds).astimezone())


def size_of(size: float) -> str:
    """Return bytes as people read them: 1.5 GiB."""
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"


def number(value: float | str) -> str:
    """Return a metric's value as people read it: four digits that matter."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e9 else f"{value:.4g}"


def bytes_text(size: int) -> str:
    """Return a number of bytes as people read it, in powers of 1024."""
    amount = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{size} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def value_text(value: Any) -> str:
    """Return a value of JSON on one line: numbers short, texts as they are, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned columns under their heads, without a trailing line end."""
    lines = [[visible(cell) for cell in row] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def visible(text: str) -> str:
    """Replace control characters: what others wrote must not steer this terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def visible_lines(text: str) -> str:
    """Do so, and leave the ends of its lines."""
    return "\n".join(map(visible, text.split("\n")))
