"""Directories of packs stand apart on ext4; elsewhere nothing happens."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from registry.models import RegisteredModel
from registry.spreading import TOP_OF_HIERARCHIES, flags_of, spread_directories
from tests.cast import Cast
from tests.tars import pack_of, send_pack


def flags_at(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return flags_of(descriptor)
    finally:
        os.close(descriptor)


def file_system_of(path: Path) -> str:
    return subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.django_db
def test_directories_of_packs_stand_apart(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    if file_system_of(settings.LMVP_DATA_DIR) != "ext2/ext3":
        pytest.skip("about ext4")
    send_pack(cast.bob, pack_of(b"1"))
    assert flags_at(settings.INCOMING_DIR) & TOP_OF_HIERARCHIES


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a tmpfs")
def test_file_systems_that_do_not_know_of_it_are_left_as_they_are(tmp_path: Path) -> None:
    for path in (Path("/dev/shm"), tmp_path / "not there"):
        spread_directories(path)
