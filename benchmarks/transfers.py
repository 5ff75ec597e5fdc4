"""Large files, and packs of small ones, to and from LMVP, timed: one connection, one stream, no client library in the way."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import socket
import tarfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from limits import BUFFER, receive_into
from server import Account, Server, target_of

fork = get_context("fork")


def write_payload(path: Path, size: int) -> None:
    """Fill a file with bytes that no store and no disk can compress."""
    with path.open("wb") as file, open("/dev/urandom", "rb") as random:
        for start in range(0, size, BUFFER):
            file.write(random.read(min(BUFFER, size - start)))


def renew(path: Path) -> str:
    """Change the first bytes, so that the server has never seen this file, and return its SHA-256."""
    with path.open("r+b") as file, open("/dev/urandom", "rb") as random:
        file.write(random.read(32))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def ask_to_upload(account: Account, path: Path, digest: str) -> str:
    """Return the signed address that takes the bytes of `path`."""
    [answer] = account.call("POST", f"{account.model}/uploads/", [{"size": path.stat().st_size, "sha256": digest}])
    assert answer["status"] == "missing", f"the server has these bytes already: {answer}"
    return answer["href"]


def put(server: Server, href: str, path: Path) -> float:
    """Send a file by sendfile from the page cache; return the seconds from connecting to the whole answer."""
    with path.open("rb") as file:
        started = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        connection.putrequest("PUT", target_of(href))
        connection.putheader("Content-Length", str(path.stat().st_size))
        connection.endheaders()
        connection.sock.sendfile(file)
        response = connection.getresponse()
        body = response.read()
        seconds = time.perf_counter() - started
    connection.close()
    assert response.status == 200, f"PUT answered {response.status}: {body[:500]!r}"
    assert json.loads(body)["status"] == "stored", body
    return seconds


def download(server: Server, account: Account, path: str, target: Path, digest: str) -> float:
    """GET a file of a version over the old `target`; return the seconds from connecting to the last byte written."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {account.token}\r\nConnection: close\r\n\r\n"
    ).encode()
    started = time.perf_counter()
    with (
        socket.create_connection(("127.0.0.1", server.port)) as connection,
        target.open("r+b", buffering=0) as file,
    ):
        connection.sendall(request)
        head = _head(connection)
        receive_into(connection, file.fileno())
    seconds = time.perf_counter() - started
    assert head.split(b"\r\n", 1)[0].split()[1] == b"200", head
    with target.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest, "other bytes came than were published"
    return seconds


def put_together(server: Server, hrefs: list[str], paths: list[Path]) -> float:
    """PUT several files at once, each from a process of its own; return the seconds until the last is stored."""
    processes = [fork.Process(target=put, args=(server, *pair)) for pair in zip(hrefs, paths, strict=True)]
    started = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    seconds = time.perf_counter() - started
    failed = [process.exitcode for process in processes if process.exitcode]
    assert not failed, f"uploads failed with {failed}; their tracebacks are above"
    return seconds


def _head(connection: socket.socket) -> bytes:
    """Read the response's headers and not a byte of its body, which is then written in whole pages, as the limit's is."""
    received = bytearray()
    while not received.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, f"the server closed the connection after {received!r}"
        received += byte
    return bytes(received)


def publish(account: Account, path: str, digest: str) -> dict[str, Any]:
    """Publish a stored blob as the next version of the account's model."""
    body = {"message": "A large file", "base": "empty", "files": [{"path": path, "sha256": digest}]}
    return account.call("POST", f"{account.model}/versions/", body)


# --- Packs of small files


def write_pack(path: Path, count: int, size: int) -> list[str]:
    """Write a tar of `count` random files of `size` bytes that no server has seen; return their digests."""
    digests = []
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for _ in range(count):
            content = os.urandom(size)
            about = tarfile.TarInfo(hashlib.sha256(content).hexdigest())
            about.size = size
            archive.addfile(about, io.BytesIO(content))
            digests.append(about.name)
    return digests


def send_pack(server: Server, account: Account, path: Path) -> float:
    """Send a pack by sendfile from the page cache; return the seconds from connecting to the whole answer."""
    with path.open("rb") as file:
        started = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        connection.putrequest("POST", f"{account.model}/uploads/pack/")
        for name, value in (account.headers() | {"Content-Type": "application/x-tar"}).items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(path.stat().st_size))
        connection.endheaders()
        connection.sock.sendfile(file)
        response = connection.getresponse()
        body = response.read()
        seconds = time.perf_counter() - started
    connection.close()
    assert response.status == 200, f"the pack was answered {response.status}: {body[:500]!r}"
    return seconds


def publish_pack(account: Account, digests: list[str]) -> int:
    """Publish what a pack brought, in ten directories; return the version's number."""
    files = [{"path": f"{number % 10}/{number}.bin", "sha256": digest} for number, digest in enumerate(digests)]
    body = {"message": "Small files", "base": "empty", "files": files}
    return account.call("POST", f"{account.model}/versions/", body)["number"]


def fetch_pack(server: Server, account: Account, number: int, paths: list[str]) -> float:
    """Ask for these files of a version in one tar; return the seconds from connecting to the last byte received."""
    buffer, size = bytearray(BUFFER), 0
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    body = json.dumps({"paths": paths})
    connection.request("POST", f"{account.model}/versions/{number}/pack/", body, account.headers())
    response = connection.getresponse()
    while got := response.readinto(buffer):
        size += got
    seconds = time.perf_counter() - started
    connection.close()
    assert response.status == 200, f"the pack was answered {response.status}: {bytes(buffer[:500])!r}"
    assert size > 512 * len(paths), "all of them came"
    return seconds
