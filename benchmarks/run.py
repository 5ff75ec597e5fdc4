"""`make bench`: LMVP's speed beside this machine's own limits, in one run. docs/performance.md defines the figures.

.venv/bin/python benchmarks/run.py --quick          a try in half a minute; its figures mean little
.venv/bin/python benchmarks/run.py --json out.json  the real one: 10 GB of disk, a machine with nothing else to do
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import limits
import load
import machine
import report
import transfers
from server import ROOT, Account, Memory, Server

MIB = 2**20
CLIENTS = (1, 8)
LISTED_VERSIONS = 60
PACKED_FILES, PACKED_SIZE = 1000, 64 * 1024
DOWNLOADS = 5  # in each round: one takes less than half a second, in which much may happen beside it


@dataclass(frozen=True)
class Options:
    size: int  # bytes of the large file
    small_size: int  # bytes of each of the four that go up together
    repeat: int
    seconds: float  # of each load of small requests
    database_url: str | None
    json: Path | None


def main() -> None:
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    parent = ROOT / "var"
    parent.mkdir(exist_ok=True)
    need_room(parent, options)
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        results = run(directory, options)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(report.text(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
        print(f"All single measurements are in {options.json}.")


def parse_options() -> Options:
    parser = argparse.ArgumentParser(description="Measure LMVP beside the machine's own limits.")
    parser.add_argument("--quick", action="store_true", help="small files, short loads: is everything in order?")
    parser.add_argument("--database-url", help="a scratch PostgreSQL; rows stay there (default: SQLite)")
    parser.add_argument("--size-mib", type=int, help="size of the large file (default 1024; 32 with --quick)")
    parser.add_argument("--repeat", type=int, help="how often the large file goes up and down (default 3; 1)")
    parser.add_argument("--seconds", type=float, help="length of each load of small requests (default 8; 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement")
    given = parser.parse_args()
    size = (given.size_mib or (32 if given.quick else 1024)) * MIB
    return Options(
        size=size,
        small_size=size // 4,
        repeat=given.repeat or (1 if given.quick else 3),
        seconds=given.seconds or (1 if given.quick else 8),
        database_url=given.database_url,
        json=given.json,
    )


def need_room(parent: Path, options: Options) -> None:
    """What server and limits keep of each round, of one file and of four at once; two payloads and one target."""
    needed = options.size * (5 * options.repeat + 3)
    free = shutil.disk_usage(parent).free
    if free < needed:
        sys.exit(f"{parent} has {free / 2**30:.1f} GiB free, the run needs {needed / 2**30:.1f}. Take --size-mib 256.")


def run(directory: Path, options: Options) -> dict[str, Any]:
    with ExitStack() as stack:
        say("Starting a server of its own …")
        server = stack.enter_context(Server(directory, options.database_url))
        account = server.make_account()
        return {
            "machine": machine.describe(directory, options.database_url),
            "size_mib": options.size // MIB,
            "transfers": measure_transfers(directory, server, account, options),
            "packs": measure_packs(directory, server, account, options),
            "memory": measure_memory(directory, server, account, options),
            "requests": measure_requests(directory, server, account, options),
        }


def measure_transfers(directory: Path, server: Server, account: Account, options: Options) -> dict[str, list[float]]:
    """Limit and LMVP in turn, and each first in every other round, so that a slow minute hits both. Seconds a round."""
    payload, target = directory / "payload.bin", directory / "received.bin"
    transfers.write_payload(payload, options.size)
    transfers.write_payload(target, options.size)
    seconds: dict[str, list[float]] = {"upload_limit": [], "upload": [], "download_limit": [], "download": []}

    def measure(work: dict[str, Callable[[], float]], *, turned: bool) -> None:
        for name in reversed(work) if turned else work:
            os.sync()  # the disk finishes what came before, so that nobody pays for another's bytes
            seconds[name].append(work[name]())

    for number in range(options.repeat):
        say(f"Round {number + 1} of {options.repeat}: {options.size // MIB} MiB up and down …")
        digest = transfers.renew(payload)
        href = transfers.ask_to_upload(account, payload, digest)
        up = {
            "upload_limit": partial(limits.upload_limit, payload, directory / f"kept-{number}.bin"),
            "upload": partial(transfers.put, server, href, payload),
        }
        measure(up, turned=number % 2 == 1)
        version = transfers.publish(account, payload.name, digest)
        path = f"{account.model}/versions/{version['number']}/files/{payload.name}"
        down = {
            "download_limit": partial(limits.download_limit, payload, target),
            "download": partial(transfers.download, server, account, path, target, digest),
        }
        for turn in range(DOWNLOADS):
            measure(down, turned=(number + turn) % 2 == 1)
    payload.unlink()
    target.unlink()
    return seconds


def measure_packs(directory: Path, server: Server, account: Account, options: Options) -> dict[str, Any]:
    """Small files in one request, up and down: seconds, and the server's processor seconds, of each round."""
    pack = directory / "pack.tar"
    names = ("up", "up_processor", "up_limit", "down", "down_processor")
    seconds: dict[str, list[float]] = {name: [] for name in names}

    def measure(name: str, work: Callable[[], float]) -> None:
        before = server.cpu_seconds()
        seconds[name].append(work())
        seconds[f"{name}_processor"].append(server.cpu_seconds() - before)

    def measure_limit() -> None:
        os.sync()
        seconds["up_limit"].append(limits.pack_limit(pack, directory / f"kept-pack-{number}", PACKED_SIZE))

    for number in range(options.repeat + 1):
        say(f"Round {number} of {options.repeat}: {PACKED_FILES} files of {PACKED_SIZE // 1024} KiB up and down …")
        digests = transfers.write_pack(pack, PACKED_FILES, PACKED_SIZE)
        if number % 2:
            measure_limit()
        os.sync()
        measure("up", partial(transfers.send_pack, server, account, pack))
        if not number % 2:
            measure_limit()
        version = transfers.publish_pack(account, digests)
        paths = [f"{place % 10}/{place}.bin" for place in range(PACKED_FILES)]
        measure("down", partial(transfers.fetch_pack, server, account, version, paths))
    pack.unlink()
    # The first round is for warming up: nobody has sent a pack to this server before.
    return {"files": PACKED_FILES, "size": PACKED_SIZE, "seconds": {name: each[1:] for name, each in seconds.items()}}


def measure_memory(directory: Path, server: Server, account: Account, options: Options) -> dict[str, Any]:
    """Four files up at once, beside one and four of the machine's own receivers; what they add to the server's memory."""
    for _ in range(3):
        put_four(directory, server, account, MIB)  # both workers have done it once: what stays is not for the bytes
    payload, parts = directory / "payload.bin", [directory / f"part-{index}.bin" for index in range(4)]
    transfers.write_payload(payload, 4 * options.small_size)
    for path in parts:
        transfers.write_payload(path, options.small_size)
    seconds: dict[str, list[float]] = {"four": [], "one_limit": [], "four_limit": []}
    memories = []
    for number in range(options.repeat):
        say(f"Round {number + 1} of {options.repeat}: four files of {options.small_size // MIB} MiB up at once …")
        kept = directory / f"kept-four-{number}"
        kept.mkdir()
        os.sync()
        seconds["one_limit"].append(limits.upload_limit(payload, kept / "one"))
        os.sync()
        seconds["four_limit"].append(limits.uploads_limit(parts, [kept / path.name for path in parts]))
        hrefs = [transfers.ask_to_upload(account, path, transfers.renew(path)) for path in parts]
        os.sync()
        with Memory(server) as memory:
            seconds["four"].append(transfers.put_together(server, hrefs, parts))
        memories.append({"before": memory.before, "peak": memory.peak, "after": memory.after})
    return {"file_mib": options.small_size // MIB, "seconds": seconds, "memory": memories}


def put_four(directory: Path, server: Server, account: Account, size: int) -> None:
    paths = [directory / f"part-{index}.bin" for index in range(4)]
    for path in paths:
        transfers.write_payload(path, size)
    hrefs = [transfers.ask_to_upload(account, path, transfers.renew(path)) for path in paths]
    transfers.put_together(server, hrefs, paths)


def measure_requests(directory: Path, server: Server, account: Account, options: Options) -> dict[str, Any]:
    """Operations a second and latencies, with one client and with eight."""
    digest = prepare_models(directory, server, account)
    works = {
        "publish": load.publish_work(digest),
        "get by alias": load.get_by_alias,
        "list newest 50": load.list_newest,
        "small PUT": load.small_put,
    }
    summaries: dict[str, Any] = {}
    for name, work in works.items():
        for clients in CLIENTS:
            say(f"{name}, {clients} client{'s' if clients > 1 else ''} …")
            summaries[f"{name}, {clients}"] = load.measure(
                account, work, clients=clients, seconds=options.seconds
            ).summary()
    return summaries


def prepare_models(directory: Path, server: Server, account: Account) -> str:
    """A model to read, long enough for a page of 50, and one for each client that publishes; the blob they share."""
    weights = directory / "weights.npz"
    weights.write_bytes(secrets.token_bytes(20_000))
    digest = transfers.renew(weights)
    transfers.put(server, transfers.ask_to_upload(account, weights, digest), weights)
    # The blob must occur in a model that the user may read, or its digest is an unknown one after a day.
    transfers.publish(account, weights.name, digest)
    for name in ["read", *(f"publish-{number}" for number in range(max(CLIENTS)))]:
        account.make_model(name)
    for _ in range(LISTED_VERSIONS):
        body = json.loads(load.version_body(digest))
        account.call("POST", f"{account.model_path('read')}/versions/", body)
    account.call("PUT", f"{account.model_path('read')}/aliases/production/", {"revision": "latest"})
    return digest


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
