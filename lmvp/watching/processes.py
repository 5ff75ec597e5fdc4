"""What the server's processes take of the machine, by what Linux says of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lmvp.watching import sharing

UTIME, STIME, CUTIME, CSTIME, RSS = 11, 12, 13, 14, 21  # proc(5), counted after the name in brackets


class Processes:
    """A collector of the memory and the time of master and workers; empty where there is no /proc."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        found = [each for pid in _pids() if (each := _stat(pid))]
        if not found:
            return
        page, tick = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
        seconds = sum(each[UTIME] + each[STIME] for each in found) / tick
        if sharing.master:  # its workers that ended count on
            seconds += (found[0][CUTIME] + found[0][CSTIME]) / tick
        memory = sum(each[RSS] for each in found) * page
        yield GaugeMetricFamily("lmvp_processes", "Processes of this server.", value=len(found))
        yield GaugeMetricFamily("lmvp_memory_bytes", "Resident memory of all of them.", value=memory)
        yield CounterMetricFamily("lmvp_cpu_seconds", "Processor time of all of them.", value=seconds)


def _pids() -> list[int]:
    """Return the master, first, and its workers; without a master this process."""
    if sharing.master is None:
        return [os.getpid()]
    with suppress(OSError):
        return [
            sharing.master,
            *map(int, Path(f"/proc/{sharing.master}/task/{sharing.master}/children").read_text().split()),
        ]
    return [os.getpid()]


def _stat(pid: int) -> list[int]:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [0, *map(int, words[1:])]  # the first is a letter
