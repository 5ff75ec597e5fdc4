"""What LMVP asks of a machine before anybody uses it: its starts, its idle memory, its size on disk.

.venv/bin/python benchmarks/footprint.py     medians of five starts; docs/performance.md defines the figures
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from statistics import median

import report
from server import ROOT, Server

STARTS = 5
IDLE = 10  # seconds after the first answer
MOST = {"first start": 3.0, "second start": 1.5, "idle memory": 250 * 10**6, "installed size": 200 * 10**6}


def main() -> None:
    first, second, idle = [], [], 0
    for number in range(STARTS):
        directory = Path(tempfile.mkdtemp(prefix="bench-footprint-", dir=ROOT / "var"))
        try:
            first.append(seconds_to_answer(directory))
            second.append(seconds_to_answer(directory))
            if number == 0:
                idle = idle_memory(directory)
        finally:
            shutil.rmtree(directory)
    packages, tree = size_of_packages(), size_of_tree()
    rows = [
        [
            "first start: tables made, first answer",
            f"{median(first):.1f} s",
            _mark("first start", median(first), "3 s"),
        ],
        ["second start", f"{median(second):.1f} s", _mark("second start", median(second), "1.5 s")],
        ["idle memory, all processes", f"{idle / 10**6:.0f} MB", _mark("idle memory", idle, "250 MB")],
        [
            "installed size: packages, and our own files",
            f"{packages / 10**6:.0f} + {tree / 10**6:.0f} MB",
            _mark("installed size", packages + tree, "200 MB"),
        ],
    ]
    print(report.table(["before anybody uses it", "", "to reach"], rows))


def _mark(name: str, value: float, most: str) -> str:
    return f"≤ {most} {report.mark(value <= MOST[name])}"


def seconds_to_answer(directory: Path) -> float:
    """From the command to the first answer of /healthz; what is migrated is part of it."""
    began = time.monotonic()
    with Server(directory, pause=0.01):
        return time.monotonic() - began


def idle_memory(directory: Path) -> int:
    with Server(directory) as server:
        time.sleep(IDLE)
        return server.memory()


def size_of_packages() -> int:
    """Bytes of all that requirements.txt installs, and what that needs."""
    wanted, seen = _named((ROOT / "requirements.txt").read_text().splitlines()), dict[str, Distribution]()
    while wanted:
        name = wanted.pop()
        if name not in seen:
            try:
                seen[name] = distribution(name)
            except PackageNotFoundError:
                continue  # for another system or Python
            wanted |= _named(line for line in seen[name].requires or [] if "extra ==" not in line)
    return sum(_size(one) for one in seen.values())


def _named(lines: object) -> set[str]:
    found = (re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line) for line in lines)  # type: ignore[attr-defined]
    return {match[0].lower() for match in found if match}


def _size(one: Distribution) -> int:
    """With the bytecode that an installation writes beside its modules."""
    paths = [Path(str(one.locate_file(file))) for file in one.files or []]
    return sum(path.stat().st_size for path in paths if path.is_file())


def size_of_tree() -> int:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sum((ROOT / name).stat().st_size for name in listed.split("\0") if name)


if __name__ == "__main__":
    (ROOT / "var").mkdir(exist_ok=True)
    main()
