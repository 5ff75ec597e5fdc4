"""How long a transfer waits for a server or a line that may come back."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from lmvp.client.errors import ConnectionFailed, LMVPError, Offline, ServerError

PASSING = (502, 503, 504)


def jittered(pause: float) -> float:
    """Return about this pause, so that clients that failed together do not come back together."""
    return pause * random.uniform(0.5, 1.5)


def may_pass(error: LMVPError) -> bool:
    """Whether the same may work a little later."""
    if isinstance(error, ServerError):
        return error.status in PASSING
    return isinstance(error, ConnectionFailed) and not isinstance(error, Offline)


class Patience:
    """Waits longer each time, and gives up at last; progress renews it. `pause` sleeps, or raises to stop."""

    def __init__(self, pauses: Sequence[float], pause: Callable[[float], object]) -> None:
        self._pauses = pauses
        self._pause = pause
        self._used = 0

    def renew(self) -> None:
        """Begin with the short pauses again: something came through."""
        self._used = 0

    def wait(self, error: LMVPError) -> None:
        """Pause, or raise the error when it has been long enough or will not pass."""
        if self._used >= len(self._pauses):
            raise error
        self._used += 1
        self._pause(jittered(self._pauses[self._used - 1]))
