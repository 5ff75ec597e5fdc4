"""What a run logged, line by line on this machine's disk until it is published: a killed process loses nothing. No HTTP.

A JSON object per line: {"run": "project/model"} first, then {"said": {…}}: what is said of its versions; {"params": {…}},
rows of metrics, {"published": number, "end": offset}: the metrics before that offset are this version's, and
{"logged": number}: all of them have arrived.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lmvp.client.errors import LocalFileError, ValidationFailed
from lmvp.client.measurements import Row


def runs_dir() -> Path:
    """Return where runs are kept until they are published: LMVP_RUNS, or where programs keep their state."""
    if os.environ.get("LMVP_RUNS"):
        return Path(os.environ["LMVP_RUNS"]).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "lmvp" / "runs"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "lmvp" / "runs"


APPENDING = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)


class Spool:
    """One run's file. `end` is where the next line goes. Safe for several threads."""

    def __init__(self, path: Path, flags: int) -> None:
        self.path = path
        self._file = os.open(path, flags, 0o600)
        self._lock = threading.Lock()
        self.end = os.lseek(self._file, 0, os.SEEK_END)
        self._torn = self.end > 0  # whether the last line may lack its end

    @classmethod
    def begin(cls, name: str) -> Spool:
        now = datetime.now(timezone.utc)
        path = runs_dir() / f"{name.replace('/', '--')}-{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}.jsonl"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            spool = cls(path, APPENDING | os.O_CREAT | os.O_EXCL)
        except OSError as error:
            raise LocalFileError(
                f"Cannot keep a run in {path.parent}: {error.strerror}. Set LMVP_RUNS to a directory that you can write."
            ) from error
        spool.append({"run": name})
        return spool

    @classmethod
    def again(cls, path: Path, name: str) -> Spool:
        """Go on with the file of an earlier run of this model."""
        try:
            spool = cls(path, APPENDING)
        except OSError as error:
            raise LocalFileError(f"Cannot go on with the run {path}: {error.strerror}. Check the path.") from error
        first = next(spool.lines(), {}).get("run")
        if first != name:
            spool.close()
            raise ValidationFailed(f"{path} is no run of {name}{f', but of {first}' if first else ''}. Check the path.")
        return spool

    def append(self, line: Any) -> None:
        """Write one line. It is the system's then: the process may be killed."""
        data = json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        with self._lock:
            if self._torn:
                data = b"\n" + data
            self._torn = True
            try:
                while data:
                    data = data[os.write(self._file, data) :]
            except OSError as error:
                raise LocalFileError(
                    f"Cannot write {self.path}: {error.strerror}. Free some space; what was logged before is kept."
                ) from error
            self._torn = False
            self.end = os.lseek(self._file, 0, os.SEEK_CUR)

    def lines(self, start: int = 0, end: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the lines from one offset to another. What a crash cut off in its middle is not a line."""
        with self.path.open("rb") as file:
            position = file.seek(start)
            for text in file:
                position += len(text)
                if end is not None and position > end:
                    return
                with contextlib.suppress(ValueError):
                    line = json.loads(text)
                    if isinstance(line, dict):
                        yield line

    def metrics(self, start: int = 0, end: int | None = None) -> Iterator[Row]:
        return (line for line in self.lines(start, end) if "name" in line)

    def close(self) -> None:
        os.close(self._file)

    def remove(self) -> None:
        """Forget what is published now; call it after close()."""
        with contextlib.suppress(OSError):  # it may stay
            self.path.unlink()
