"""The server's main work through a real PgBouncer in transaction mode, over few connections; and queries that end in time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import OperationalError, connection

from registry.api.errors import exception_handler
from registry.web import refusals
from tests.http_client import Person, alice_at
from tests.servers import empty_database, free_port, running_server, wait_until

CLIENTS = 24
PUBLISHES = 72
MODEL = "/v1/projects/vision/models/classifier/"
POOL = 3
CONFIGURATION = """[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool}
max_client_conn = 500
"""


@pytest.fixture
def pgbouncer(postgresql: None, tmp_path: Path) -> Iterator[tuple[dict[str, str], str]]:
    """An empty database, and the address of a PgBouncer before it."""
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        assert "LMVP_REQUIRE_SERVICES" not in os.environ, "pgbouncer is not installed"
        pytest.skip("needs pgbouncer: apt-get install pgbouncer")
    with empty_database() as env:
        url = urlsplit(env["DATABASE_URL"])
        listen = free_port()
        place = tmp_path / "pgbouncer"
        place.mkdir()
        (place / "users").write_text("")
        file = place / "pgbouncer.ini"
        where = {"host": url.hostname, "port": url.port or 5432, "users": place / "users"}
        named = f" user={url.username or 'postgres'}" + (
            f" password={env['DB_PASSWORD']}" if env["DB_PASSWORD"] else ""
        )
        said = CONFIGURATION.format(listen=listen, pool=POOL, **where)
        file.write_text(said.replace(f"port={where['port']}\n", f"port={where['port']}{named}\n"))
        process = run(program, file)
        try:
            through = url._replace(netloc=f"{url.username or 'postgres'}@127.0.0.1:{listen}").geturl()
            wait_until(lambda: answers(through), what=lambda: (place / "log").read_text())
            yield env, through
        finally:
            process.kill()
            process.wait()


def run(program: str, file: Path) -> subprocess.Popen[bytes]:
    """Start it; it refuses to run as root, and reads its files as nobody then."""
    command = [program, str(file)]
    if os.getuid() == 0:
        for above in (*file.parents, file):
            if above.owner() == "root" and above.is_relative_to("/tmp") and above != Path("/tmp"):
                above.chmod(0o755 if above.is_dir() else 0o644)
        command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
    with (file.parent / "log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)


def answers(url: str) -> bool:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True


def ask(url: str, sql: str) -> list[tuple]:
    found = psycopg2.connect(url, password=os.environ.get("DB_PASSWORD") or None)
    try:
        with found.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()
    finally:
        found.close()


def test_many_clients_do_their_work_over_few_connections(pgbouncer, tmp_path: Path) -> None:
    env, through = pgbouncer
    with running_server(tmp_path, LMVP_PGBOUNCER_URL=through, **env) as server:
        alice = alice_at(server, env)
        with ThreadPoolExecutor(CLIENTS) as pool:
            numbers = list(pool.map(lambda n: work(alice, n), range(PUBLISHES)))
        assert sorted(numbers) == list(range(1, PUBLISHES + 1)), server.output()[-3000:]
        url = urlsplit(env["DATABASE_URL"])
        sql = f"SELECT pid FROM pg_stat_activity WHERE datname = '{url.path[1:]}' AND backend_type = 'client backend'"
        assert 1 <= len(ask(url._replace(path="/postgres").geturl(), sql)) <= POOL
        status, listed = alice.call("GET", f"{MODEL}versions/")
        assert (status, listed["results"][0]["number"]) == (200, PUBLISHES)


def work(alice: Person, n: int) -> int:
    """Upload, publish, find by digest, and read the bytes; return the version's number."""
    content = f"weights {n}".encode()
    made = alice.publish("vision/classifier", {"w.bin": content}, message=f"{n}")
    status, found = alice.call("GET", f"{MODEL}versions/{made['digest'][:16]}/")
    assert (status, found["number"]) == (200, made["number"])
    assert alice.call("GET", f"{MODEL}versions/{made['number']}/files/w.bin") == (200, content)
    return made["number"]


def test_a_request_that_takes_the_database_too_long_is_answered_503(postgresql: None, tmp_path: Path) -> None:
    with empty_database() as env, running_server(tmp_path, LMVP_STATEMENT_TIMEOUT=1, LMVP_WORKERS=1, **env) as server:
        alice = alice_at(server, env)
        holder = psycopg2.connect(env["DATABASE_URL"], password=env["DB_PASSWORD"] or None)
        holder.cursor().execute("LOCK TABLE registry_project IN ACCESS EXCLUSIVE MODE")
        status, answer = alice.call("GET", "/v1/projects/")
        assert (status, answer["error"]["code"]) == (503, "database_busy")
        assert server.status("/search/?q=x") == 503
        holder.close()
        assert alice.call("GET", "/v1/projects/")[0] == 200


@pytest.mark.django_db(transaction=True)
def test_a_query_that_was_stopped_is_told_apart(postgresql: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '50ms'")
        try:
            with pytest.raises(OperationalError) as stopped:
                cursor.execute("SELECT pg_sleep(5)")
        finally:
            cursor.execute("RESET statement_timeout")
    answer = exception_handler(stopped.value, {})
    assert (answer.status_code, answer.data["error"]["code"]) == (503, "database_timeout")
    assert answer.headers["Retry-After"] == "10"
    assert refusals._out_of_order(stopped.value)["Retry-After"] == "10"


@pytest.mark.django_db(transaction=True)
def test_a_lock_of_a_session_ends_with_its_run_also_in_a_server_that_keeps_connections(
    postgresql: None, monkeypatch
) -> None:
    from lmvp.postgresql import base
    from registry.services.alone import run_alone

    connection.close()
    monkeypatch.setattr(base, "_connections", base.Connections(keeping=True))
    with run_alone("verify"):
        pass
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert cursor.fetchone() == (0,)
    connection.close()
