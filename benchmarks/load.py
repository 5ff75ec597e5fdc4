"""Many small requests: client processes with one kept-alive connection each, and what their latencies say."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection

from server import Account, target_of

fork = get_context("fork")
STALL = (0.038, 0.050)  # a delayed acknowledgement is 40 ms: requests that wait for one gather here

# What one client does again and again; each time is one latency in seconds.
Work = Callable[["Client"], Iterator[float]]


@dataclass
class Client:
    """One client process: a kept-alive connection (http.client sets TCP_NODELAY) and a number of its own."""

    account: Account
    number: int
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.account.port, timeout=60)

    def timed(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> float:
        """Return the seconds from the first byte sent to the last received; anything but a success ends the run."""
        headers = self.account.headers() if headers is None else headers
        started = time.perf_counter()
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        self.content = response.read()
        seconds = time.perf_counter() - started
        if response.status >= 300:
            raise RuntimeError(f"{method} {path} answered {response.status}: {self.content[:500]!r}")
        return seconds


@dataclass(frozen=True)
class Latencies:
    """What `clients` processes measured together, for `seconds`."""

    clients: int
    seconds: float
    values: list[float]
    cpu: float = 0.0  # seconds of the server's processors in that time, where it was asked for

    @property
    def per_second(self) -> float:
        return len(self.values) / self.seconds

    def percentile(self, share: float) -> float:
        return sorted(self.values)[min(int(len(self.values) * share), len(self.values) - 1)]

    @property
    def stalled(self) -> float:
        """The share of requests that took 38 to 50 ms."""
        return sum(STALL[0] <= value <= STALL[1] for value in self.values) / len(self.values)

    def summary(self) -> dict[str, float]:
        return {
            "clients": self.clients,
            "requests": len(self.values),
            "per_second": round(self.per_second, 1),
            "p50_ms": round(self.percentile(0.5) * 1000, 2),
            "p95_ms": round(self.percentile(0.95) * 1000, 2),
            "share_38_to_50_ms": round(self.stalled, 4),
            "server_cpu_ms": round(self.cpu / len(self.values) * 1000, 2),
        }


def measure(
    account: Account,
    work: Work,
    *,
    clients: int,
    seconds: float,
    warm_up: float = 0.5,
    cpu: Callable[[], float] = lambda: 0.0,
) -> Latencies:
    """Let `clients` processes repeat `work` for `seconds`, from one moment on, after a warm-up that does not count.

    `cpu` says what processor time the server has taken; it is asked when those seconds begin and end.
    """
    start = time.monotonic() + warm_up + 0.1 * clients
    pipes = []
    for number in range(clients):
        ours, theirs = fork.Pipe(duplex=False)
        fork.Process(target=_run, args=(Client(account, number), work, start, seconds, theirs), daemon=True).start()
        theirs.close()
        pipes.append(ours)
    before, after = (_at(moment, cpu) for moment in (start, start + seconds))
    results = [pipe.recv() for pipe in pipes]
    if failures := [result for result in results if isinstance(result, str)]:
        raise SystemExit(failures[0])
    return Latencies(clients, seconds, list(itertools.chain.from_iterable(results)), after - before)


def _at(moment: float, ask: Callable[[], float]) -> float:
    time.sleep(max(0.0, moment - time.monotonic()))
    return ask()


def _run(client: Client, work: Work, start: float, seconds: float, answer: Connection) -> None:
    random.seed()  # a forked process inherits the state
    values = []
    try:
        while time.monotonic() < start + seconds:
            for value in work(client):
                # A request counts where it ends: inside the measured time.
                if start <= time.monotonic() <= start + seconds:
                    values.append(value)
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        answer.send(f"Client {client.number}: {error!r}")
    else:
        answer.send(values)


# --- The works


def get_by_alias(client: Client) -> Iterator[float]:
    yield client.timed("GET", f"{client.account.model_path('read')}/versions/production/")


def list_newest(client: Client) -> Iterator[float]:
    yield client.timed("GET", f"{client.account.model_path('read')}/versions/?page_size=50")


def publish_work(digest: str) -> Work:
    """One request a version: a stored blob, 10 parameters, 5 metrics. Each client publishes to a model of its own."""

    def publish(client: Client) -> Iterator[float]:
        path = f"{client.account.model_path(f'publish-{client.number}')}/versions/"
        yield client.timed("POST", path, version_body(digest))

    return publish


def small_put(client: Client) -> Iterator[float]:
    """A new file of 1 KiB; only the PUT counts, which goes over the same kept-alive connection."""
    content = os.urandom(1024)
    asked = json.dumps([{"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}]).encode()
    client.timed("POST", f"{client.account.model_path('large')}/uploads/", asked)
    [upload] = json.loads(client.content)
    yield client.timed("PUT", target_of(upload["href"]), content, headers={})


def version_body(digest: str) -> bytes:
    """The body of a publish that is never the same twice, so that it is never taken for a repetition."""
    body = {
        "message": "A run of the sweep",
        "base": "empty",
        "files": [{"path": "weights.npz", "sha256": digest}],
        "metadata": {f"parameter_{index}": random.random() for index in range(10)},
        "metrics": [{"name": f"metric_{index}", "value": random.random()} for index in range(5)],
    }
    return json.dumps(body).encode()
