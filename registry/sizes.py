"""Numbers of bytes as people read them, on pages and in errors alike."""

from __future__ import annotations

import math

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def readable(count: int) -> str:
    """Write bytes as people read them: 1.4 MiB."""
    exponent = min(int(math.log2(count) // 10), len(UNITS) - 1) if count else 0
    if exponent == 0:
        return f"{count} byte{'' if count == 1 else 's'}"
    value = count / 1024**exponent
    return f"{value:.0f} {UNITS[exponent]}" if value >= 100 else f"{value:.3g} {UNITS[exponent]}"
