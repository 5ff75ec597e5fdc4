"""A store that refuses bytes with another SHA-256 than announced, as the great ones do: a line to one that believes all."""

from __future__ import annotations

import base64
import hashlib
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.s3 import S3

BAD_DIGEST = b"<?xml version='1.0'?><Error><Code>BadDigest</Code><Message>other bytes</Message></Error>"


@contextmanager
def strict_store(behind: S3) -> Iterator[str]:
    """Yield the address of the store that verifies."""

    class Line(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _carry(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            announced = self.headers.get("x-amz-checksum-sha256")
            if announced and announced != base64.b64encode(hashlib.sha256(body).digest()).decode():
                return self._answer(400, {"Content-Type": "application/xml"}, BAD_DIGEST)
            store = http.client.HTTPConnection(behind.url.partition("//")[2], timeout=20)
            try:
                headers = {name: value for name, value in self.headers.items() if name != "Expect"}
                store.request(self.command, self.path, body, headers)
                answer = store.getresponse()
                self._answer(answer.status, dict(answer.getheaders()), answer.read())
            finally:
                store.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            kept = {name: value for name, value in headers.items() if name.lower() != "transfer-encoding"}
            for name, value in {"Content-Length": str(len(body)), **kept}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _carry

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Line)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
