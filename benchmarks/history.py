"""What a long history costs: the same calls to a model of 1,000 versions and to one of 100,000, side by side.

.venv/bin/python benchmarks/history.py --quick                                  a try in a minute; its figures mean little
.venv/bin/python benchmarks/history.py --json out.json                          SQLite; a quarter of an hour, 3 GB of disk
.venv/bin/python benchmarks/history.py --database-url postgres://…/postgres     two databases are made there, and dropped

Each history has a server and a database of its own. docs/performance.md defines the figures.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode, urlsplit

import load
import machine
import report
import transfers
from server import ROOT, Account, Server

MOST_GROWTH = 1.5
CLIENTS = (1, 8)
# Of the works under load: least a second with so many clients, on SQLite and on PostgreSQL; the server's CPU, ms a request.
RATES = {
    "publish": ({1: 80, 8: 150}, {1: 80, 8: 100}),
    "get by alias": ({8: 500}, {8: 300}),
    "list, first page": ({8: 200}, {8: 150}),
    "search models by name": ({8: 200}, {8: 200}),
}
MOST_CPU_MS = {"publish": 7, "get by alias": 2, "list, first page": 5}
LEAST_PUBLISHED = 40  # a second: 20 times what the field's most used registry reaches at 20,000 versions
MOST_ALIAS_MS = 350 / 20


@dataclass(frozen=True)
class Options:
    versions: tuple[int, int]
    files: int
    rounds: int
    seconds: float  # of each load
    database_url: str | None
    json: Path | None


@dataclass(frozen=True)
class History:
    """A server with one model of so many versions, the newest at `versions`."""

    server: Server
    account: Account
    versions: int
    blob: str

    @property
    def model(self) -> str:
        return self.account.model_path("sweep")


def main() -> None:
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parent = ROOT / "var"
    parent.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        results = run(directory, options)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(text(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def parse_options() -> Options:
    parser = argparse.ArgumentParser(description="Measure what a long history costs.")
    parser.add_argument("--quick", action="store_true", help="short histories and loads: is everything in order?")
    parser.add_argument("--versions", type=int, nargs=2, help="lengths of the two histories (1000 100000; 50 500)")
    parser.add_argument("--files", type=int, help="files of the large version (100000; 2000 with --quick)")
    parser.add_argument("--rounds", type=int, help="how often each load is repeated (3; 1 with --quick)")
    parser.add_argument("--seconds", type=float, help="length of each load (3; 0.5 with --quick)")
    parser.add_argument("--database-url", help="a PostgreSQL where databases may be made (default: SQLite)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement")
    given = parser.parse_args()
    quick = given.quick
    return Options(
        versions=tuple(given.versions or ((50, 500) if quick else (1000, 100_000))),
        files=given.files or (2000 if quick else 100_000),
        rounds=given.rounds or (1 if quick else 3),
        seconds=given.seconds or (0.5 if quick else 3),
        database_url=given.database_url,
        json=given.json,
    )


def run(directory: Path, options: Options) -> dict[str, Any]:
    with ExitStack() as stack:
        short, long = (
            stack.enter_context(history(directory / str(count), count, options)) for count in options.versions
        )
        return {
            "machine": machine.describe(directory, options.database_url),
            "versions": options.versions,
            "growth": measure_growth((short, long), options),
            "load": measure_load((short, long), options),
            "files": options.files,
            "many_files": measure_many_files(long, options),
        }


@contextmanager
def history(directory: Path, count: int, options: Options) -> Iterator[History]:
    """Give a running server with a history of so many versions."""
    directory.mkdir()
    with scratch_database(options.database_url) as url, Server(directory, url) as server:
        account = server.make_account()
        weights = directory / "weights.npz"
        weights.write_bytes(secrets.token_bytes(20_000))
        blob = transfers.renew(weights)
        transfers.put(server, transfers.ask_to_upload(account, weights, blob), weights)
        transfers.publish(account, weights.name, blob)
        account.make_model("sweep")
        say(f"Writing a history of {count:,} versions …")
        seed = [sys.executable, "benchmarks/seed_history.py", account.username, "sweep", str(count), blob]
        subprocess.run(seed, cwd=ROOT, env=server.environment, check=True)
        yield History(server, account, count, blob)


@contextmanager
def scratch_database(url: str | None) -> Iterator[str | None]:
    """Give an empty database beside the named one, and drop it in the end; SQLite needs none."""
    if url is None:
        yield None
        return
    import psycopg2

    name = f"lmvp_bench_{secrets.token_hex(4)}"
    connection = psycopg2.connect(url)
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        connection.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.close()


# --- The works: one request each


def works(there: History) -> dict[str, load.Work]:
    model, newest = there.model, there.versions
    older = newest // 2  # publishing goes on meanwhile; these stay where they are

    def one(method: str, path: Any, body: Any = None) -> load.Work:
        def work(client: load.Client) -> Iterator[float]:
            sent = json.dumps(body()).encode() if body else None
            yield client.timed(method, path() if callable(path) else path, sent)

        return work

    def neighbours() -> str:
        number = random.randrange(2, older)
        return f"{model}/compare/{number - 1}...{number}/"

    def published() -> dict[str, Any]:
        return json.loads(load.version_body(there.blob))

    return {
        "publish": one("POST", f"{model}/versions/", published),
        "set alias": one("PUT", f"{model}/aliases/staging/", lambda: {"revision": str(random.randrange(1, older))}),
        "get by alias": one("GET", f"{model}/versions/production/"),
        "list, first page": one("GET", f"{model}/versions/?page_size=50"),
        "list, deep page": one("GET", f"{model}/versions/?page_size=50&{deep(older)}"),
        "list a branch, first page": one("GET", f"{model}/versions/?branch=main&page_size=50"),
        "list a branch, deep page": one("GET", f"{model}/versions/?branch=main&page_size=50&{deep(older)}"),
        "order by a metric": one("GET", f"{model}/versions/?order_by=-metric:accuracy&page_size=50"),
        "best by a metric": one("GET", f"{model}/best/?metric=accuracy"),
        "compare neighbours": one("GET", neighbours),
        "search, a word of all versions": one("GET", "/v1/search/?q=dropout"),
        "search models by name": one("GET", "/v1/search/?q=sweep&type=model"),
        "search, a word of one version": one("GET", lambda: f"/v1/search/?q=trial{random.randrange(1, older):06}"),
    }


def deep(number: int) -> str:
    """Return the query of the page below a number; the cursor is DRF's: the position in base64."""
    return urlencode({"cursor": base64.b64encode(f"p={number}".encode()).decode()})


def measure_growth(histories: tuple[History, History], options: Options) -> dict[str, dict[str, Any]]:
    """Medians of the rounds, short and long in turn, each first in every other round. Milliseconds."""
    taken: dict[str, dict[int, list[float]]] = {}
    for number in range(options.rounds):
        turned = reversed(histories) if number % 2 else histories
        for there in turned:
            say(f"Round {number + 1} of {options.rounds}: {there.versions:,} versions …")
            for name, work in works(there).items():
                figures = load.measure(there.account, work, clients=1, seconds=options.seconds, warm_up=0.3).summary()
                taken.setdefault(name, {}).setdefault(there.versions, []).append(figures["p50_ms"])
    return {
        name: {str(versions): round(median(values), 2) for versions, values in by_length.items()}
        for name, by_length in taken.items()
    }


def measure_load(histories: tuple[History, History], options: Options) -> dict[str, dict[str, Any]]:
    """Works under load, by name, clients and length: requests a second and the server's CPU, medians of the rounds."""
    taken: dict[tuple[str, int, int], list[dict[str, float]]] = {}
    for number in range(options.rounds):
        for there in reversed(histories) if number % 2 else histories:
            say(f"Load {number + 1} of {options.rounds}: {there.versions:,} versions …")
            asked = works(there)
            for name, clients in itertools.product(RATES, CLIENTS):
                load_of = load.measure(
                    there.account, asked[name], clients=clients, seconds=options.seconds, cpu=there.server.cpu_seconds
                )
                taken.setdefault((name, clients, there.versions), []).append(load_of.summary())
    return {
        f"{name}, {clients}, {versions}": {
            "name": name,
            "clients": clients,
            "versions": versions,
            **{key: median(one[key] for one in rounds) for key in ("per_second", "p95_ms", "server_cpu_ms")},
        }
        for (name, clients, versions), rounds in taken.items()
    }


# --- One version of very many files


def measure_many_files(there: History, options: Options) -> dict[str, float]:
    """Milliseconds of single calls about a version of so many files, in directories of a thousand."""
    account, model = there.account, there.account.model_path("files")
    account.make_model("files")
    files = [
        {"path": f"part-{index // 1000:03}/item-{index % 1000:03}.bin", "sha256": there.blob}
        for index in range(options.files)
    ]
    client = load.Client(account, 0)
    client.connection.timeout = 600
    say(f"Publishing {options.files:,} files …")
    figures = {"publish all by digest": timed(client, "POST", f"{model}/versions/", {"files": files, "base": "empty"})}

    def change() -> float:
        path = f"part-000/changed-{secrets.token_hex(4)}.bin"
        return timed(client, "POST", f"{model}/versions/", {"files": [{"path": path, "sha256": there.blob}]})

    last = options.files // 50 - 1
    figures |= {
        "publish one more file": median(change() for _ in range(10)),
        "compare with the version before": middle(client, f"{model}/compare/4...5/"),
        "list the root": middle(client, f"{model}/versions/latest/tree/"),
        "list a directory": middle(client, f"{model}/versions/latest/tree/part-001/"),
        "list all files, first page": middle(client, f"{model}/versions/latest/tree/?recursive=true"),
        "list all files, last page": middle(client, f"{model}/versions/latest/tree/?recursive=true&page={last}"),
        "search a file": middle(client, "/v1/search/?q=item-999&type=file"),
    }
    return {name: round(value, 1) for name, value in figures.items()}


def timed(client: load.Client, method: str, path: str, body: Any = None) -> float:
    return client.timed(method, path, None if body is None else json.dumps(body).encode()) * 1000


def middle(client: load.Client, path: str, times: int = 20) -> float:
    return median(timed(client, "GET", path) for _ in range(times))


# --- What came out


def text(results: dict[str, Any]) -> str:
    rows = [[name, value] for name, value in results["machine"].items()]
    files = [[name, f"{value:,.1f} ms"] for name, value in results["many_files"].items()]
    parts = [
        report.table(["machine", ""], rows),
        _growth(results["growth"], *results["versions"]),
        _load(results),
        report.table([f"a version of {results['files']:,} files", ""], files),
    ]
    return "\n\n".join(parts) + "\n"


def _growth(growth: dict[str, dict[str, float]], short: int, long: int) -> str:
    rows = []
    for name, taken in growth.items():
        before, after = taken[str(short)], taken[str(long)]
        ratio = after / before
        reached = f"≤ {MOST_GROWTH} {report.mark(ratio <= MOST_GROWTH)}" + _floor(name, after)
        rows.append([name, f"{before:.1f} ms", f"{after:.1f} ms", f"{ratio:.2f}", reached])
    return report.table(["one client, p50", f"{short:,} versions", f"{long:,} versions", "growth", "to reach"], rows)


def _load(results: dict[str, Any]) -> str:
    on_postgresql = results["machine"]["database"] == "PostgreSQL"
    rows = []
    for one in results["load"].values():
        name, rate, cpu = one["name"], one["per_second"], one["server_cpu_ms"]
        least, most = RATES[name][on_postgresql].get(one["clients"]), MOST_CPU_MS.get(name)
        reach = [f"≥ {least}/s {report.mark(rate >= least)}"] if least else []
        reach += [f"≤ {most} ms {report.mark(cpu <= most)}"] if most else []
        figures = [f"{one['versions']:,}", f"{rate:,.0f}", f"{one['p95_ms']:.1f} ms", f"{cpu:.1f} ms"]
        rows.append([name, str(one["clients"]), *figures, ", ".join(reach)])
    head = ["under load", "clients", "versions", "per second", "p95", "server CPU a request", "to reach"]
    return report.table(head, rows)


def _floor(name: str, milliseconds: float) -> str:
    if name == "publish":
        per_second = 1000 / milliseconds
        return f"; > {LEAST_PUBLISHED} a second: {per_second:.0f} {report.mark(per_second > LEAST_PUBLISHED)}"
    if name == "set alias":
        return f"; < {MOST_ALIAS_MS} ms {report.mark(milliseconds < MOST_ALIAS_MS)}"
    return ""


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
