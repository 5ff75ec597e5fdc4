"""`manage.py serve`: one port, one migration at a time, then gunicorn with threaded workers in this process.

Owns how the server starts and stops. Owns no route and no rule.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import logging
import os
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gunicorn.http.wsgi
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.urls import get_resolver
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger

from lmvp import migrating
from lmvp.watching import sharing

logger = logging.getLogger("lmvp.server")
BACKLOG = 2048
M_ARENA_MAX = -8  # malloc.h of glibc


def serve() -> None:
    """Serve until SIGTERM or SIGINT. Raise CommandError, with what to do, where that cannot begin."""
    logging.captureWarnings(True)  # a JSON log holds nothing but JSON
    check_environment()
    listener = listen(settings.HOST, settings.PORT)  # first: nobody migrates to learn that the port is taken
    migrate()
    limit_malloc_arenas()
    try:
        Server(listener).run()
    finally:
        sharing.forget_figures()


# --- Before the first request


def check_environment() -> None:
    """Make the data directory's folders, or say who may not."""
    try:
        settings.INCOMING_DIR.mkdir(parents=True, exist_ok=True)
        writable = os.access(settings.LMVP_DATA_DIR, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    if not writable:
        raise CommandError(
            f"The data directory {settings.LMVP_DATA_DIR} cannot be written by user {os.getuid()}. "
            f"Run `chown -R {os.getuid()} {settings.LMVP_DATA_DIR}`, or name another with LMVP_DATA_DIR."
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; clients that come before the workers wait in its backlog."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CommandError(_why_not_listening(error, host, port)) from error


def _why_not_listening(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        free = port + 1 if port < 65535 else 8000
        return f"Port {port} on {host} is in use. Take another with `PORT={free} make serve`, or stop what runs there."
    if error.errno == errno.EACCES:
        return f"Port {port} needs root. Take one above 1023 with `PORT=8000 make serve`, and a proxy in front of it."
    return f"Cannot listen on HOST={host} PORT={port}: {error.strerror}. HOST is this machine's own address or 0.0.0.0."


def migrate() -> None:
    """Bring the database up to date, one process at a time; without pending migrations no lock is taken."""
    try:
        if not _is_pending():
            return
        with migrating.alone():
            if _is_pending():  # another process may have done it while this one waited
                logger.info("Migrating the database")
                call_command("migrate", verbosity=0, interactive=False)
                call_command("createcachetable", verbosity=0)
    except OperationalError as error:
        raise CommandError(_why_no_database(error)) from error
    finally:
        connections.close_all()  # no connection crosses the fork


def _is_pending() -> bool:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return True
    cache = settings.CACHES["default"]
    in_table = cache["BACKEND"].endswith("DatabaseCache")
    return in_table and cache["LOCATION"] not in connection.introspection.table_names()


def _why_no_database(error: OperationalError) -> str:
    database = settings.DATABASES["default"]
    if connection.vendor == "sqlite":
        return f"The database {database['NAME']} cannot be used: {error}. Is its directory there, and writable?"
    reason = " ".join(str(error).split())
    return f"The database cannot be used: {reason} Does it run, and are DATABASE_URL and DB_PASSWORD right?"


def limit_malloc_arenas() -> None:
    """Keep memory flat under hundreds of threads: two heaps instead of eight per core, unless the operator chose."""
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl and macOS have none, and no arenas either
    if mallopt:
        mallopt(M_ARENA_MAX, 2)


# --- gunicorn


class Log(Logger):
    """gunicorn's few words, in the app's own log."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.propagate = True


class Server(BaseApplication):
    """The Django application, loaded once before the workers fork."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener_fd = listener.detach()  # gunicorn closes it
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options().items():
            self.cfg.set(name, value)

    def options(self) -> dict[str, Any]:
        return {
            "bind": f"fd://{self.listener_fd}",
            "backlog": BACKLOG,
            "worker_class": "gthread",
            "workers": settings.WORKERS,
            "threads": settings.THREADS,
            "worker_connections": settings.THREADS + 1000,  # those without a thread wait in the poller, costing little
            "preload_app": True,
            "keepalive": 15,
            "graceful_timeout": 25,  # container engines kill after 30 (docker-compose.yml says so)
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,
            "control_socket_disable": True,
            # LMVP_PROXIES alone decides which proxy is believed, in Django.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "accesslog": None,
            "errorlog": None,
            "loglevel": "warning",
            "logger_class": Log,
            "proc_name": "lmvp",
            "when_ready": announce,
            "post_worker_init": settle_in,
            "child_exit": lambda arbiter, worker: bury(worker.pid),
            "worker_int": lambda worker: os._exit(0),  # Ctrl-C does not wait for slow transfers
        }

    def load(self) -> Callable[..., Any]:
        gunicorn.http.wsgi.SERVER = "lmvp"  # the Server header; gunicorn has no setting for it
        from lmvp.wsgi import application
        from registry import storage

        storage.shared()  # imports what a bucket needs, where there is one
        _ = get_resolver().url_patterns  # imports every view now: once, and shared by the workers
        connections.close_all()
        gc.collect()
        gc.freeze()  # the collector touches no page that the workers share
        return application


def announce(arbiter: Arbiter) -> None:
    """Say that the server is ready, and what to do next; to machines in one line."""
    if settings.LOG_FORMAT == "json":
        logger.info("Serving %s on %s:%s", settings.LMVP_URL, settings.HOST, settings.PORT)
        return
    url = settings.LMVP_URL
    lines = [
        f"LMVP is ready: {url}",
        f"  The API, to try out:     {url}/docs/",
        "  A user for the admin:    make superuser",
        "  Stop:                    Ctrl-C",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def settle_in(worker: Any) -> None:
    """What a worker does before its first request; the very first one looks after the files of active aliases."""
    keep_the_database_at_hand(worker)
    if worker.age == 1:  # aside: fetching them from a bucket takes its time, and killed, it leaves nothing half-done
        threading.Thread(target=put_aliases_right, daemon=True).start()


def bury(pid: int) -> None:
    """What a worker that ended had in flight is no more."""
    from prometheus_client.multiprocess import mark_process_dead

    if sharing.master:
        mark_process_dead(pid)


def put_aliases_right() -> None:
    from registry.services.activation import put_right

    try:
        put_right()
    except Exception:
        logger.exception("The files of active aliases were not looked after; run manage.py materialise_aliases")


def keep_the_database_at_hand(worker: Any) -> None:
    """Keep connections that were given back. On SQLite, hold one more open and idle: whenever the last one closes, SQLite
    checkpoints and deletes the WAL."""
    if connection.vendor == "postgresql":
        from lmvp.postgresql.base import keep_connections
    else:
        from lmvp.sqlite3.base import keep_connections

        worker.sqlite = sqlite3.connect(settings.DATABASES["default"]["NAME"], isolation_level=None)
        worker.sqlite.execute("SELECT count(*) FROM sqlite_master").fetchall()  # opens the WAL; nothing stays locked
    keep_connections()
