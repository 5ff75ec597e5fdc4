"""A small disk of a test's own, that can be filled: tmpfs, where this machine lets us mount one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, *, mebibytes: int) -> Iterator[Path]:
    """Mount a disk of this size until the block ends; skip where that is not allowed."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=700", "tmpfs", str(place)], capture_output=True
    )
    if done.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Take all that is free, to the last block, and give it back."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for piece in (bytes(2**20), bytes(4096)):
            with suppress(OSError):
                while file.write(piece):
                    pass
    try:
        yield
    finally:
        ballast.unlink()
