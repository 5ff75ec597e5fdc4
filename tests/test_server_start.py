"""How the server starts and stops: real gunicorn processes."""

import os
import signal
import stat
import subprocess
import sys

import psycopg2
import pytest

from lmvp.migrating import LOCK
from tests import servers
from tests.servers import DEADLINE, ROOT, empty_database, running_server, start_server, wait_until


@pytest.fixture(autouse=True)
def _from_nothing(monkeypatch):
    """Other tests' servers begin with a database that is made already."""
    monkeypatch.setattr(servers, "lay_database", lambda data_dir: None)


@pytest.fixture
def database():
    with empty_database() as env:
        yield env


def test_server_answers_and_says_what_to_do_next(tmp_path, database):
    with running_server(tmp_path, **database) as server:
        assert server.status("/healthz") == 200
        assert f"LMVP is ready: {server.url}\n" in server.output()
        assert f"{server.url}/docs/" in server.output()
        assert "make superuser" in server.output()
        wait_until(lambda: len(server.workers()) == 2)


def test_json_log_holds_nothing_but_json_lines(tmp_path):
    with running_server(tmp_path, LOG_FORMAT="json") as server:
        lines = server.output().splitlines()
        assert [line for line in lines if not line.startswith("{")] == []
        assert any(f"Serving {server.url}" in line for line in lines)


def test_port_in_use_is_a_sentence_that_says_what_to_do(tmp_path):
    with running_server(tmp_path) as first:
        second = start_server(tmp_path / "second", PORT=first.port, LMVP_DATA_DIR=first.data_dir)
        try:
            assert second.process.wait(timeout=DEADLINE) == 1
        finally:
            second.kill()
        assert f"Port {first.port} on 127.0.0.1 is in use." in second.output()
        assert f"`PORT={first.port + 1} make serve`" in second.output()
        assert "Traceback" not in second.output()
        assert first.status("/healthz") == 200


def test_unreachable_database_is_a_sentence(tmp_path):
    server = start_server(tmp_path, DATABASE_URL="postgres://nobody@127.0.0.1:1/nothing")
    try:
        assert server.process.wait(timeout=DEADLINE) == 1
    finally:
        server.kill()
    assert "Connection refused" in server.output()
    assert "Does it run, and are DATABASE_URL and DB_PASSWORD right?" in server.output()
    assert "Traceback" not in server.output()


@pytest.mark.parametrize("password", ["$HOME", "a@b:c/d?e#f%20", "back\\slash \\$1", " '\" "])
def test_db_password_reaches_the_database_as_it_is(tmp_path, password):
    settings = {"LMVP_DATA_DIR": str(tmp_path), "DATABASE_URL": "postgres://lmvp@db:5432/lmvp", "DB_PASSWORD": password}
    asked = "from lmvp.settings import DATABASES; print(repr(DATABASES['default']['PASSWORD']))"
    answered = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=True
    )
    assert answered.stdout.strip() == repr(password)


def test_secret_key_is_private_and_stays(tmp_path):
    with running_server(tmp_path) as server:
        path = server.data_dir / "secret_key"
        key = path.read_text()
        assert len(key) >= 50
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with running_server(tmp_path):
        assert path.read_text() == key
    assert [file.name for file in path.parent.glob("secret_key*")] == ["secret_key"]


def test_two_first_starts_at_once_migrate_one_after_the_other(tmp_path, database):
    both = [start_server(tmp_path / name, LMVP_DATA_DIR=tmp_path / "var", **database) for name in ("a", "b")]
    try:
        for server in both:
            server.wait_until_ready()
        assert sum(server.output().count("Migrating the database") for server in both) == 1
    finally:
        for server in both:
            server.kill()


def test_a_start_that_waits_for_another_holds_up_no_index_that_is_built(postgresql, tmp_path, database):
    """As the other one does while it migrates: both waited for each other, and PostgreSQL ended one."""
    admin = psycopg2.connect(database["DATABASE_URL"], password=database["DB_PASSWORD"] or None)
    admin.autocommit = True
    server = start_server(tmp_path, **database)
    try:
        with admin.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            wait_until(lambda: "Waiting for another process" in server.output())
            cursor.execute("SET statement_timeout = '10s'")
            cursor.execute("CREATE TABLE grown (id int)")
            cursor.execute("CREATE INDEX CONCURRENTLY found ON grown (id)")
        admin.close()
        server.wait_until_ready()
    finally:
        admin.close()
        server.kill()


def test_a_job_that_migrates_beside_a_start_takes_turns_with_it(tmp_path, database):
    server = start_server(tmp_path, **database)
    job = subprocess.Popen(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=os.environ | {"LMVP_DATA_DIR": str(server.data_dir)} | database,
    )
    try:
        assert job.wait(timeout=DEADLINE) == 0
        server.wait_until_ready()
    finally:
        job.kill()
        server.kill()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_server_stops_and_leaves_nobody_behind(tmp_path, signal_number):
    with running_server(tmp_path) as server:
        wait_until(lambda: len(server.workers()) == 2)
        workers = server.workers()
        assert server.stop(signal_number) == 0
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), seconds=5)
        assert "Traceback" not in server.output()


def test_killed_worker_is_replaced(tmp_path, database):
    with running_server(tmp_path, **database) as server:
        wait_until(lambda: len(server.workers()) == 2)
        killed = server.workers()[0]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in server.workers() and len(server.workers()) == 2, what=server.output)
        wait_until(lambda: server.status("/healthz") == 200)
