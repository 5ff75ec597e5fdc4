"""A site under faults: one or more servers over one database and one directory, its commands, and alice who uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.faults.housekeeper import Housekeeper
from tests.http_client import SETTLE, Person
from tests.servers import Server, start_server


@dataclass
class Site:
    tmp_path: Path
    env: Mapping[str, str]
    servers: list[Server]
    alice: Person
    housekeeper: Housekeeper

    def start_again(self, at: int = 0) -> None:
        """Start a server that was killed, on its port, and wait until it answers."""
        port = self.servers[at].port
        self.servers[at] = start_server(self.tmp_path, PORT=port, **self.env)
        self.servers[at].wait_until_ready()
        if self.alice.server.port == port:
            self.alice.server = self.servers[at]

    def manage(self, *words: str) -> None:
        """Run a management command that must succeed."""
        self.keep_house(f"call_command(*{words!r})")

    def keep_house(self, code: str) -> Any:
        """Run code beside the servers (tests/faults/housekeeper.py says what it knows); return what it calls `found`."""
        return self.housekeeper.run(code)

    def output(self) -> str:
        return "\n".join(server.output()[-3000:] for server in self.servers)


@contextmanager
def running_site(tmp_path: Path, env: Mapping[str, str], *, servers: int = 1) -> Iterator[Site]:
    """Run so many servers until the block ends, whoever kills and starts them meanwhile. alice speaks with the first."""
    env = {"LMVP_DATA_DIR": str(tmp_path / "var"), **env}
    site = Site(tmp_path, env, [], Person(None, ""), Housekeeper(env))  # type: ignore[arg-type]
    try:
        site.servers += [start_server(tmp_path, **env) for _ in range(servers)]
        for server in site.servers:
            server.wait_until_ready()
        site.alice = Person(site.servers[0], site.keep_house(f"{SETTLE}found = token"))
        yield site
    finally:
        site.housekeeper.end()
        for server in site.servers:
            server.kill()


def at(person: Person, server: Server) -> Person:
    """Return the same person, who speaks with another server."""
    return replace(person, server=server)
