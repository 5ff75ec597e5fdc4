"""A real server, killed while it writes the files of an alias: what is served is one whole version, before and after."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.http_client import alice_at
from tests.servers import empty_database, running_server, wait_until
from tests.test_killed import MODEL, Place

FILES = 120
ALIAS = "/v1/projects/vision/models/classifier/aliases/production/"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Three versions of many executable files, which are copied and synced one by one; `production` is active."""
    with empty_database() as env, running_server(tmp_path, **env) as server:
        here = Place(tmp_path, env, server, alice_at(server, env))
        for n in range(3):
            files = [
                {"path": f"d{at % 7}/f{at}", "sha256": here.alice.send(MODEL, content_of(n + 1, at)), "mode": "100755"}
                for at in range(FILES)
            ]
            path = f"/v1/projects/{MODEL.replace('/', '/models/')}/versions/"
            assert here.alice.call("POST", path, {"files": files, "base": "empty"})[0] == 201
        assert here.alice.call("PUT", ALIAS, {"revision": "1", "active": True})[0] == 201
        yield here
        here.server.kill()


def content_of(version: int, at: int) -> bytes:
    return f"version {version}, file {at}".encode()


def root(place: Place) -> Path:
    return place.server.data_dir / "active"


def check_whole(place: Place) -> int:
    """Assert that all files of one version stand there, and nothing else; return its number."""
    directory = (root(place) / MODEL / "production").resolve(strict=True)
    found = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("f*")}
    number = int(found["d0/f0"].split()[1].rstrip(b","))
    assert found == {f"d{at % 7}/f{at}": content_of(number, at) for at in range(FILES)}
    return number


def is_writing(place: Place) -> bool:
    return any((root(place) / ".versions").glob("*/.draft/d0/*"))


def is_settled(place: Place) -> bool:
    _, alias = place.alice.call("GET", ALIAS)
    left = list((root(place) / ".versions").glob("*/.*"))
    return not left and alias["materialised"] is not None and alias["materialised"]["version"] == alias["version"]


def test_killed_while_it_writes_and_at_random_moments(place: Place) -> None:
    dice = random.Random(11)
    assert check_whole(place) == 1
    moments: list[Callable[[threading.Event], object]] = [
        lambda stop: wait_until(lambda: is_writing(place)),
        lambda stop: stop.wait(dice.uniform(0.05, 0.6)),
    ]
    cut = 0
    for round_number in range(6):
        stop = threading.Event()

        def move_on(stop: threading.Event = stop) -> None:
            revision = 0
            with suppress(OSError, http.client.HTTPException):  # killed
                while not stop.is_set():
                    revision = revision % 3 + 1
                    place.alice.call("PUT", ALIAS, {"revision": str(revision)})

        mover = threading.Thread(target=move_on)
        mover.start()
        moments[round_number % 2](stop)
        place.server.kill()
        stop.set()
        mover.join()
        check_whole(place)
        cut += is_writing(place)
        place.restart()
        check_whole(place)
        wait_until(lambda: is_settled(place), what=place.server.output)
        assert check_whole(place) == place.alice.call("GET", ALIAS)[1]["version"]
    assert cut, "at least one was killed in the middle"
