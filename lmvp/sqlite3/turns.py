"""Whose turn it is to write: writers of one SQLite file stand in line, the threads of a process behind each other, and the
first of each process at a lock on a file beside the database. SQLite alone lets them sleep, longer each time, and try again:
with eight of them the lock is idle for most of the time, and some wait for seconds."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress

SHORTEST, LONGEST = 0.0005, 0.004  # seconds between two looks at another process's turn


class Line:
    """The line of one process before one database."""

    def __init__(self, database: str) -> None:
        self._threads = threading.Lock()
        try:
            self._file = os.open(f"{database}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:  # a full disk, say: SQLite's own lock is the one that counts, and its own error tells more
            self._file = -1

    def wait(self, patience: float) -> bool:
        """Wait for the turn, so many seconds at most; return whether it came. Whoever has it calls `next`."""
        deadline = time.monotonic() + patience
        if not self._threads.acquire(timeout=patience):
            return False
        pause = SHORTEST
        while not self._alone():
            if time.monotonic() > deadline:
                self._threads.release()
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST)
        return True

    def next(self) -> None:
        """Give the turn to whoever is next."""
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def _alone(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # no file, or a file system without locks
            return True
        return True


_lines: dict[str, Line] = {}
_making = threading.Lock()


def line_of(database: str) -> Line:
    """Return this process's line before a database."""
    with _making:
        if database not in _lines:
            _lines[database] = Line(database)
        return _lines[database]


def _afresh() -> None:
    global _making
    _making = threading.Lock()
    _lines.clear()


os.register_at_fork(after_in_child=_afresh)  # a lock that a child inherits is its parent's
