"""A changed DB_PASSWORD works on the existing volume: deploy/postgres/start.sh against a real PostgreSQL.

The script runs as in its container, with a stand-in for the image's docker-entrypoint.sh, on a cluster that demands
passwords (scram-sha-256).
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from tests.servers import free_port, wait_until

SCRIPT = Path(__file__).resolve().parent.parent / "deploy/postgres/start.sh"
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
ROLE = "lm vp"
PASSWORDS = [
    "plain",
    "quote ' and '' two",
    'double " quote',
    "back\\slash \\' end\\",
    "$HOME `id` $(id)",
    "a@b:c/d?e#f%20",
    "  ",
    "ü√",
]

pytestmark = [
    pytest.mark.skipif(
        not (BINARIES and shutil.which("setpriv")) and not os.environ.get("LMVP_REQUIRE_SERVICES"),
        reason="needs PostgreSQL's server programs in /usr/lib/postgresql (apt-get install postgresql) and setpriv",
    ),
    pytest.mark.xdist_group("db_password"),
]


@pytest.fixture(scope="module")
def volume():
    """An empty volume, owned by who runs PostgreSQL: user postgres when the tests run as root."""
    if BINARIES and os.getuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip("needs a user postgres, because PostgreSQL does not run as root")
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="lmvp-db-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "bin").mkdir()
        for program, text in (
            ("docker-entrypoint.sh", ENTRYPOINT),
            ("postgres", POSTGRES.format(directory=directory, binaries=BINARIES[-1].parent)),
        ):
            (directory / "bin" / program).write_text(text)
            (directory / "bin" / program).chmod(0o755)
        (directory / "data").mkdir(mode=0o700)
        (directory / "run").mkdir()
        if os.getuid() == 0:
            shutil.chown(directory / "data", "postgres")
            shutil.chown(directory / "run", "postgres")
        yield directory


# Notes its arguments, then is the real thing.
POSTGRES = """#!/usr/bin/env bash
printf '%s\\n' "$@" >>"{directory}/run/arguments"
exec "{binaries}/postgres" "$@"
"""

# What the image's own script does, as far as it matters: the password counts only while the volume is empty.
ENTRYPOINT = """#!/usr/bin/env bash
set -euo pipefail
if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"; fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --no-sync --encoding=UTF8 --locale=C --username="$POSTGRES_USER" --auth=scram-sha-256 \\
    --pwfile=<(printf '%s\\n' "$POSTGRES_PASSWORD") >/dev/null
  printf 'CREATE DATABASE "%s";\\n' "$POSTGRES_DB" | postgres --single -D "$PGDATA" postgres >/dev/null
fi
exec "$@"
"""


@contextmanager
def started(volume, password):
    """Start the service with a password; give its port."""
    port = free_port()
    env = {
        "PATH": f"{volume}/bin:{BINARIES[-1].parent}:{os.environ['PATH']}",
        "PGDATA": str(volume / "data"),
        "POSTGRES_USER": ROLE,
        "POSTGRES_DB": "lmvp",
        "POSTGRES_PASSWORD": password,
    }
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": volume / "run",
        "log_statement": "all",
        "fsync": "off",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    with (volume / "log").open("ab") as log:
        process = subprocess.Popen(
            ["bash", str(SCRIPT), "postgres", *arguments], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        ready = [str(BINARIES[-1].parent / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        wait_until(
            lambda: process.poll() is not None or subprocess.run(ready, check=False).returncode == 0,
            what=(volume / "log").read_text,
        )
        assert process.poll() is None, (volume / "log").read_text()
        yield port
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown; the script has become postgres by exec
        process.wait(timeout=30)


def signed_in_as(port, password):
    connection = psycopg2.connect(host="127.0.0.1", port=port, user=ROLE, password=password, dbname="lmvp")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            return cursor.fetchone()[0]
    finally:
        connection.close()


def test_changed_password_works_on_the_existing_volume_and_the_old_one_no_longer(volume):
    before = "first"
    with started(volume, before) as port:
        assert signed_in_as(port, before) == ROLE
    for password in PASSWORDS:
        with started(volume, password) as port:
            assert signed_in_as(port, password) == ROLE
            with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
                signed_in_as(port, before)
        before = password


def test_password_stands_in_no_argument_and_no_log(volume):
    with started(volume, "seen-by-nobody") as port:
        assert signed_in_as(port, "seen-by-nobody") == ROLE
    arguments = (volume / "run" / "arguments").read_text()
    assert "--single" in arguments
    assert "seen-by-nobody" not in arguments
    assert "seen-by-nobody" not in (volume / "log").read_text()
