"""Packs where the blobs stand in a store that speaks S3: sent side by side, and read back before they are relied on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from registry import storage
from registry.models import Blob, Upload
from tests.cast import Cast
from tests.tars import digest_of, pack_of, send_pack

CONTENTS = [b"%d" % number * number for number in range(1, 40)]


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as packs need: PUT, GET, HEAD and DELETE of small objects."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]
    damaging: bytes

    def do_PUT(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self._body()
        self.objects[self.path] = b"other bytes" if body == self.damaging else body
        self._answer(200, b"")

    def do_GET(self) -> None:
        found = self.objects.get(self.path)
        self._answer(404 if found is None else 200, found or b"")

    do_HEAD = do_GET

    def do_DELETE(self) -> None:
        self.objects.pop(self.path, None)
        self._answer(204, b"")

    def _body(self) -> bytes:
        """Read the body; boto3 sends it in chunks of its own, with a checksum behind."""
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Sat, 01 Aug 2026 09:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bucket(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Bucket]]:
    kind = type("OneBucket", (Bucket,), {"objects": {}, "damaging": b"\0 none"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    options = {
        "bucket_name": "models",
        "endpoint_url": f"http://127.0.0.1:{server.server_port}",
        "region_name": "eu-west-1",
        "file_overwrite": True,
    }
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options},
    }
    yield kind
    server.shutdown()
    thread.join()
    server.server_close()


def test_files_of_a_pack_become_objects(cast: Cast, bucket: type[Bucket], settings: Any) -> None:
    cast.model()
    assert send_pack(cast.bob, pack_of(*CONTENTS)).status_code == 200
    keys = {f"/models/{storage.key_of(digest_of(content))}": content for content in CONTENTS}
    assert bucket.objects == keys
    assert Blob.objects.live().count() == Upload.objects.count() == len(CONTENTS)
    assert list(settings.INCOMING_DIR.iterdir()) == []


def test_object_that_the_store_damaged_is_found_before_there_is_a_row(cast: Cast, bucket: type[Bucket]) -> None:
    cast.model()
    bucket.damaging = CONTENTS[7]
    with pytest.raises(OSError, match="other bytes"):
        send_pack(cast.bob, pack_of(*CONTENTS))
    assert not Blob.objects.exists()
    assert not Upload.objects.exists()
    assert f"/models/{storage.key_of(digest_of(CONTENTS[7]))}" not in bucket.objects


def test_objects_are_asked_for_side_by_side(cast: Cast, bucket: type[Bucket]) -> None:
    cast.model()
    send_pack(cast.bob, pack_of(*CONTENTS))
    digests = [digest_of(content) for content in CONTENTS]
    assert storage.all_exist(digests)
    assert not storage.all_exist([*digests, digest_of(b"nobody sent this")])
