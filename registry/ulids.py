"""ULIDs: ids of 26 characters that sort by the time they were made. Pure: time and chance are given.

48 bits of milliseconds since 1970, then 80 random bits, in Crockford's base 32, most significant first:
https://github.com/ulid/spec
"""

from __future__ import annotations

import re

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_BYTES = 10
ULID = re.compile(f"[0-7][{ALPHABET}]{{25}}")


def ulid(*, milliseconds: int, randomness: bytes) -> str:
    """Return the ULID of a time and 10 random bytes; OverflowError beyond the year 10889."""
    number = int.from_bytes(milliseconds.to_bytes(6, "big") + randomness, "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def normal(text: str) -> str:
    """Return the one spelling of a ULID, which may come in small letters; ValueError for what is none."""
    found = text.upper()
    if not text.isascii() or not ULID.fullmatch(found):  # "ſ" in capitals is "S"
        raise ValueError(f"{text!r} is no ULID: 26 characters of {ALPHABET}.")
    return found
