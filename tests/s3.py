"""A real S3 server for tests: `rclone serve s3` on a free port, with a directory as its bucket.

It verifies no checksum, and repeats the one that it was told: the harder case.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port, wait_until

KEY, SECRET, BUCKET = "tests-access-key", "tests-secret-key", "models"


@dataclass
class S3:
    """A running store; `bucket` is the directory that holds the objects."""

    url: str
    bucket: Path
    process: subprocess.Popen[bytes]

    @property
    def env(self) -> dict[str, str]:
        """The environment of a server that keeps its files here."""
        return {
            "S3_BUCKET": BUCKET,
            "AWS_S3_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "SECRET_KEY": "a key that the replicas of these tests share",
        }

    def objects(self, below: str = "") -> list[str]:
        """Return the names of the objects, sorted."""
        found = (self.bucket / below).rglob("*")
        return sorted(str(path.relative_to(self.bucket)) for path in found if path.is_file())

    def empty(self) -> None:
        for path in self.bucket.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def storage_options(url: str) -> dict[str, Any]:
    return {
        "bucket_name": BUCKET,
        "endpoint_url": url,
        "region_name": "us-east-1",
        "access_key": KEY,
        "secret_key": SECRET,
    }


def rclone() -> str:
    """Return the program; skip where it is missing, unless everything has to be there."""
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if not found:
        assert "LMVP_REQUIRE_SERVICES" not in os.environ, "rclone is missing: pip install -r requirements-dev.txt"
        pytest.skip("needs rclone: pip install -r requirements-dev.txt")
    return found


@contextmanager
def running_s3(root: Path, port: int | None = None) -> Iterator[S3]:
    """Run a store over a directory until the block ends."""
    port = port or free_port()
    bucket = root / BUCKET
    bucket.mkdir(parents=True, exist_ok=True)
    command = [rclone(), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}"]
    command += ["--dir-cache-time", "1ms", "--config", "", str(root)]
    with (root / "log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: _answers(port), seconds=20, what=(root / "log").read_text)
        yield S3(f"http://127.0.0.1:{port}", bucket, process)
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
