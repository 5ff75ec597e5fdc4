"""Progress bars of bytes, and work on several threads that stops as one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NoReturn, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stopped(Exception):
    """Another part of the same work failed, or Ctrl-C was pressed."""


class Progress:
    """Counts bytes from any thread, and tells each of them when the work is over."""

    def __init__(self, bar: tqdm[NoReturn]) -> None:
        self._bar = bar
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def __call__(self, size: int) -> None:
        """Count `size` bytes (negative: they have to go again); Stopped when the work is over."""
        if self._stopped.is_set():
            raise Stopped
        with self._lock:
            self._bar.update(size)

    def map(self, work: Callable[[Item], Result], items: Iterable[Item], *, threads: int) -> list[Result]:
        """Do the work for all items, some at a time, results in order; the first failure ends it all and is raised."""
        pool = ThreadPoolExecutor(threads, thread_name_prefix="lmvp")
        try:
            futures = [pool.submit(work, item) for item in items]
            for future in as_completed(futures):
                future.result()
            return [future.result() for future in futures]
        except BaseException:
            self._stopped.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def bytes_bar(title: str, total: int, shown: bool | None) -> Iterator[Progress]:
    """Show a bar on stderr: always, never, or (None) where it is a terminal."""
    disable = None if shown is None else not shown
    bar: tqdm[NoReturn]
    with tqdm(
        total=total, desc=title, unit="B", unit_scale=True, unit_divisor=1024, disable=disable, leave=False
    ) as bar:
        yield Progress(bar)
