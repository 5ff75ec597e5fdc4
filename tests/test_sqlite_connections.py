"""The server's workers keep SQLite connections that were given back: few, whole, and not across a fork. Writers take turns."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.db.utils import OperationalError

from lmvp.sqlite3 import base
from lmvp.sqlite3.base import MOST_IDLE, DatabaseWrapper

pytestmark = pytest.mark.django_db  # whatever the suite's own database is


@pytest.fixture
def keeping() -> Iterator[None]:
    base.keep_connections()
    yield
    for _, connection in base._idle or ():
        connection.close()
    base._afresh()


def wrapper(directory: Path, name: str = "db.sqlite3") -> Any:
    settings = connections.configure_settings({"default": {"ENGINE": "lmvp.sqlite3", "NAME": directory / name}})
    return DatabaseWrapper({**settings["default"], "OPTIONS": {"transaction_mode": "IMMEDIATE"}}, "default")


def opened(database: Any) -> Any:
    database.ensure_connection()
    return database.connection


def test_the_next_request_takes_the_connection_that_was_given_back(tmp_path: Path, keeping: None) -> None:
    one, other = wrapper(tmp_path), wrapper(tmp_path)
    first = opened(one)
    one.close()
    assert opened(other) is first
    with other.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys")
        assert cursor.fetchone() == (1,)
    other.close()


def test_another_file_has_another_connection(tmp_path: Path, keeping: None) -> None:
    one, other = wrapper(tmp_path), wrapper(tmp_path, "other.sqlite3")
    first = opened(one)
    one.close()
    assert opened(other) is not first
    other.close()


def test_one_that_is_left_in_a_transaction_is_closed_and_undone(tmp_path: Path, keeping: None) -> None:
    database = wrapper(tmp_path)
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (id int)")
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("INSERT INTO kept VALUES (1)")
    left = database.connection
    database.close()
    assert opened(database) is not left
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kept")
        assert cursor.fetchone() == (0,)
    database.close()


def test_no_more_are_kept_than_a_few(tmp_path: Path, keeping: None) -> None:
    databases = [wrapper(tmp_path) for _ in range(MOST_IDLE + 3)]
    for database in databases:
        opened(database)
    for database in databases:
        database.close()
    assert base._idle is not None
    assert len(base._idle) == MOST_IDLE


def test_a_child_process_takes_none(tmp_path: Path, keeping: None) -> None:
    database = wrapper(tmp_path)
    opened(database)
    database.close()
    child = os.fork()
    if child == 0:
        os._exit(0 if base._idle is None else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_without_keeping_a_connection_is_closed(tmp_path: Path) -> None:
    database = wrapper(tmp_path)
    first = opened(database)
    database.close()
    with pytest.raises(Exception, match="closed"):
        first.execute("SELECT 1")


def counting(database: Any, times: int) -> None:
    """Count on, each time in a transaction that reads before it writes."""
    for _ in range(times):
        with database.cursor() as cursor:
            database.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
            cursor.execute("SELECT n FROM counter")
            (n,) = cursor.fetchone()
            cursor.execute("UPDATE counter SET n = %s", [n + 1])
            database.commit()
            database.set_autocommit(True)
    database.close()


def counter(directory: Path) -> Any:
    database = wrapper(directory)
    with database.cursor() as cursor:
        cursor.execute("CREATE TABLE counter (n int)")
        cursor.execute("INSERT INTO counter VALUES (0)")
    return database


def counted(database: Any) -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT n FROM counter")
        (n,) = cursor.fetchone()
    database.close()
    return n


def test_threads_and_processes_write_one_after_the_other(tmp_path: Path) -> None:
    counter(tmp_path).close()
    children = []
    for _ in range(2):
        children.append(os.fork())
        if children[-1] == 0:
            with ThreadPoolExecutor(3) as pool:
                done = [pool.submit(lambda: counting(wrapper(tmp_path), 20)) for _ in range(3)]
            os._exit(any(one.exception() for one in done))
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert counted(wrapper(tmp_path)) == 120


def test_the_turn_is_given_back_however_a_transaction_ends(tmp_path: Path) -> None:
    one, other = counter(tmp_path), wrapper(tmp_path)
    for end in (one.commit, one.rollback, one.close):
        opened(one)
        one.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        with pytest.raises(OperationalError, match="locked"):
            begin(other)
        end()
        begin(other)
        other.rollback()
        other.set_autocommit(True)
        if one.connection:
            one.set_autocommit(True)
    one.close()
    other.close()


def begin(database: Any) -> None:
    opened(database)
    database.settings_dict["OPTIONS"]["timeout"] = 0.05
    database.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def test_who_was_killed_leaves_the_turn_to_others(tmp_path: Path) -> None:
    database = counter(tmp_path)
    child = os.fork()
    if child == 0:
        begin(wrapper(tmp_path))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    counting(database, 1)
    assert counted(database) == 1
