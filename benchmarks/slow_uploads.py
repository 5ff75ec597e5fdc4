"""What many slow uploads cost everybody else: the API's latencies while 500 clients send 1 KB a second each, beside idle.

.venv/bin/python benchmarks/slow_uploads.py                    SQLite; a minute, on a machine with nothing else to do
.venv/bin/python benchmarks/slow_uploads.py --uploads 50 --seconds 2 --database-url postgres://…
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import load
from run import prepare_models
from server import ROOT, Account, Server, target_of

SIZE = 10 * 2**20  # bytes announced: more than anybody sends in the time
RATE = 1024  # bytes a second, of each
CLIENTS = 2
REACH = 2.0
fork = get_context("fork")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uploads", type=int, default=500, help="slow uploads at once (default 500)")
    parser.add_argument("--seconds", type=float, default=8, help="length of each load (default 8)")
    parser.add_argument("--database-url", help="a scratch PostgreSQL; rows stay there (default: SQLite)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    given = parser.parse_args()
    (ROOT / "var").mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "var"))
    try:
        figures = measure(directory, given)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    report(figures, given.uploads)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(any(each["ratio"] > REACH for each in figures.values()))


def measure(directory: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Measure each work idle, under slow uploads, and idle again: the better idle one counts."""
    with Server(directory, given.database_url) as server:
        account = server.make_account()
        digest = prepare_models(directory, server, account)
        works = {
            "get by alias": load.get_by_alias,
            "list newest 50": load.list_newest,
            "publish": load.publish_work(digest),
        }
        before = summaries(account, works, given.seconds)
        with slow_uploads(account, given.uploads):
            memory = server.memory()
            under = summaries(account, works, given.seconds)
        after = summaries(account, works, given.seconds)
    return {
        name: {
            "idle_p95_ms": (idle := min(before[name]["p95_ms"], after[name]["p95_ms"])),
            "p95_ms": under[name]["p95_ms"],
            "ratio": round(under[name]["p95_ms"] / idle, 2),
            "memory": memory,
        }
        for name in works
    }


def summaries(account: Account, works: dict[str, load.Work], seconds: float) -> dict[str, dict[str, float]]:
    return {
        name: load.measure(account, work, clients=CLIENTS, seconds=seconds).summary() for name, work in works.items()
    }


@contextmanager
def slow_uploads(account: Account, number: int) -> Iterator[None]:
    """Hold so many uploads open, from a process of their own, until the block ends. All have begun when it begins."""
    begun, stop = fork.Event(), fork.Event()
    sender = fork.Process(target=_send_slowly, args=(account, number, begun, stop), daemon=True)
    sender.start()
    try:
        if not begun.wait(60):
            raise SystemExit("The slow uploads did not begin within a minute.")
        yield
        if not sender.is_alive():
            raise SystemExit("The slow uploads ended too early.")
    finally:
        stop.set()
        sender.join()


def _send_slowly(account: Account, number: int, begun: Event, stop: Event) -> None:
    offers = account.call("POST", f"{account.model}/uploads/", [{"size": SIZE} for _ in range(number)])
    senders = [_begin(account, target_of(offer["href"])) for offer in offers]
    time.sleep(1)  # the server has all of them in hand
    begun.set()
    while not stop.wait(1):
        for sender in senders:
            sender.sendall(bytes(RATE))
    for sender in senders:
        with suppress(OSError):
            sender.close()


def _begin(account: Account, target: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", account.port), timeout=60)
    head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {SIZE}\r\n\r\n"
    connection.sendall(head.encode() + bytes(RATE))
    return connection


def report(figures: dict[str, Any], uploads: int) -> None:
    print(f"| API, {CLIENTS} clients | p95 idle | p95 with {uploads} slow uploads | ratio (≤ {REACH:g}) |")
    print("| --- | --- | --- | --- |")
    for name, each in figures.items():
        print(f"| {name} | {each['idle_p95_ms']} ms | {each['p95_ms']} ms | {each['ratio']} |")


if __name__ == "__main__":
    main()
