"""The client beside this machine's own limits, in one run: end to end, client and server on the same machine.

.venv/bin/python benchmarks/client.py --quick          a try; its figures mean little
.venv/bin/python benchmarks/client.py --json out.json  the real one: 10 GB of disk, a machine with nothing else to do
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import limits
import machine
import report
import transfers
from server import ROOT, Account, Server

sys.path.insert(0, str(ROOT))  # the client of this tree, whatever is installed
from lmvp import Client

MIB = 2**20
SMALL = 64 * 1024
RATIO = 0.6
FILES_PER_SECOND = 2000
SMALL_TURNS = 3  # in each round
IMPORT_MS, HELP_MS = 150, 300


@dataclass
class Measured:
    """Wall-clock seconds of the rounds by name, and the client's processor seconds where they were taken."""

    wall: dict[str, list[float]] = field(default_factory=dict)
    processor: dict[str, list[float]] = field(default_factory=dict)

    def note(self, name: str, seconds: float) -> None:
        self.wall.setdefault(name, []).append(seconds)

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        before, started = _processor(), time.perf_counter()
        result = work()
        self.note(name, time.perf_counter() - started)
        self.processor.setdefault(name, []).append(_processor() - before)
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the client beside the machine's own limits.")
    parser.add_argument("--quick", action="store_true", help="small files, one round: is everything in order?")
    parser.add_argument("--size-mib", type=int, help="size of the large file (default 1024; 64 with --quick)")
    parser.add_argument("--files", type=int, default=1000, help="how many of 64 KiB (default 1000)")
    parser.add_argument("--repeat", type=int, help="rounds (default 3; 1 with --quick)")
    parser.add_argument("--database-url", help="a scratch PostgreSQL; rows stay there (default: SQLite)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement")
    given = parser.parse_args()
    size = (given.size_mib or (64 if given.quick else 1024)) * MIB
    parent = ROOT / "var"
    parent.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="bench-client-", dir=parent))
    try:
        with Server(directory, given.database_url) as server:
            rounds = Rounds(directory, server, size, given.files)
            for _ in range(given.repeat or (1 if given.quick else 3)):
                rounds.run()
        starts = {"import": starting("import lmvp"), "help": starting(None)}
        about = machine.describe(directory, given.database_url)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(text(about, rounds.measured, size, given.files, rounds.sent_again, starts))
    if given.json:
        found = {"wall": rounds.measured.wall, "processor": rounds.measured.processor, "starts": starts}
        given.json.write_text(json.dumps(found, indent=2) + "\n")


class Rounds:
    """Rounds of everything, each with bytes that the server has never seen and a cache that is empty."""

    def __init__(self, directory: Path, server: Server, size: int, files: int) -> None:
        os.environ |= {"LMVP_CACHE": str(directory / "cache"), "XDG_CONFIG_HOME": str(directory / "config")}
        self.measured = Measured()
        self.sent_again = 0
        self._directory = directory
        self._server = server
        self._account: Account = server.make_account()
        self._client = Client(f"http://127.0.0.1:{server.port}", token=self._account.token)
        self._large = directory / "large.bin"
        self._files = files
        self._round = self._turn = 0
        transfers.write_payload(self._large, size)
        (directory / "limit.bin").write_bytes(b"")
        self._client.whoami()  # imports and connections are measured elsewhere

    def run(self) -> None:
        self._round += 1
        transfers.renew(self._large)
        self._measure_large()
        self._measure_small()

    def _measure_large(self) -> None:
        name, target = f"{self._account.username}/large", self._directory / "limit.bin"
        limit = self._directory / f"limit-{self._round}.bin"  # kept: the server keeps what it receives, too
        self._in_turn(
            lambda: self.measured.note("up limit", limits.upload_limit(self._large, limit)),
            lambda: self.measured.time("up", lambda: self._client.update(name, self._large, progress=False)),
        )
        self.measured.time("hash", lambda: _sha256(self._large))
        before = _bytes_sent()
        self.measured.time("again", lambda: self._client.update(name, self._large, progress=False))
        self.sent_again = _bytes_sent() - before
        self._empty_cache()
        self._in_turn(
            lambda: self.measured.note("down limit", hashed_download_limit(self._large, target)),
            lambda: self.measured.time("down", lambda: self._client.download(name, progress=False)),
        )
        self.measured.time("down, in the cache", lambda: self._client.download(name, progress=False))

    def _in_turn(self, limit: Callable[[], Any], own: Callable[[], Any]) -> None:
        """Do both, each first in every other round; before each the disk finishes, so that nobody pays for another's bytes."""
        for work in (limit, own) if (self._round + self._turn) % 2 else (own, limit):
            os.sync()
            work()

    def _measure_small(self) -> None:
        for _ in range(SMALL_TURNS):
            self._turn += 1
            small, pack = self._directory / f"small-{self._turn}", self._directory / "limit.tar"
            small.mkdir()
            for number in range(self._files):
                (small / f"{number}.bin").write_bytes(secrets.token_bytes(SMALL))
            with tarfile.open(pack, "w", format=tarfile.USTAR_FORMAT) as archive:
                for path in small.iterdir():
                    archive.add(path, path.name)
            name, kept = f"{self._account.username}/small", self._directory / f"limit-small-{self._turn}"
            self._in_turn(
                partial(self._note_limit, pack, kept),
                partial(self.measured.time, "small up", partial(self._client.publish, name, small, progress=False)),
            )
            self._empty_cache()
            self.measured.time("small down", lambda name=name: self._client.download(name, progress=False))

    def _note_limit(self, pack: Path, kept: Path) -> None:
        self.measured.note("small up limit", limits.pack_limit(pack, kept, SMALL))

    def _empty_cache(self) -> None:
        """Put the cache aside; deleting its files would make making the next ones slow (ext4, for some minutes)."""
        cache = self._directory / "cache"
        if cache.exists():
            cache.rename(self._directory / f"cache-{secrets.token_hex(4)}")


def hashed_download_limit(payload: Path, target: Path) -> float:
    """Return the seconds that one thread needs to receive `payload`, sent by sendfile, hash it (SHA-256) and write it."""

    def send(connection: socket.socket) -> None:
        with payload.open("rb") as file:
            connection.sendfile(file)

    digest, buffer = hashlib.sha256(), memoryview(bytearray(limits.BUFFER))
    with limits.OtherEnd(send) as connect:
        started = time.perf_counter()
        with connect() as connection, target.open("wb", buffering=0) as file:
            while count := connection.recv_into(buffer):
                digest.update(buffer[:count])
                file.write(buffer[:count])
        seconds = time.perf_counter() - started
    assert digest.hexdigest() == _sha256(payload), "the limit's own receiver lost bytes"
    target.unlink()  # the client writes a fresh file, too
    return seconds


def starting(code: str | None, times: int = 7) -> float:
    """Return the median milliseconds that a Python takes for the code, beside one that does nothing; None: `lmvp --help`."""
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "lmvp", "--help"]
    bare = [sys.executable, "-c", "pass"] if code else None

    def once(words: list[str]) -> float:
        started = time.perf_counter()
        subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        return (time.perf_counter() - started) * 1000

    once(command)  # compiled, and in the page cache
    whole = median(once(command) for _ in range(times))
    return whole - (median(once(bare) for _ in range(times)) if bare else 0.0)


def text(
    about: dict[str, Any], measured: Measured, size: int, files: int, sent_again: int, starts: dict[str, float]
) -> str:
    """Return the figures as Markdown: medians of the rounds, ratios as medians of the rounds' own."""
    mib, wall = size // MIB, measured.wall
    rows = []
    for name in ("up", "down"):
        ratio = median(limit / own for limit, own in zip(wall[f"{name} limit"], wall[name], strict=True))
        ours, limit = mib / median(wall[name]), mib / median(wall[f"{name} limit"])
        rows.append(
            [f"{mib} MiB {name}", f"{limit:,.0f} MiB/s", f"{ours:,.0f} MiB/s", f"{ratio:.2f}",
             f"≥ {RATIO} {report.mark(ratio >= RATIO)}", f"{median(measured.processor[name]):.2f} s"]
        )  # fmt: skip
    for name in ("small up", "small down"):
        rate, limit_of = files / median(wall[name]), wall.get(f"{name} limit")
        ratio = median(limit / own for limit, own in zip(limit_of, wall[name], strict=True)) if limit_of else None
        rows.append(
            [f"{files} × 64 KiB {name.split()[1]}", f"{files / median(limit_of):,.0f} files/s" if limit_of else "",
             f"{rate:,.0f} files/s", f"{ratio:.2f}" if ratio else "",
             f"≥ {FILES_PER_SECOND:,} {report.mark(rate >= FILES_PER_SECOND)}", f"{median(measured.processor[name]):.2f} s"]
        )  # fmt: skip
    again, hashing = median(wall["again"]), median(wall["hash"])
    rows += [
        [f"{mib} MiB again, unchanged", f"{hashing:.2f} s to hash", f"{again:.2f} s", f"{sent_again:,} bytes sent",
         f"≤ the hash, no file {report.mark(again <= hashing * 1.05 and sent_again < MIB)}", f"{median(measured.processor['again']):.2f} s"],
        [f"{mib} MiB down, in the cache", "", f"{median(wall['down, in the cache']):.2f} s", "", "–", f"{median(measured.processor['down, in the cache']):.2f} s"],
        ["`import lmvp`", "", f"{starts['import']:.0f} ms", "", f"≤ {IMPORT_MS} {report.mark(starts['import'] <= IMPORT_MS)}", ""],
        ["`lmvp --help`", "", f"{starts['help']:.0f} ms", "", f"≤ {HELP_MS} {report.mark(starts['help'] <= HELP_MS)}", ""],
    ]  # fmt: skip
    head = ["end to end", "limit", "client", "ratio", "to reach", "client's processor time"]
    about_table = report.table(["machine", ""], [[name, value] for name, value in about.items()])
    return f"{about_table}\n\n{report.table(head, rows)}\n"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _bytes_sent() -> int:
    """Return the bytes that this process has written, to sockets too."""
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
