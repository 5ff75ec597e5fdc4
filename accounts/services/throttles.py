"""How often something may be tried: attempts per window, counted for all workers in Django's cache."""

from __future__ import annotations

import hashlib
import math
import time

from django.conf import settings
from django.core.cache import cache

from accounts import context
from accounts.errors import Throttled


def take(kind: str, key: str) -> str:
    """Take one attempt of settings.THROTTLES[kind] for `key` and return its slot; Throttled when none is left."""
    limit, seconds = _rate(kind)
    window, elapsed = divmod(time.time(), seconds)
    stem = f"throttle:{kind}:{hashlib.sha256(key.strip().lower().encode()).hexdigest()}:{window:.0f}"
    slots = [f"{stem}:{n}" for n in range(limit)]
    taken = cache.get_many(slots)
    for slot in slots:
        # One slot per attempt, because add() is atomic in every cache and the database cache's incr() is not.
        if slot not in taken and cache.add(slot, 1, timeout=seconds):
            return slot
    wait = math.ceil(seconds - elapsed)
    raise Throttled("throttled", f"Too many attempts. Try again in {wait} seconds.", seconds=wait)


def take_for_caller(kind: str) -> None:
    """Take one attempt for the address that the current request came from; nothing outside a request."""
    address = context.current.get().address
    if address:
        take(kind, address)


def take_mail(email: str) -> None:
    """Count one mail against its recipient and the caller, whether it will be sent or not."""
    take_for_caller("mail:address")
    take("mail:account", email)


def give_back(slot: str) -> None:
    cache.delete(slot)


def _rate(kind: str) -> tuple[int, int]:
    limit, seconds = settings.THROTTLES[kind].removesuffix("s").split("/")
    return int(limit), int(seconds)
