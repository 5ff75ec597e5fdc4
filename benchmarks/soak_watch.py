"""What the soak watches in the server's processes while others work, and what it makes of it."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg2
from server import Server

MIB = 2**20
MEMORY_SHARE, MEMORY_MORE = 1.03, 8 * MIB  # what the last third may have more than the second
LATENCY_SHARE, LATENCY_MORE = 1.5, 0.020
DATABASE, MOST_KEPT = (
    "lmvp.sqlite3",
    16,
)  # SQLite keeps a closed connection's descriptor for the next, while another has a lock
LONG_ENOUGH = 120  # seconds; in shorter runs everything still grows, and other work disturbs
FEWEST = 20  # latencies of a third that say something


@dataclass(frozen=True)
class Sample:
    """All processes of the server together, at one moment."""

    at: float
    memory: int  # PSS
    largest: int  # RSS of the largest process
    names: list[str]  # of the open regular files
    files: int
    sockets: int
    connections: int  # to the database


@dataclass(frozen=True)
class Soak:
    started: float
    seconds: float
    samples: list[Sample]
    before: Sample  # at rest, warm
    after: Sample  # at rest again
    latencies: list[tuple[float, str, float]]
    failures: list[str]
    versions: int

    def third(self, at: float) -> int:
        return min(2, max(0, int((at - self.started) / self.seconds * 3)))

    def memory(self, third: int) -> float:
        return _mean([one.memory for one in self.samples if self.third(one.at) == third])

    def most(self, name: str, third: int) -> int:
        return max((getattr(one, name) for one in self.samples if self.third(one.at) == third), default=0)

    def p95(self, work: str, third: int) -> float | None:
        values = sorted(value for at, name, value in self.latencies if name == work and self.third(at) == third)
        return values[int(len(values) * 0.95)] if len(values) >= FEWEST else None

    def works(self) -> list[str]:
        return sorted({name for _, name, _ in self.latencies})

    def troubles(self) -> list[str]:
        """Say what grew or was left open or refused; nothing when all is well."""
        found = [f"{len(self.failures):,} requests failed, the first: {self.failures[0]}"] if self.failures else []
        if not self.versions or not self.samples:
            found.append("nothing was done")
        if self.seconds >= LONG_ENOUGH:
            found += self.growth()
        return found + self.left_open()

    def growth(self) -> list[str]:
        """Say what the last third has more of than the second."""
        found = []
        if self.memory(2) > self.memory(1) * MEMORY_SHARE + MEMORY_MORE:
            found.append(f"memory grew from {_mib(self.memory(1))} to {_mib(self.memory(2))}")
        for work in self.works():
            second, last = self.p95(work, 1), self.p95(work, 2)
            if second and last and last > second * LATENCY_SHARE + LATENCY_MORE:
                found.append(f"p95 of {work} grew from {_ms(second)} to {_ms(last)}")
        return found

    def left_open(self) -> list[str]:
        found = []
        left = Counter(self.after.names) - Counter(self.before.names)
        if left.pop(DATABASE, 0) > MOST_KEPT or left:
            found.append(f"{self.after.files} files are open at rest, {self.before.files} before: {dict(left)}")
        if self.after.sockets - self.after.connections > self.before.sockets - self.before.connections:
            found.append(f"{self.after.sockets} sockets are open at rest, {self.before.sockets} before")
        if self.after.connections > max(self.most("connections", 1), self.before.connections):
            found.append(f"{self.after.connections} connections to the database are open at rest")
        return found

    def table(self) -> str:
        lines = ["| | before | first third | second | last | after |", "| --- | --- | --- | --- | --- | --- |"]
        memory = [_mib(self.memory(n)) for n in range(3)]
        lines.append(_line("mean memory (PSS)", _mib(self.before.memory), *memory, _mib(self.after.memory)))
        most = [_mib(self.most("largest", n)) for n in range(3)]
        lines.append(_line("largest process (RSS)", _mib(self.before.largest), *most, _mib(self.after.largest)))
        for name in ("files", "sockets", "connections"):
            said = [str(self.most(name, n)) for n in range(3)]
            lines.append(_line(f"most {name}", str(getattr(self.before, name)), *said, str(getattr(self.after, name))))
        lines += [_line(f"p95 of {work}", "", *(_ms(self.p95(work, n)) for n in range(3)), "") for work in self.works()]
        return "\n".join([*lines, "", f"{len(self.latencies):,} requests, {self.versions:,} versions"])

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Watch:
    """Samples a server in the background, as a context manager."""

    def __init__(self, server: Server, database_url: str | None, *, interval: float) -> None:
        self.samples: list[Sample] = []
        self._about, self._interval = (server, database_url), interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            self.samples.append(sample(*self._about))


def sample(server: Server, database_url: str | None) -> Sample:
    opened = [name for pid in server.processes() for name in _opened(pid)]
    files = [name for name in opened if name.startswith("/") and not name.startswith(("/dev/", "/proc/"))]
    return Sample(
        at=time.monotonic(),
        memory=server.memory(),
        largest=max(map(_resident, server.processes()), default=0),
        names=sorted(map(os.path.basename, files)),
        files=len(files),
        sockets=sum(name.startswith("socket:") for name in opened),
        connections=_connections(database_url) if database_url else 0,
    )


def _opened(pid: int) -> list[str]:
    """Return what the descriptors of a process stand for."""
    names = []
    with suppress(OSError):
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                names.append(os.readlink(descriptor.path))
    return names


def _resident(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0  # ended meanwhile


def _connections(database_url: str) -> int:
    connection = psycopg2.connect(database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()")
            return int(cursor.fetchone()[0])
    finally:
        connection.close()


def _mean(values: list[int]) -> float:
    return sum(values) / len(values) if values else 0.0


def _mib(value: float) -> str:
    return f"{value / MIB:.1f} MiB"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value * 1000:.0f} ms"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
