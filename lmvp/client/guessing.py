"""What may have been meant by a name that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


def close_to(name: str, known: Iterable[str]) -> str:
    """Return “ Did you mean …?” with the nearest of the known names, or nothing."""
    return close_of(name, {one: one for one in known})


def close_of(name: str, known: Mapping[str, str]) -> str:
    """Return the same, where the known names are said otherwise: how, they are mapped to."""
    by_lower = {one.lower(): said for one, said in known.items()}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[close[0]]}?" if close else ""
