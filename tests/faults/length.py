"""How long the faults go on: short with LMVP_FAULTS=short, long by `make faults`; and the dice, whose seed is printed."""

from __future__ import annotations

import os
import random
import secrets

LONG = os.environ.get("LMVP_FAULTS") == "long"


def of(short: int, long: int) -> int:
    """Return one of the two, by the form of this run."""
    return long if LONG else short


def dice() -> random.Random:
    """Return dice that fall as FAULTS_SEED says, else anew in every run."""
    seed = os.environ.get("FAULTS_SEED") or secrets.token_hex(4)
    print(f"\nThe same again: FAULTS_SEED={seed}")  # noqa: T201 - pytest shows it beside what failed
    return random.Random(seed)
