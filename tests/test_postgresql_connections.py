"""The server's workers keep their PostgreSQL connections, and outlive those that break."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests.servers import Server, empty_database, running_server, wait_until

REQUESTS = 20


@pytest.fixture
def server(postgresql: None, tmp_path: Path) -> Iterator[Server]:
    with empty_database() as env, running_server(tmp_path, LMVP_WORKERS=1, **env) as server:
        server.database = env["DATABASE_URL"]
        yield server


def backends(server: Server) -> set[int]:
    """The process ids of PostgreSQL's side of the server's connections."""
    return {row[0] for row in ask(server, "SELECT pid FROM pg_stat_activity")}


def ask(server: Server, sql: str) -> list[tuple]:
    url = urlsplit(server.database)._replace(path="/postgres").geturl()
    name = urlsplit(server.database).path.strip("/")
    connection = psycopg2.connect(url, password=os.environ.get("DB_PASSWORD") or None)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"{sql} WHERE datname = %s AND backend_type = 'client backend'", [name])
            return cursor.fetchall()
    finally:
        connection.close()


def test_requests_one_after_the_other_share_one_connection(server: Server) -> None:
    assert server.status("/readyz") == 200
    first = backends(server)
    assert [server.status("/readyz") for _ in range(REQUESTS)] == [200] * REQUESTS
    assert first & backends(server)
    assert len(first | backends(server)) <= 2, (
        "the requests', and one of the thread that looks after aliases at the start"
    )


def test_connections_that_the_database_ended_are_replaced(server: Server) -> None:
    assert server.status("/readyz") == 200
    before = backends(server)
    ask(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity")
    wait_until(lambda: not backends(server) & before)
    assert [server.status("/readyz") for _ in range(3)] == [200] * 3
    assert not backends(server) & before
