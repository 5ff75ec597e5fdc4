"""The file of a run: whole lines come back, whatever happened to the last one."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from lmvp.client.errors import LocalFileError, ValidationFailed
from lmvp.client.spool import Spool

ROW = {"name": "loss", "value": 1.0, "step": 0}


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LMVP_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_lines_are_there_at_once_and_for_their_owner_alone(runs):
    spool = Spool.begin("vision/digits")
    spool.append(ROW)
    lines = [json.loads(line) for line in spool.path.read_text("utf-8").splitlines()]
    assert lines == [{"run": "vision/digits"}, ROW]
    assert spool.path.stat().st_mode & 0o077 == 0
    assert spool.path.parent == runs
    spool.close()


def test_a_line_that_was_cut_off_is_dropped_and_the_next_one_is_not(runs):
    spool = Spool.begin("vision/digits")
    spool.append(ROW)
    spool.close()
    for torn in (b'{"name": "lo', b'{"name": "loss", "value": 2.0, "step": 1}', b"\xff\xfe", b"[1]"):
        with spool.path.open("ab") as file:
            file.write(torn)
        again = Spool.again(spool.path, "vision/digits")
        again.append({**ROW, "step": 7})
        again.close()
    assert [row["step"] for row in Spool.again(spool.path, "vision/digits").metrics()] == [0, 7, 1, 7, 7, 7]


def test_offsets_divide_what_was_logged_before_from_what_came_after():
    spool = Spool.begin("vision/digits")
    spool.append(ROW)
    middle = spool.end
    spool.append({**ROW, "step": 1})
    assert [row["step"] for row in spool.metrics(0, middle)] == [0]
    assert [row["step"] for row in spool.metrics(middle)] == [1]
    spool.close()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_a_full_disk_is_told_and_what_was_logged_before_is_kept():
    spool = Spool.begin("vision/digits")
    spool.append(ROW)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (spool.end + 10, limits[1]))
        with pytest.raises(LocalFileError, match="Free some space; what was logged before is kept"):
            spool.append({**ROW, "step": 1})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    spool.append({**ROW, "step": 2})
    assert [row["step"] for row in spool.metrics()] == [0, 2]
    spool.close()


def test_a_directory_or_another_file_is_no_run(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(os.urandom(1000))
    for name in ("empty", "binary"):
        with pytest.raises(ValidationFailed, match=r"is no run of vision/digits\. Check"):
            Spool.again(tmp_path / name, "vision/digits")
    with pytest.raises(LocalFileError, match="Cannot go on"):
        Spool.again(tmp_path, "vision/digits")
