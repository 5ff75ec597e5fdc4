"""A server of the benchmark's own, on a free port over an empty data directory; an account on it; its memory."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent

MAKE_USER = """
import sys
from django.utils import timezone
from accounts.models import User
name, password = {name!r}, {password!r}
User.objects.create_user(name + "@example.org", name, password, email_verified_at=timezone.now())
"""


class Server:
    """`manage.py serve` with its own directory, as a context manager. Its log is in `directory`/server.log."""

    def __init__(self, directory: Path, database_url: str | None = None, pause: float = 0.1) -> None:
        self.directory = directory
        self._pause = pause  # seconds between two looks whether it answers
        self.port = _free_port()
        self._log = directory / "server.log"
        # What the shell has set for the user's own server must not reach this one.
        ours = {"PORT", "HOST", "LMVP_URL", "LMVP_DATA_DIR", "DATABASE_URL", "S3_BUCKET"}
        self.environment = {name: value for name, value in os.environ.items() if name not in ours} | {
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            "LMVP_URL": f"http://127.0.0.1:{self.port}",
            "LMVP_DATA_DIR": str(directory / "data"),
            "DATABASE_URL": database_url or f"sqlite:///{directory / 'data' / 'lmvp.sqlite3'}",
            "PYTHONUNBUFFERED": "1",
        }

    def __enter__(self) -> Server:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
            time.sleep(self._pause)
        raise SystemExit(f"The server did not start. Its log:\n{self._log.read_text()}")

    def processes(self) -> list[int]:
        """Return the server's processes, the master among them."""
        return _session(self._process.pid)

    def memory(self) -> int:
        """Return the bytes of memory that the server's processes have together (PSS: shared pages are counted once)."""
        return sum(_pss(pid) for pid in _session(self._process.pid))

    def cpu_seconds(self) -> float:
        """Return the processor time that the server's processes have taken, user's and system's."""
        return sum(_cpu(pid) for pid in _session(self._process.pid))

    def make_account(self) -> Account:
        """Make a user by Django, then everything else as a user would: signed in, a write token, a model."""
        name, password = f"bench-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
        code = MAKE_USER.format(name=name, password=password)
        subprocess.run(
            [sys.executable, "manage.py", "shell", "-v0", "-c", code], cwd=ROOT, env=self.environment, check=True
        )
        visitor = Account(self.port, name, token=None)
        login = visitor.call("POST", "/auth/login/", {"email": f"{name}@example.org", "password": password})
        signed_in = Account(self.port, name, login["tokens"]["access"])
        token = signed_in.call("POST", "/auth/tokens/", {"name": "bench", "scope": "write"})["token"]
        account = Account(self.port, name, token)
        account.make_model("large")
        return account


@dataclass(frozen=True)
class Account:
    """A user's key to the API, with a model `large` in the personal project."""

    port: int
    username: str
    token: str | None

    @property
    def model(self) -> str:
        return self.model_path("large")

    def model_path(self, name: str) -> str:
        return f"/v1/projects/{self.username}/models/{name}"

    def make_model(self, name: str) -> None:
        self.call("GET", f"/v1/projects/{self.username}/")  # the personal project is made when first asked for
        self.call("POST", f"/v1/projects/{self.username}/models/", {"name": name})

    def headers(self) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"Content-Type": "application/json", "Accept": "application/json"} | bearer

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request on its own connection, for what is not timed; anything but a success ends the run."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, None if body is None else json.dumps(body), self.headers())
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.status >= 300:
            raise SystemExit(f"{method} {path} answered {response.status}: {content[:1000].decode()}")
        return json.loads(content) if content else None


class Memory:
    """Samples the server's memory in the background: `.before`, then `.peak` and `.after`, in bytes."""

    def __init__(self, server: Server, interval: float = 0.1) -> None:
        self._server, self._interval = server, interval
        self._stop = threading.Event()
        self.before = self.peak = self.after = 0

    def __enter__(self) -> Memory:
        self.before = self.peak = self._server.memory()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        self.after = self._server.memory()

    def _sample(self) -> None:
        while not self._stop.wait(self._interval):
            self.peak = max(self.peak, self._server.memory())


def target_of(href: str) -> str:
    """Return what stands in the request line for an address that the server gave."""
    address = urlsplit(href)
    return f"{address.path}?{address.query}" if address.query else address.path


def _session(leader: int) -> list[int]:
    """Return the processes of the session that the server's first process leads."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, ProcessLookupError):
            if os.getsid(int(entry.name)) == leader:
                found.append(int(entry.name))
    return found


def _cpu(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime: proc(5)
    return 0.0  # ended meanwhile


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0  # ended meanwhile


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
