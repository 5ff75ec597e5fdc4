"""Real servers for tests: `manage.py serve` in a process group of its own, on a free port, with data of its own."""

from __future__ import annotations

import atexit
import http.client
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

ROOT = Path(__file__).resolve().parent.parent
DEADLINE = 60  # seconds for a start with all migrations on a busy machine
# What the surrounding run decides for itself must not reach the server under test.
CLEARED = (
    "DATABASE_URL",
    "DB_PASSWORD",
    "LMVP_URL",
    "HOST",
    "SECRET_KEY",
    "S3_BUCKET",
    "S3_PUBLIC_ENDPOINT_URL",
    "AWS_S3_ENDPOINT_URL",
    "AWS_REGION",
    "LMVP_ACTIVE_ROOT",
    "EMAIL_URL",
    "LOG_FORMAT",
    "DEBUG",
)


@dataclass
class Server:
    url: str
    port: int
    process: subprocess.Popen[bytes]
    data_dir: Path
    log: Path
    killed: bool = False

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def status(self, path: str) -> int | None:
        """Return the status that GET `path` is answered with; None when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.process.poll() is not None or self.status("/healthz") == 200, what=self.output)
        assert self.process.poll() is None, f"the server ended:\n{self.output()}"

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Send a signal to the master alone, and return its exit status."""
        self.process.send_signal(signal_number)
        return self.process.wait(timeout=DEADLINE)

    def kill(self) -> None:
        """SIGKILL master and workers at once: the plug is pulled. Only once: their number may be somebody else's by then."""
        if self.killed:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=DEADLINE)
        self.killed = True


def wait_until(condition, *, seconds: float = DEADLINE, what=lambda: "") -> None:
    """Return as soon as `condition()` holds; fail with `what()` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s\n{what()}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def empty_database() -> Iterator[dict[str, str]]:
    """Give a server's environment for an empty database of the kind that the suite runs on; drop it at the end."""
    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if not url.scheme.startswith("postgres"):
        yield {}  # SQLite, in the data directory
        return
    name = f"lmvp_test_server_{secrets.token_hex(4)}"
    password = url.password or os.environ.get("DB_PASSWORD")
    admin = psycopg2.connect(url._replace(path="/postgres").geturl(), **({"password": password} if password else {}))
    admin.autocommit = True
    try:
        admin.cursor().execute(f"CREATE DATABASE {name}")
        yield {"DATABASE_URL": url._replace(path=f"/{name}").geturl(), "DB_PASSWORD": password or ""}
    finally:
        admin.cursor().execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.close()


@cache
def migrated() -> Path:
    """Return an empty database of SQLite. Servers take copies of it: to migrate takes longer than most of what is asked of them."""
    place = Path(tempfile.mkdtemp(prefix="lmvp-migrated-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    env = {name: value for name, value in os.environ.items() if name not in CLEARED} | {"LMVP_DATA_DIR": str(place)}
    for command in (["migrate"], ["createcachetable"]):
        words = [sys.executable, "manage.py", *command, "--verbosity", "0"]
        subprocess.run(words, cwd=ROOT, env=env, check=True)
    whole = sqlite3.connect(place / "lmvp.sqlite3")
    whole.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole.close()
    return place / "lmvp.sqlite3"


def lay_database(data_dir: Path) -> None:
    """Let a server begin with an empty database, unless there is one."""
    if not (data_dir / "lmvp.sqlite3").exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy(migrated(), data_dir)


def start_server(tmp_path: Path, **env: str | int | Path) -> Server:
    """Start `manage.py serve` without waiting for it. Data, output and port are reused when given again by `env`."""
    settings = {"LMVP_DATA_DIR": tmp_path / "var", "PORT": free_port(), "LMVP_WORKERS": 2, **env}
    given = {name: value for name, value in os.environ.items() if name not in CLEARED}
    tmp_path.mkdir(exist_ok=True)
    if not settings.get("DATABASE_URL"):
        lay_database(Path(settings["LMVP_DATA_DIR"]))
    log = tmp_path / f"server-{settings['PORT']}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=given | {name: str(value) for name, value in settings.items()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    port = int(settings["PORT"])
    return Server(f"http://localhost:{port}", port, process, Path(settings["LMVP_DATA_DIR"]), log)


@contextmanager
def running_server(tmp_path: Path, **env: str | int | Path) -> Iterator[Server]:
    """Run a server until the block ends. SQLite, unless `env` holds a DATABASE_URL."""
    server = start_server(tmp_path, **env)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.kill()
