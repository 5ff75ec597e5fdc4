"""Locks on files, that other processes and threads of this machine respect; they end with their process."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOOK = 0.05  # seconds


@contextlib.contextmanager
def locked(path: Path, *, meanwhile: Callable[[], object] = lambda: None) -> Iterator[int]:
    """Hold the lock file (given as its descriptor), which is made if need be, and wait for whoever holds it.

    `meanwhile` is called now and then while waiting, and ends that by raising something.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _taken(descriptor):
            meanwhile()
            time.sleep(LOOK)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held(path: Path, *, meanwhile: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold a lock file as `locked` does, and take it away at the end: for locks of which there would be thousands."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path, meanwhile=meanwhile) as descriptor:
            if not _is_at(path, descriptor):  # who held it before has taken it away: ours is a lock on nothing
                continue
            try:
                yield
            finally:
                _forget(path)
            return


@contextlib.contextmanager
def held_if_free(path: Path) -> Iterator[bool]:
    """Hold a lock file as `held` does and give True; give False where somebody else holds it."""

    def give_up() -> None:
        raise BlockingIOError

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(path, meanwhile=give_up))
        except BlockingIOError:
            yield False
        else:
            yield True


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the file that was locked is still the one at its path."""
    if sys.platform == "win32":  # a file that is open cannot be taken away there
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):  # Windows keeps a file that is open, and the next holder takes it
        path.unlink()


def _taken(descriptor: int) -> bool:
    """Lock the file if nobody else has; whether that was so."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
