"""The server under the demo: one that runs already, or one started here and stopped with the demo. Knows no model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60


class Server:
    """`manage.py serve` as a child. Its log goes to a file, and to the terminal too once `show_log` was called."""

    def __init__(self, address: str, log: Path) -> None:
        self.address, self.log = address, log
        self._shown = False
        self._process: subprocess.Popen[str] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this demo started it."""
        return self._process is not None

    def start(self) -> None:
        """Start it and wait until it answers; SystemExit with its log when it does not."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for the demo, which then stops the server
        )
        assert self._process.stdout
        self._pump = threading.Thread(target=self._copy, args=(self._process.stdout,), daemon=True)
        self._pump.start()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if who_answers(self.address) == "lmvp":
                return
            time.sleep(0.1)
        self.stop()
        sys.exit(f"The server did not start. It said:\n\n{self.log.read_text()}")

    def show_log(self) -> None:
        self._shown = True

    def wait(self) -> int:
        """Return the server's exit code, once it has ended."""
        assert self._process
        return self._process.wait()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pump.join(2)

    def _copy(self, lines: IO[str]) -> None:
        with self.log.open("w") as file:
            for line in lines:
                file.write(line)
                file.flush()
                if self._shown:
                    print(line, end="", flush=True)


@contextmanager
def running_server(host: str, port: int, log: Path) -> Iterator[Server]:
    """Give a server on this port: the one that is there, if it is LMVP, or one of our own, stopped at the end."""
    server = Server(f"http://{host}:{port}", log)
    found = who_answers(server.address)
    if found == "another":
        sys.exit(f"Something else answers on port {port}. Take another one: PORT={port + 1} make demo")
    try:
        if found == "nobody":
            server.start()
        yield server
    finally:
        server.stop()


def who_answers(address: str) -> str:
    """Return "lmvp", "another" or "nobody"."""
    try:
        # Without proxies: HTTP_PROXY in the environment is not meant for this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{address}/healthz", timeout=5) as response:
            return "lmvp" if json.load(response) == {"status": "ok"} else "another"
    except OSError as error:
        refused = isinstance(getattr(error, "reason", error), ConnectionRefusedError)
        return "nobody" if refused else "another"
    except ValueError:
        return "another"
