"""A real server, killed in the middle: afterwards no version without its bytes, and no wrong byte."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.http_client import Person, alice_at, rows
from tests.servers import Server, empty_database, running_server, start_server, wait_until

MODEL = "vision/classifier"
VERSIONS = "/v1/projects/vision/models/classifier/versions"


@dataclass
class Place:
    """A server that can be started again on the same data."""

    tmp_path: Path
    env: dict[str, str]
    server: Server
    alice: Person

    def restart(self) -> None:
        self.server.kill()
        self.server = start_server(self.tmp_path, PORT=self.server.port, **self.env)
        self.server.wait_until_ready()
        self.alice.server = self.server


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with empty_database() as env, running_server(tmp_path, **env) as server:
        here = Place(tmp_path, env, server, alice_at(server, env))
        yield here
        here.server.kill()


def begin_put(server: Server, href: str, size: int, sent: bytes) -> socket.socket:
    """Open a PUT of `size` bytes and send only some of them."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    head = f"PUT {href} HTTP/1.1\r\nHost: localhost:{server.port}\r\nContent-Length: {size}\r\n\r\n"
    connection.sendall(head.encode() + sent)
    return connection


def incoming(server: Server) -> list[Path]:
    return list((server.data_dir / "incoming").glob("*.part"))


def test_kill_in_the_middle_of_an_upload_leaves_no_row_and_the_same_upload_works_after_the_restart(
    place: Place,
) -> None:
    content = os.urandom(4 << 20)
    href = place.alice.ask_for_upload(MODEL, content)
    connection = begin_put(place.server, href, len(content), content[: 1 << 20])
    wait_until(lambda: any(path.stat().st_size for path in incoming(place.server)))
    place.restart()
    connection.close()
    assert rows(place.server, place.env, "Blob.objects.count()") == 0
    status, answer = place.alice.call("PUT", href, content, **{"Content-Type": "application/octet-stream"})
    assert (status, answer["sha256"]) == (200, hashlib.sha256(content).hexdigest())


def test_client_that_goes_away_in_the_middle_leaves_nothing(place: Place) -> None:
    content = os.urandom(1 << 20)
    connection = begin_put(place.server, place.alice.ask_for_upload(MODEL, content), len(content), content[:1000])
    wait_until(lambda: bool(incoming(place.server)))
    connection.close()
    wait_until(lambda: not incoming(place.server))
    assert rows(place.server, place.env, "Blob.objects.count()") == 0


def test_kills_at_random_moments_of_publishing_leave_only_whole_versions(place: Place) -> None:
    acknowledged: dict[int, str] = {}
    dice = random.Random(7)
    for round_number in range(6):
        stop = threading.Event()

        def publish_on(stop: threading.Event = stop, round_number: int = round_number) -> None:
            for n in range(1000):
                if stop.is_set():
                    return
                content = f"{round_number}/{n}".encode() * 1000
                try:
                    version = place.alice.publish(MODEL, {f"file-{n % 7}": content}, message=f"{round_number}.{n}")
                except (OSError, http.client.HTTPException):
                    return
                acknowledged[version["number"]] = version["digest"]

        publisher = threading.Thread(target=publish_on)
        publisher.start()
        stop.wait(dice.uniform(0.1, 0.8))
        place.server.kill()
        stop.set()
        publisher.join()
        place.restart()
    numbers = rows(place.server, place.env, "list(Version.objects.order_by('number').values_list('number', 'digest'))")
    assert [number for number, _ in numbers] == list(range(1, len(numbers) + 1)), "no gap, no number twice"
    assert acknowledged.items() <= dict(map(tuple, numbers)).items(), "what was acknowledged is there"
    missing = rows(place.server, place.env, "[b.pk for b in Blob.objects.all() if not storage.blob_exists(b.pk)]")
    assert missing == []
    status, page = place.alice.call("GET", f"{VERSIONS}/latest/tree/")
    assert status == 200
    for entry in page["results"]:
        status, content = place.alice.call("GET", f"{VERSIONS}/latest/files/{entry['path']}")
        assert (status, hashlib.sha256(content).hexdigest()) == (200, entry["digest"])
    assert rows(place.server, place.env, "Ref.objects.get(name='main').version.number") == len(numbers)


def test_slow_uploads_and_downloads_hold_no_database_connection(place: Place) -> None:
    if "postgres" not in place.env.get("DATABASE_URL", ""):
        pytest.skip("connections are counted by PostgreSQL: make test DATABASE_URL=postgres://…")
    place.env["LMVP_DATABASE_CONNECTIONS"] = "2"  # per worker, and there are two
    place.restart()
    content = os.urandom(8 << 20)
    place.alice.publish(MODEL, {"big": content})
    slow = []
    for n in range(20):
        other = os.urandom(1000) + bytes([n])
        slow.append(begin_put(place.server, place.alice.ask_for_upload(MODEL, other), len(other), other[:10]))
    wait_until(lambda: len(incoming(place.server)) == 20)
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", place.server.port), timeout=30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET {VERSIONS}/1/files/big HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {place.alice.token}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        slow.append(connection)
    held = "__import__('django').db.connection.cursor().__enter__()"
    states = (
        '(lambda c: (c.execute("SELECT state FROM pg_stat_activity WHERE datname = current_database()'
        f' AND pid <> pg_backend_pid()"), [state for state, in c.fetchall()])[1])({held})'
    )
    kept = rows(place.server, place.env, states)
    assert set(kept) <= {"idle"}, "given back, and kept for the next request"
    assert len(kept) <= 4, "forty transfers are under way"
    for connection in slow:
        connection.close()


def test_an_upload_in_parts_goes_on_after_the_server_was_killed(place: Place) -> None:
    """Nothing of the first server is left but its disk and its database."""
    block = random.Random(7).randbytes(2**20)
    content = block * 80
    wanted = [{"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}]
    _, (offer,) = place.alice.call("POST", "/v1/projects/vision/models/classifier/uploads", wanted)
    sender = begin_part(place.server, offer["href"], 0, content[: 72 * 2**20], announced=len(content))
    wait_until(lambda: offset_of(place.server, offer["href"]) >= 64 * 2**20)
    place.restart()
    sender.close()
    _, (again,) = place.alice.call("POST", "/v1/projects/vision/models/classifier/uploads", wanted)
    assert again["id"] == offer["id"], "the upload that was begun"
    offset = again["offset"]
    assert 64 * 2**20 <= offset < 65 * 2**20, "committed as soon as there are 64 MiB"
    assert not finished(place.server, again["href"], offset, content[offset:])
    let_half_a_minute_pass(place)
    assert finished(place.server, again["href"], offset, content[offset:])
    status, version = place.alice.call(
        "POST", VERSIONS, {"files": [{"path": "weights.bin", "sha256": wanted[0]["sha256"]}]}
    )
    assert status == 201
    assert version["files"]["size"] == len(content)
    assert incoming(place.server) == []


def let_half_a_minute_pass(place: Place) -> None:
    """Let the lease of the sender that was killed run out."""
    assert rows(place.server, place.env, "Upload.objects.update(leased_until='2001-01-01T00:00:00Z')") == 1


def begin_part(server: Server, href: str, offset: int, sent: bytes, *, announced: int) -> socket.socket:
    """Open a PATCH of `announced` bytes and send only some of them."""
    parts = urlsplit(href)
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    head = f"PATCH {parts.path}?{parts.query} HTTP/1.1\r\nHost: localhost:{server.port}\r\n"
    head += f"Upload-Offset: {offset}\r\nContent-Length: {announced}\r\n\r\n"
    connection.sendall(head.encode() + sent)
    return connection


def offset_of(server: Server, href: str) -> int:
    return int(_asked(server, "HEAD", href)[1]["Upload-Offset"])


def finished(server: Server, href: str, offset: int, rest: bytes) -> bool:
    """Send the rest; False while the sender that was killed still holds the upload."""
    try:
        status, _ = _asked(server, "PATCH", href, rest, {"Upload-Offset": str(offset)})
    except (BrokenPipeError, ConnectionResetError):  # refused before it was sent
        return False
    assert status in (204, 423)
    return status == 204


def _asked(server: Server, method: str, href: str, body: bytes = b"", headers: dict[str, str] | None = None):
    parts = urlsplit(href)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()
