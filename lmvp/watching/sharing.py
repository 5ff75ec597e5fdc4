"""Where the server's workers count together: a directory of this start, gone at its end."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from lmvp.numerals import whole_number

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "lmvp-figures."

master: int | None = None  # the process whose children work


def share_figures() -> Path:
    """Make a directory where the workers of this process count together; before prometheus_client is imported."""
    global master
    place = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
    _remove_left_behind(place)
    directory = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}.", dir=place)
    os.environ[DIRECTORY] = directory
    master = os.getpid()
    return Path(directory)


def _remove_left_behind(place: Path) -> None:
    """Remove what servers left that were killed."""
    for directory in place.glob(f"{PREFIX}*"):
        pid = directory.name.split(".")[1]
        with suppress(FileNotFoundError):  # another server that starts just now was quicker
            if whole_number(pid) and not Path("/proc", pid).exists() and directory.stat().st_uid == os.getuid():
                shutil.rmtree(directory, ignore_errors=True)


def forget_figures() -> None:
    """Remove the directory; only for the process that made it, since workers leave by the same way."""
    if master == os.getpid():
        shutil.rmtree(os.environ[DIRECTORY], ignore_errors=True)
