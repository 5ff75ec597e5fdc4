"""The client brings large files to the store itself, by parts: over lines that break, after a crash, and never wrong bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import lmvp
from lmvp.client.errors import IntegrityError, LMVPError
from lmvp.client.files import hashed
from tests.broken_store import BrokenStore, broken_store
from tests.http_client import Person, alice_at
from tests.s3 import S3, running_s3
from tests.servers import Server, empty_database, running_server, wait_until
from tests.strict_store import strict_store

MODEL = "vision/classifier"
PART = 64 * 2**20


@dataclass
class Site:
    server: Server
    alice: Person
    line: BrokenStore
    s3: S3
    env: dict[str, str]

    def client(self) -> lmvp.Client:
        return lmvp.Client(self.server.url, token=self.alice.token)

    def staged(self) -> list[str]:
        return self.s3.objects("staging")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as s3:
        yield s3


@pytest.fixture(scope="module")
def site(store: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with empty_database() as database, broken_store(urlsplit(store.url).port or 0) as line:
        env = {**database, **store.env, "S3_PUBLIC_ENDPOINT_URL": line.url.replace("127.0.0.1", "localhost")}
        with running_server(tmp_path_factory.mktemp("server"), **env) as server:
            yield Site(server, alice_at(server, env), line, store, env)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Two parts, the second a short one, of bytes that are nowhere yet."""
    path = tmp_path / "weights.bin"
    with path.open("wb") as file:
        file.write(os.urandom(4096))
        file.truncate(PART + 1000)
    return path


@pytest.fixture(autouse=True)
def _mended(site: Site) -> Iterator[None]:
    yield
    site.line.mend()


def digest_of(path: Path) -> str:
    return hashed(path.name, path, lambda _: None).sha256


def arrived(site: Site, weights: Path) -> bool:
    digest = digest_of(weights)
    stored = site.s3.bucket / digest[:2] / digest[2:]
    return stored.exists() and stored.read_bytes() == weights.read_bytes() and not site.staged()


def test_it_goes_past_the_server_and_comes_back(site: Site, weights: Path, own_home: Path) -> None:
    version = site.client().publish(MODEL, weights)
    assert arrived(site, weights)
    local = site.client().download(MODEL, revision=version.digest)
    assert (local.path / "weights.bin").read_bytes() == weights.read_bytes()


@pytest.mark.parametrize("kind", ["gone", "500"])
def test_a_store_that_fails_for_a_while(site: Site, weights: Path, own_home: Path, kind: str) -> None:
    site.line.fail(kind, times=4)
    site.client().publish(MODEL, weights)
    assert site.line.failed >= 4
    assert arrived(site, weights)


SLOWLY = """
import time, lmvp, lmvp.client.past_server as past
send = past.PastServer._send
def slowly(self, part, *others):
    if part.number > 1:
        time.sleep(600)
    send(self, part, *others)
past.PastServer._send = slowly
lmvp.publish({model!r}, {path!r})
"""


def test_a_killed_client_sends_only_what_is_missing(site: Site, weights: Path, own_home: Path) -> None:
    """Killed when one part is there: the next one begins with it."""
    env = {**os.environ, "LMVP_SERVER": site.server.url, "LMVP_TOKEN": site.alice.token}
    code = SLOWLY.format(model=MODEL, path=str(weights))
    process = subprocess.Popen([sys.executable, "-c", code], env=env)
    wait_until(
        lambda: parts_there(site, weights) >= 1 or process.poll() is not None, seconds=60, what=lambda: "no part came"
    )
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = parts_there(site, weights)
    assert there == 1
    site.line.carried = 0
    site.client().publish(MODEL, weights)
    assert arrived(site, weights)
    assert site.line.carried < weights.stat().st_size - there * PART + 2**20, "what was there is not sent again"


def parts_there(site: Site, weights: Path) -> int:
    """How many parts of a file are in the store, by what the server offers."""
    wanted = [{"size": weights.stat().st_size, "sha256": digest_of(weights)}]
    status, offers = site.alice.call("POST", f"/v1/projects/{MODEL.replace('/', '/models/')}/uploads/", wanted)
    assert status == 200, offers
    return sum(part["etag"] is not None for part in offers[0].get("parts", []))


def test_damage_on_the_way_is_never_kept(site: Site, weights: Path, own_home: Path, monkeypatch) -> None:
    """Bytes that change between two readings: the store itself refuses the part, by its MD5."""
    monkeypatch.setattr("lmvp.client.past_server.PastServer._md5", lambda self, part: "1B2M2Y8AsgTpgAmY7PhCfg==")
    with pytest.raises(LMVPError, match="store of the server's files refused"):
        site.client().publish(MODEL, weights)
    assert not arrived(site, weights)


def test_other_bytes_are_told_as_such(site: Site, weights: Path, own_home: Path, monkeypatch) -> None:
    """A store that keeps other bytes than it was sent: found when they are read back."""
    from lmvp.client import outgoing

    pieces = outgoing.Body._pieces

    def other(self, source):
        for piece in pieces(self, source):
            yield bytes([piece[0] ^ 1]) + piece[1:]

    monkeypatch.setattr(outgoing.Body, "_pieces", other)
    monkeypatch.setattr("lmvp.client.past_server.PastServer._md5", md5_of_the_flipped)
    with pytest.raises(IntegrityError, match="got other bytes"):
        site.client().publish(MODEL, weights)
    assert not arrived(site, weights)
    assert not site.staged()


def md5_of_the_flipped(self, part) -> str:
    import base64
    import hashlib

    body = self._sender.body(self._file, part.offset, part.size)
    digest = hashlib.md5(b"".join(body), usedforsecurity=False).digest()
    body.withdraw()
    return base64.b64encode(digest).decode()


def test_at_once_where_the_store_verifies(store: S3, tmp_path: Path, own_home: Path) -> None:
    content = os.urandom(9_000_000)
    (tmp_path / "weights.bin").write_bytes(content)
    with empty_database() as database, strict_store(store) as url:
        env = {**database, **store.env, "AWS_S3_ENDPOINT_URL": url, "S3_PUBLIC_ENDPOINT_URL": url}
        with running_server(tmp_path / "server", **env) as server:
            client = lmvp.Client(server.url, token=alice_at(server, env).token)
            client.publish(MODEL, tmp_path / "weights.bin")
            assert (client.download(MODEL).path / "weights.bin").read_bytes() == content
