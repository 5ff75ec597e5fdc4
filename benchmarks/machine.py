"""On what the figures were measured."""

from __future__ import annotations

import os
import platform
import sqlite3
from pathlib import Path


def describe(directory: Path, database_url: str | None) -> dict[str, str]:
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{_memory() / 2**30:.1f} GiB",
        "disk": _file_system(directory),
        "kernel": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "python": platform.python_version(),
        "database": "PostgreSQL" if database_url else f"SQLite {sqlite3.sqlite_version}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.lower().startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _file_system(directory: Path) -> str:
    """Return the type and the device of the mount that holds `directory`."""
    found = ("", "", "")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, point, kind = line.split()[:3]
        inside = directory.is_relative_to(point)
        if inside and len(point) >= len(found[1]):
            found = (device, point, kind)
    return f"{found[2]} on {found[0]}"
