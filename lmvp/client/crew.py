"""Work on several threads that stops as one: the first failure, or Ctrl-C, ends it all."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Task = Callable[[], object]

LOOK = 0.1  # seconds between two looks at whether Ctrl-C was pressed
FAREWELL = 5.0  # seconds that threads have to put their things away


class Stopped(Exception):
    """Another part of the same work failed, or Ctrl-C was pressed."""


class Crew:
    """A few threads and the tasks that wait for them. Use it in a `with` block, whose end waits for all tasks.

    The threads are daemons: one that hangs in a dead connection keeps no program from ending.
    """

    def __init__(self, size: int) -> None:
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._left = 0
        self._failure: BaseException | None = None
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"lmvp-{n}", daemon=True) for n in range(size)]

    def check(self) -> None:
        """Raise Stopped when the work is over; long tasks call it again and again."""
        if self._stopped.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Sleep, unless the work is over: then Stopped is raised at once."""
        if self._stopped.wait(seconds):
            raise Stopped

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do."""
        with self._changed:
            return not self._left

    def submit(self, task: Callable[..., object], *arguments: Any) -> None:
        """Have a thread do the task."""
        with self._changed:
            self._left += 1
        self._tasks.put(lambda: task(*arguments))

    def each(self, work: Callable[[Item], object], items: Iterable[Item]) -> None:
        """Do the work for all items, and return when it is done. Not to be called by a task."""
        for item in items:
            self.submit(work, item)
        self.wait()

    def wait(self, seconds: float | None = None) -> None:
        """Return when all tasks are done, or after so many seconds; raise the first failure."""
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while self._left and not self._failure:
                left = LOOK if deadline is None else min(LOOK, deadline - time.monotonic())
                if left <= 0:
                    break
                self._changed.wait(left)  # a wait without an end cannot be interrupted on Windows
        if self._failure:
            raise self._failure

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                if not self._stopped.is_set():
                    task()
            except Stopped:
                pass
            except BaseException as failure:  # noqa: BLE001 it is raised again where the work was given out
                self._fail(failure)
            finally:
                with self._changed:
                    self._left -= 1
                    self._changed.notify_all()

    def _fail(self, failure: BaseException) -> None:
        self._stopped.set()
        with self._changed:
            self._failure = self._failure or failure
            self._changed.notify_all()

    def __enter__(self) -> Crew:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._stopped.set()
            for _thread in self._threads:
                self._tasks.put(None)
            deadline = time.monotonic() + FAREWELL
            for thread in self._threads:
                thread.join(max(0.0, deadline - time.monotonic()))
