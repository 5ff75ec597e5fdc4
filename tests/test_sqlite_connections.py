"""The server's workers keep SQLite connections that were given back: few, whole, and not across a fork."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

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
