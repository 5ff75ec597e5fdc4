"""Numbers as callers and settings spell them: ASCII digits alone. Pure.

`str.isdigit` takes “²”, which `int` refuses, and both take the digits of every script; thousands of them cost time.
"""

from __future__ import annotations

import re

SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,6})?) ?(?:([KMGTP])(?:i?B)?|B)?", re.IGNORECASE | re.ASCII)


def whole_number(said: str, *, digits: int = 18) -> int | None:
    """Return the number that a text of at most so many ASCII digits spells; None for every other text."""
    return int(said) if said.isascii() and said.isdigit() and len(said) <= digits else None


def size_of(said: str) -> int | None:
    """Return the bytes of “53687091200”, “50GB”, “500 MiB” or “1.5TB”; None for every other text.

    Units are powers of 1024, as sizes are shown everywhere here, whether they are written with an i or without.
    """
    found = SIZE.fullmatch(said.strip(" "))
    if found is None or ("." in found[1] and not found[2]):
        return None
    whole, _, fraction = found[1].partition(".")
    unit = 1024 ** " KMGTP".index((found[2] or " ").upper())
    return int(whole) * unit + int(fraction or 0) * unit // 10 ** len(fraction)
