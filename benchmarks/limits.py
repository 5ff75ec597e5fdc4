"""What this machine can do at most: plain sockets over loopback, without HTTP, without a server. No LMVP in here.

Both ends are written as tightly as one thread in Python allows; the ratios in docs/performance.md are to these figures.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tarfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

BUFFER = 1024 * 1024
fork = get_context("fork")


def upload_limit(payload: Path, target: Path) -> float:
    """Return the seconds that one thread needs to receive `payload`, hash it (SHA-256), write it and sync it to disk.

    The bytes leave another process by sendfile from the page cache, as they do in transfers.put. `target` is kept, as
    the server keeps what it receives: where the kernel has to find fresh memory for one, it does for the other.
    """

    def receive(connection: socket.socket) -> None:
        digest, buffer = hashlib.sha256(), memoryview(bytearray(BUFFER))
        with target.open("wb", buffering=0) as file:
            while count := connection.recv_into(buffer):
                digest.update(buffer[:count])
                file.write(buffer[:count])
            os.fsync(file.fileno())
        connection.sendall(digest.digest())

    seconds, answer = _send_to(receive, payload)
    with payload.open("rb") as file:
        assert answer == hashlib.file_digest(file, "sha256").digest(), "the limit's own receiver lost bytes"
    return seconds


def download_limit(payload: Path, target: Path) -> float:
    """Return the seconds to receive `payload` over an old file, neither hashed nor synced, from a sender by sendfile."""

    def send(connection: socket.socket) -> None:
        with payload.open("rb") as file:
            connection.sendfile(file)

    with OtherEnd(send) as connect:
        started = time.perf_counter()
        with connect() as connection, target.open("r+b", buffering=0) as file:
            receive_into(connection, file.fileno())
        seconds = time.perf_counter() - started
    assert target.stat().st_size == payload.stat().st_size
    return seconds


def uploads_limit(payloads: list[Path], targets: list[Path]) -> float:
    """Return the seconds that upload_limit takes for several files at once: a sender and a receiver each."""
    processes = [fork.Process(target=upload_limit, args=pair) for pair in zip(payloads, targets, strict=True)]
    started = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert not any(process.exitcode for process in processes), "a receiver failed; its traceback is above"
    return time.perf_counter() - started


def pack_limit(payload: Path, target: Path, size: int) -> float:
    """Return the seconds that one thread needs for a tar of files of `size` bytes (a multiple of 512): it receives them,
    hashes each, writes it to a file of its own below `target`, and syncs all at once in the end."""

    def receive(connection: socket.socket) -> None:
        target.mkdir()
        member, header = memoryview(bytearray(size)), memoryview(bytearray(tarfile.BLOCKSIZE))
        number = 0
        while _fill(connection, header) and header[0]:
            _fill(connection, member)
            hashlib.sha256(member).digest()
            with (target / str(number)).open("xb", buffering=0) as file:
                file.write(member)
            number += 1
        while connection.recv(BUFFER):
            pass
        os.sync()
        connection.sendall(b"stored")

    seconds, answer = _send_to(receive, payload)
    assert answer == b"stored"
    return seconds


def _send_to(receive: Callable[[socket.socket], None], payload: Path) -> tuple[float, bytes]:
    """Send a file to another process by sendfile; return the seconds from connecting to its answer, and that."""
    with OtherEnd(receive) as connect, payload.open("rb") as file:
        started = time.perf_counter()
        with connect() as connection:
            connection.sendfile(file)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(64)
        return time.perf_counter() - started, answer


def _fill(connection: socket.socket, buffer: memoryview) -> bool:
    filled = 0
    while filled < len(buffer):
        count = connection.recv_into(buffer[filled:])
        if not count:
            return False
        filled += count
    return True


def receive_into(connection: socket.socket, file: int) -> None:
    """Write what comes to an open file until the sender closes: the same loop for the limit and for LMVP."""
    buffer = memoryview(bytearray(BUFFER))
    while count := connection.recv_into(buffer):
        os.write(file, buffer[:count])


class OtherEnd:
    """Another process that accepts one connection, does one thing with it, and ends."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._process = fork.Process(target=self._run, args=(serve,))

    def _run(self, serve: Callable[[socket.socket], None]) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            serve(connection)

    def __enter__(self) -> Callable[[], socket.socket]:
        self._process.start()
        return lambda: socket.create_connection(self._listener.getsockname())

    def __exit__(self, *exception: object) -> None:
        self._process.join(60)
        self._listener.close()
