"""A PostgreSQL of a test's own, made by initdb, so that it may be broken. PostgreSQL does not run as root: then as `postgres`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.disks import small_disk
from tests.servers import free_port

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))


@dataclass(frozen=True)
class Cluster:
    programs: Path
    directory: Path  # with its socket, its log, the log of its writes (`wal`), and `data`
    port: int

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        self._control("start", "--log", str(self.directory / "log"), "--options", self._options())

    def stop(self) -> None:
        """Stop at once, as when the plug is pulled: the next start recovers from the log."""
        self._control("stop", "--mode=immediate")

    def _options(self) -> str:
        return f"-c port={self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.directory}"

    def _control(self, *words: str) -> None:
        as_postgres(
            str(self.programs / "pg_ctl"), *words, "--pgdata", str(self.directory / "data"), "--silent", "--wait"
        )


@contextmanager
def own_cluster(*, mebibytes: int = 0) -> Iterator[Cluster]:
    """Run a cluster until the block ends, its tables on a disk of this size of their own; skip where it cannot be made."""
    if not PROGRAMS and "LMVP_REQUIRE_SERVICES" not in os.environ:
        pytest.skip("needs PostgreSQL's server programs in /usr/lib/postgresql")
    directory = Path(tempfile.mkdtemp(prefix="lmvp-cluster-", dir="/tmp"))  # below a directory that postgres may enter
    give_to_postgres(directory)
    cluster = Cluster(PROGRAMS[-1].parent, directory, free_port())
    try:
        with small_disk(directory / "data", mebibytes=mebibytes) if mebibytes else nullcontext():
            if mebibytes:
                give_to_postgres(directory / "data")
            places = (f"--pgdata={directory / 'data'}", f"--waldir={directory / 'wal'}")
            said = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
            as_postgres(str(PROGRAMS[-1]), *places, *said)
            cluster.start()
            try:
                yield cluster
            finally:
                with suppress(subprocess.CalledProcessError):  # it stands still where a test failed in between
                    cluster.stop()
    finally:
        shutil.rmtree(directory)


def give_to_postgres(directory: Path) -> None:
    if os.getuid() == 0:
        shutil.chown(directory, "postgres", "postgres")


def as_postgres(*words: str) -> None:
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/", **user)  # type: ignore[call-overload]
