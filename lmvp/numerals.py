"""Whole numbers as callers spell them: ASCII digits alone. Pure.

`str.isdigit` takes “²”, which `int` refuses, and both take the digits of every script; thousands of them cost time.
"""

from __future__ import annotations


def whole_number(said: str, *, digits: int = 18) -> int | None:
    """Return the number that a text of at most so many ASCII digits spells; None for every other text."""
    return int(said) if said.isascii() and said.isdigit() and len(said) <= digits else None
