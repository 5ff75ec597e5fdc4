"""Bars for long work: bytes, files, rate, time left. On a terminal or in a notebook; else nothing is shown."""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

Shown = bool | None  # always, never, or (None) where somebody looks


class Bar:
    """Counts bytes and files from any thread."""

    def __init__(self, bar: tqdm[Any], files: int) -> None:
        self._bar = bar
        self._files = files
        self._done = 0
        self._lock = threading.Lock()

    def __call__(self, size: int) -> None:
        """Count `size` bytes; negative: they have to go again."""
        with self._lock:
            self._bar.update(size)

    def expect(self, size: int, files: int) -> None:
        """Count with so much more work."""
        with self._lock:
            self._bar.total = (self._bar.total or 0) + size
            self._files += files
            self._tell()

    def finish(self, files: int = 1) -> None:
        """Count files as done."""
        with self._lock:
            self._done += files
            self._tell()

    def _tell(self) -> None:
        self._bar.set_postfix_str(f"{self._done}/{self._files} files", refresh=False)


@contextlib.contextmanager
def bytes_bar(title: str, total: int, shown: Shown, *, files: int = 0, line: int = 0) -> Iterator[Bar]:
    """Show a bar on stderr, on the given line below the cursor; it vanishes at the end."""
    disable = None if shown is None else not shown
    with _tqdm()(
        total=total, desc=title, unit="B", unit_scale=True, unit_divisor=1024, disable=disable, leave=False,
        position=line, dynamic_ncols=True,
    ) as bar:  # fmt: skip
        yield Bar(bar, files)


def _tqdm() -> Any:
    """Return the bar that fits: a widget in a notebook that can show one, else text."""
    if "ipykernel" not in sys.modules:
        from tqdm import tqdm

        return tqdm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that ipywidgets are not there is no news to whoever trains a model
        from tqdm.auto import tqdm as fitting

    return fitting
