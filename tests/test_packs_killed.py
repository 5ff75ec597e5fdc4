"""Packs at a real server: clients that go away, refusals that reach who is still sending, and a server that is killed."""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http_client import alice_at, rows
from tests.servers import empty_database, running_server, wait_until
from tests.tars import END, digest_of, header, member, pack_of, padded
from tests.test_killed import Place, incoming

MODEL = "/v1/projects/vision/models/classifier"
ADDRESS = f"{MODEL}/uploads/pack"
TAR = {"Content-Type": "application/x-tar"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with empty_database() as env, running_server(tmp_path, **env) as server:
        here = Place(tmp_path, env, server, alice_at(server, env))
        yield here
        here.server.kill()


def begin_pack(place: Place, announced: int, sent: bytes) -> socket.socket:
    """Open a POST of so many bytes, and send only some of them."""
    connection = socket.create_connection(("127.0.0.1", place.server.port), timeout=30)
    head = f"POST {ADDRESS} HTTP/1.1\r\nHost: localhost:{place.server.port}\r\nContent-Type: application/x-tar\r\n"
    head += f"Authorization: Bearer {place.alice.token}\r\nContent-Length: {announced}\r\n\r\n"
    connection.sendall(head.encode() + sent)
    return connection


def files_of(place: Place) -> list[str]:
    return [path.name for path in (place.server.data_dir / "blobs").rglob("*") if path.is_file()]


def test_client_that_goes_away_in_the_middle_of_a_pack_leaves_nothing(place: Place) -> None:
    body = pack_of(*(os.urandom(50_000) for _ in range(60)))
    connection = begin_pack(place, len(body), body[:2_500_000])
    wait_until(lambda: any(any(pack.iterdir()) for pack in incoming(place.server)))
    connection.close()
    wait_until(lambda: not incoming(place.server))
    assert rows(place.server, place.env, "Blob.objects.count() + Upload.objects.count()") == 0
    assert files_of(place) == []


def test_refusal_reaches_who_is_still_sending(place: Place) -> None:
    wrong = header("0" * 64, 5) + padded(b"hello") + b"".join(member(os.urandom(50_000)) for _ in range(40)) + END
    status, answer = place.alice.call("POST", ADDRESS, wrong, **TAR)
    assert (status, answer["error"]["code"]) == (400, "digest_mismatch")
    assert answer["error"]["fields"] == {"members": ["0" * 64]}
    assert incoming(place.server) == []


def test_chunked_pack_goes_up_and_comes_down(place: Place) -> None:
    contents = [os.urandom(n * 997) for n in range(50)]
    connection = http.client.HTTPConnection("127.0.0.1", place.server.port, timeout=60)
    about = {"Authorization": f"Bearer {place.alice.token}", **TAR}
    connection.request("POST", ADDRESS, map(member, contents), about, encode_chunked=True)  # type: ignore[arg-type]
    cut = connection.getresponse()
    assert (cut.status, b"invalid_pack" in cut.read()) == (400, True), "without its end"
    connection.close()
    connection.request("POST", ADDRESS, [*map(member, contents), END], about, encode_chunked=True)  # type: ignore[arg-type]
    assert connection.getresponse().status == 200
    connection.close()
    files = [{"path": f"d/{n}", "sha256": digest_of(content)} for n, content in enumerate(contents)]
    status, _ = place.alice.call("POST", f"{MODEL}/versions", {"files": files})
    assert status == 201
    wanted = [7, 3, 40]
    status, tar = place.alice.call("POST", f"{MODEL}/versions/1/pack", {"paths": [f"d/{n}" for n in wanted]})
    assert (status, tar.endswith(END)) == (200, True)
    assert [tar.find(contents[n]) > 0 for n in wanted] == [True] * 3
    assert len(tar) == sum(512 + len(padded(contents[n])) for n in wanted) + len(END)


def test_kills_at_random_moments_of_packs_leave_no_row_without_its_bytes(place: Place) -> None:
    dice = random.Random(11)
    acknowledged: set[str] = set()
    for _ in range(4):
        stop = threading.Event()

        def send_on(stop: threading.Event = stop) -> None:
            while not stop.is_set():
                body = pack_of(*(os.urandom(3000) for _ in range(200)))
                try:
                    status, answer = place.alice.call("POST", ADDRESS, body, **TAR)
                except (OSError, http.client.HTTPException):
                    return
                assert status == 200, answer
                acknowledged.update(one["sha256"] for one in answer)

        sender = threading.Thread(target=send_on)
        sender.start()
        stop.wait(dice.uniform(0.1, 1.0))
        place.server.kill()
        stop.set()
        sender.join()
        place.restart()
    assert rows(place.server, place.env, "[b.pk for b in Blob.objects.all() if not storage.blob_exists(b.pk)]") == []
    assert acknowledged <= set(rows(place.server, place.env, "list(Blob.objects.live().values_list('pk', flat=True))"))
    brought = "list(Upload.objects.exclude(stored_at=None).values_list('sha256', flat=True))"
    assert acknowledged <= set(rows(place.server, place.env, brought))
    for path in (path for path in (place.server.data_dir / "blobs").rglob("*") if path.is_file()):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name + path.name
