"""A site under faults: one or more servers over one database and one directory, its commands, and alice who uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.http_client import Person, alice_at, rows
from tests.servers import ROOT, Server, start_server


@dataclass
class Site:
    tmp_path: Path
    env: Mapping[str, str]
    servers: list[Server]
    alice: Person

    def start_again(self, at: int = 0) -> None:
        """Start a server that was killed, on its port, and wait until it answers."""
        port = self.servers[at].port
        self.servers[at] = start_server(self.tmp_path, PORT=port, **self.env)
        self.servers[at].wait_until_ready()
        if self.alice.server.port == port:
            self.alice.server = self.servers[at]

    def manage(self, *words: str) -> str:
        """Run a management command that must succeed; return what it printed."""
        settings = {**os.environ, "LMVP_DATA_DIR": str(self.servers[0].data_dir), **self.env}
        done = subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=settings, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def rows(self, expression: str) -> Any:
        return rows(self.servers[0], self.env, expression)

    def output(self) -> str:
        return "\n".join(server.output()[-3000:] for server in self.servers)


@contextmanager
def running_site(tmp_path: Path, env: Mapping[str, str], *, servers: int = 1) -> Iterator[Site]:
    """Run so many servers until the block ends, whoever kills and starts them meanwhile. alice speaks with the first."""
    env = {"LMVP_DATA_DIR": str(tmp_path / "var"), **env}
    site = Site(tmp_path, env, [], Person(None, ""))  # type: ignore[arg-type]
    try:
        for _ in range(servers):  # one after the other: the first migrates
            site.servers.append(start_server(tmp_path, **env))
            site.servers[-1].wait_until_ready()
        site.alice = alice_at(site.servers[0], env)
        yield site
    finally:
        for server in site.servers:
            server.kill()


def at(person: Person, server: Server) -> Person:
    """Return the same person, who speaks with another server."""
    return replace(person, server=server)
