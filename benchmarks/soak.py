"""Mixed work for minutes, and what it leaves: memory, open files, database connections and latencies over time.

.venv/bin/python benchmarks/soak.py --minutes 10          SQLite, on a machine with nothing else to do
.venv/bin/python benchmarks/soak.py --minutes 10 --database-url postgres://…

Ends with 1 when memory or a latency grew, when files or connections stayed open, or when anything was refused.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soak_watch
from server import ROOT, Account, Server, target_of
from soak_watch import Sample, Watch

CLIENTS = 6
MODELS = 3
LARGEST = 2 * 2**20
PAUSE = 0.02  # seconds between two works of one client: a team, not a flood
AT_REST = 3.0  # seconds after the last request

Latency = tuple[float, str, float]  # when it ended, the work, seconds


@dataclass
class Client:
    """One of those who work: picks a work, does it, and writes down how long each request took."""

    account: Account
    number: int
    until: float
    latencies: list[Latency] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    versions: int = 0

    def run(self) -> None:
        self.dice = random.Random()  # other bytes than before: the server has those
        self.model = self.account.model_path(f"soak-{self.number % MODELS}")
        self.publish()
        works = [self.publish, self.send_parts, self.download, self.download, self.list, self.list, self.move_alias]
        while time.monotonic() < self.until:
            self.dice.choice([*works, self.look, self.look])()
            time.sleep(PAUSE)

    # --- The works

    def publish(self) -> None:
        self._publish(self._put(self._content(20_000)))

    def send_parts(self) -> None:
        content = self._content(LARGEST)
        digest, href = self._announce(content)
        for start in range(0, len(content), LARGEST // 4):
            about = {"Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
            self._ask("a part", "PATCH", href, content[start : start + LARGEST // 4], about)
        self._publish(digest)

    def download(self) -> None:
        content = self._ask("download", "GET", f"{self.model}/versions/{self.version}/files/weights.npz")
        if hashlib.sha256(content).hexdigest() != self.digest:
            self.failures.append(f"wrong bytes of version {self.version}")

    def list(self) -> None:
        self._ask("list", "GET", f"{self.model}/versions/?page_size=50")

    def move_alias(self) -> None:
        body = json.dumps({"revision": str(self.version)}).encode()
        self._ask("alias", "PUT", f"{self.model}/aliases/client-{self.number}/", body)

    def look(self) -> None:
        """Open a page, as a visitor: the project is public."""
        place = self.model.removeprefix("/v1/projects").replace("/models", "")
        self._ask("page", "GET", self.dice.choice(["/", place, f"{place}/versions/{self.version}"]), page=True)

    # --- Requests

    def _publish(self, digest: str) -> None:
        body = {
            "message": f"client {self.number}",
            "base": "empty",
            "files": [{"path": "weights.npz", "sha256": digest}],
            "metrics": [{"name": "accuracy", "value": self.dice.random()}],
        }
        answer = self._ask("publish", "POST", f"{self.model}/versions/", json.dumps(body).encode())
        if answer:
            self.version, self.digest = json.loads(answer)["number"], digest
            self.versions += 1

    def _put(self, content: bytes) -> str:
        digest, href = self._announce(content)
        self._ask("upload", "PUT", href, content, {"Content-Type": "application/octet-stream"})
        return digest

    def _announce(self, content: bytes) -> tuple[str, str]:
        digest = hashlib.sha256(content).hexdigest()
        asked = json.dumps([{"size": len(content), "sha256": digest}]).encode()
        [offer] = json.loads(self._ask("ask", "POST", f"{self.model}/uploads/", asked))
        return digest, target_of(offer["href"])

    def _content(self, largest: int) -> bytes:
        return self.dice.randbytes(self.dice.randint(largest // 2, largest))

    def _ask(
        self, work: str, method: str, path: str, body: bytes | None = None, also: dict[str, str] | None = None,
        *, page: bool = False,
    ) -> bytes:  # fmt: skip
        about = {"Accept": "text/html"} if page else self.account.headers() | (also or {})
        connection = http.client.HTTPConnection("127.0.0.1", self.account.port, timeout=60)
        started = time.monotonic()
        try:
            connection.request(method, path, body, about)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        ended = time.monotonic()
        self.latencies.append((ended, work, ended - started))
        if response.status >= 300:
            self.failures.append(f"{method} {path} answered {response.status}: {content[:200]!r}")
        return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--database-url", help="a scratch PostgreSQL; rows stay there (default: SQLite)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample")
    given = parser.parse_args()
    (ROOT / "var").mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="soak-", dir=ROOT / "var"))
    try:
        with Server(directory, given.database_url) as server:
            soak = run(server, given.minutes * 60, given.database_url)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if given.json:
        given.json.write_text(json.dumps(soak.as_json(), indent=2) + "\n")
    print(soak.table())
    for line in soak.troubles():
        print(f"NOT WELL: {line}")
    print("Not well." if soak.troubles() else "All is well: memory and latencies flat, nothing left open.")
    sys.exit(bool(soak.troubles()))


def run(server: Server, seconds: float, database_url: str | None) -> soak_watch.Soak:
    account = server.make_account()
    account.call("PATCH", f"/v1/projects/{account.username}/", {"visibility": "public"})
    for number in range(MODELS):
        account.make_model(f"soak-{number}")
    work(server, account, min(5.0, seconds / 4))  # warm: what every worker keeps from its first requests is no leak
    before = at_rest(server, database_url)
    started = time.monotonic()
    with Watch(server, database_url, interval=max(0.5, seconds / 120)) as watch:
        clients = work(server, account, seconds)
    return soak_watch.Soak(
        started=started,
        seconds=seconds,
        samples=watch.samples,
        before=before,
        after=at_rest(server, database_url),
        latencies=[one for client in clients for one in client.latencies],
        failures=[one for client in clients for one in client.failures],
        versions=sum(client.versions for client in clients),
    )


def work(server: Server, account: Account, seconds: float) -> list[Client]:
    """Let all clients work for so long, and collect garbage now and then."""
    until = time.monotonic() + seconds
    clients = [Client(account, number, until) for number in range(CLIENTS)]
    run_together([*(client.run for client in clients), lambda: collect_until(server, until, seconds / 10)])
    return clients


def run_together(works: list[Callable[[], Any]]) -> None:
    with ThreadPoolExecutor(len(works)) as crew:
        for done in [crew.submit(one) for one in works]:
            done.result()  # whoever could not go on ends the run


def collect_until(server: Server, until: float, pause: float) -> None:
    while time.monotonic() + pause < until:
        time.sleep(pause)
        command = [sys.executable, "manage.py", "collect_garbage"]
        subprocess.run(command, cwd=ROOT, env=server.environment, check=True, stdout=subprocess.DEVNULL)


def at_rest(server: Server, database_url: str | None) -> Sample:
    os.sync()
    time.sleep(AT_REST)
    return soak_watch.sample(server, database_url)


if __name__ == "__main__":
    main()
