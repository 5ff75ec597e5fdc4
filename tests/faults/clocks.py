"""A wall clock that a test may set, for the processes of one site: a small library (clock.c) that they load first."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("clock.c")
COMPILER = shutil.which("cc") or shutil.which("gcc")


@dataclass(frozen=True)
class Clock:
    library: Path
    file: Path

    @property
    def env(self) -> dict[str, str]:
        """What makes a process follow this clock."""
        return {"LD_PRELOAD": str(self.library), "CLOCK_FILE": str(self.file)}

    def set(self, *, hours_off: float) -> None:
        """Jump, in all processes at once."""
        with self.file.open("r+b") as file:
            file.write(struct.pack("=q", int(hours_off * 3600)))


def clock_at(directory: Path) -> Clock:
    """Return a clock that is right; skip where it cannot be compiled."""
    if COMPILER is None and "LMVP_REQUIRE_SERVICES" not in os.environ:
        pytest.skip("needs a C compiler")
    library, file = directory / "clock.so", directory / "clock"
    subprocess.run([COMPILER or "cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE)], check=True)
    file.write_bytes(bytes(8))
    return Clock(library, file)
