"""A large file on its way to the store behind the server, by addresses that the server signed: at once, or in parts.

The server then makes sure of the bytes; a part that is there already, from before a crash, is not sent again.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmvp.client import files
from lmvp.client.crew import Crew
from lmvp.client.errors import Conflict, LMVPError, NotLMVPServer, ServerError
from lmvp.client.files import CHUNK, LocalFile
from lmvp.client.http import encode
from lmvp.client.patience import may_pass

if TYPE_CHECKING:
    from lmvp.client.outgoing import Sender, Upload

JSON = {"Content-Type": "application/json"}
PARTS_AT_ONCE = 3
LOOKS = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds between two questions whether the bytes are verified; then the last
READ_BACK = 4 * 2**20  # bytes that a server verifies in a second, at the least
PATIENCE = 300.0  # seconds beyond that


class StoreRefused(ServerError):
    """The store of the server's files refused what was sent to it."""


@dataclass(frozen=True)
class Part:
    """Some bytes of a file, and where they go; with the store's name for them when they are there."""

    number: int
    offset: int
    size: int
    href: str
    etag: str | None

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Part:
        return cls(
            int(answer["number"]), int(answer["offset"]), int(answer["size"]), answer["href"], answer.get("etag")
        )


class PastServer:
    """Sends one file to the store, and has the server complete its upload."""

    def __init__(self, sender: Sender, file: LocalFile, upload: Upload) -> None:
        self._sender = sender
        self._file = file
        self._upload = upload
        self._counted: list[int] = []  # bytes that the meter has been told of

    def run(self) -> None:
        """Return when the server has made sure of the bytes; StoreRefused, or the server's own errors."""
        try:
            if self._upload.href:
                self._at_once()
            else:
                self._in_parts()
        except LMVPError:
            self._sender.meter(-sum(self._counted))
            raise

    def _at_once(self) -> None:
        try:
            self._sender.put(self._file, self._upload)
        except NotLMVPServer as error:
            raise _refused(error) from error
        self._counted.append(self._file.size)
        self._complete({})

    def _in_parts(self) -> None:
        etags = {part.number: part.etag for part in self._upload.parts if part.etag}
        there = sum(part.size for part in self._upload.parts if part.etag)
        self._sender.count(there)
        self._counted.append(there)
        with Crew(PARTS_AT_ONCE) as crew:
            for part in self._upload.parts:
                if not part.etag:
                    crew.submit(self._send, part, crew, etags)
        self._sender.crew.check()  # what is stopped from outside ends the parts without a word
        self._complete(etags)

    def _send(self, part: Part, crew: Crew, etags: dict[int, str]) -> None:
        crew.check()
        headers = {**self._upload.headers, "Content-MD5": self._md5(part)}
        body, patience = self._sender.body(self._file, part.offset, part.size), self._sender.patience()
        while True:
            try:
                answer = self._sender.session.signed("PUT", part.href, headers, lambda: body if body.len else b"")
                break
            except NotLMVPServer as error:
                body.withdraw()
                raise _refused(error) from error
            except LMVPError as error:
                body.withdraw()
                if not may_pass(error) and not isinstance(error, ServerError):
                    raise
                patience.wait(error)
        self._counted.append(body.sent)
        etags[part.number] = answer.get("ETag", "")

    def _md5(self, part: Part) -> str:
        """Return what stores verify a part by (RFC 1864). It guards against damage on the way, not against people."""
        digest, left = hashlib.md5(usedforsecurity=False), part.size
        with files.reading(self._file.source), self._file.source.open("rb", buffering=0) as source:
            source.seek(part.offset)
            while left and (piece := source.read(min(CHUNK, left))):
                digest.update(piece)
                left -= len(piece)
        return base64.b64encode(digest.digest()).decode()

    def _complete(self, etags: Mapping[int, str]) -> None:
        """Ask again and again until the server has read the bytes back."""
        body = {"parts": [{"number": number, "etag": etag} for number, etag in sorted(etags.items()) if etag]}
        looks, patience = iter(LOOKS), self._sender.patience()
        until = time.monotonic() + PATIENCE + self._file.size / READ_BACK
        while True:
            try:
                answer = self._sender.session.send("POST", self._upload.complete, JSON, lambda: encode(body))
            except LMVPError as error:
                if error.code == "storage_unavailable" or may_pass(error):
                    patience.wait(error)
                    continue
                raise _incomplete(error) from error
            with self._sender.session.understood():
                if answer["status"] == "stored":
                    return
            if time.monotonic() > until:
                raise ServerError(
                    f"The server has all bytes of {self._file.source}, and has not made sure of them yet. Publish again"
                    " later: they are not sent again. If it goes on, tell whoever runs it that its worker may stand still."
                )
            self._sender.crew.pause(next(looks, LOOKS[-1]))


def _refused(error: LMVPError) -> StoreRefused:
    return StoreRefused(
        f"The store of the server's files refused the bytes ({error.status}). Publish again; if it goes on, tell whoever"
        " runs the server.",
        status=error.status,
    )


def _incomplete(error: LMVPError) -> LMVPError:
    """What is not there (any more) is sent again."""
    if isinstance(error, Conflict) and error.code in ("parts_missing", "nothing_sent"):
        return StoreRefused(error.message, code=error.code, status=error.status)
    return error
