"""How long a piece of housekeeping may take. Long work stops between two steps, and the next run goes on where it stopped."""

from __future__ import annotations

import time
from datetime import timedelta


class Budget:
    """Time to spend; without a limit, it is never spent. `ran_out` tells afterwards whether something was left undone."""

    def __init__(self, limit: timedelta | None = None) -> None:
        self._deadline = time.monotonic() + limit.total_seconds() if limit is not None else None
        self.ran_out = False

    def is_spent(self) -> bool:
        """Ask before each step; a true answer means that the step is left for the next run."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self.ran_out = True
        return self.ran_out
