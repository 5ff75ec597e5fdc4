"""Parts of a blob are read as ranges, on the disk and from an S3 store: a header costs no whole download."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from registry.headers.formats import read_header
from registry.incoming import Incoming
from registry.storage import key_of, open_ranges
from tests.model_files import safetensors

BIG = safetensors({"a": ("U8", [5_000_000], b"w" * 5_000_000), "b": ("U8", [3], b"end")}, {"format": "pt"})
DIGEST = hashlib.sha256(BIG).hexdigest()


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as reading needs: HEAD, and GET of one range. Writes down how many bytes it sent."""

    protocol_version = "HTTP/1.1"
    sent: list[int]

    def do_HEAD(self) -> None:
        self._answer(200, b"", len(BIG))

    def do_GET(self) -> None:
        assert self.path == f"/models/{key_of(DIGEST)}"
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        body = BIG[int(wanted[1]) : int(wanted[2]) + 1] if wanted else BIG
        self.sent.append(len(body))
        self._answer(206 if wanted else 200, body, len(body))

    def _answer(self, status: int, body: bytes, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", f'"{DIGEST}"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bucket(settings: Any) -> Iterator[list[int]]:
    """The blobs in a store that speaks S3; yields the sizes of what it sent."""
    sent: list[int] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OneBucket", (Bucket,), {"sent": sent}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    options = {
        "bucket_name": "models",
        "endpoint_url": f"http://127.0.0.1:{server.server_port}",
        "region_name": "eu-west-1",
        "access_key": "reader",
        "secret_key": "for this test alone",
        "addressing_style": "path",
    }
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options},
    }
    yield sent
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def disk() -> None:
    with Incoming(limit=len(BIG)) as incoming:
        incoming.write(BIG)
        incoming.store()


def read_parts() -> None:
    with open_ranges(DIGEST) as file:
        header = read_header("x.safetensors", file, len(BIG))
        assert header
        assert [tensor.name for tensor in header.tensors] == ["a", "b"]
        assert header.tensors[1].begin is not None
        file.seek(header.tensors[1].begin)
        assert file.read(100) == b"end"
        file.seek(-3, 2)
        assert (file.read(2), file.tell()) == (b"en", len(BIG) - 1)


def test_parts_on_the_disk(disk: None) -> None:
    read_parts()


def test_parts_of_a_bucket_are_fetched_alone(bucket: list[int]) -> None:
    read_parts()
    assert sum(bucket) < 300_000
