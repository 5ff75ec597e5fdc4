"""Asking a store that is far about many things side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

REQUESTS_AT_ONCE = 8
Answer = TypeVar("Answer")
Asked = TypeVar("Asked")


def at_once(ask: Callable[[Asked], Answer], about: Collection[Asked]) -> list[Answer]:
    """Ask a store about many things side by side: each answer takes its time, however small."""
    asked = [_beside().submit(ask, one) for one in about]
    wait(asked)  # all of them, also where one fails: their sources go when this returns
    return [one.result() for one in asked]


@cache
def _beside() -> ThreadPoolExecutor:
    """Threads that stay, for what is asked side by side."""
    return ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="bucket")
