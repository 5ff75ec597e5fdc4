"""Byte ranges of HTTP (RFC 9110, 14.1.2): one range is served, several or odd ones are answered with the whole."""

from __future__ import annotations

import re

RANGE = re.compile(r"bytes=([0-9]{0,30})-([0-9]{0,30})")


class NotSatisfiable(ValueError):
    """The range begins behind the end."""


def requested(header: str, size: int) -> tuple[int, int] | None:
    """Return (start, length) of the bytes asked for, or None for the whole; NotSatisfiable beyond the end."""
    match = RANGE.fullmatch(header.strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        if not length:
            raise NotSatisfiable
        return size - length, length
    start, end = int(first), min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    if start >= size:
        raise NotSatisfiable
    return start, end - start + 1
