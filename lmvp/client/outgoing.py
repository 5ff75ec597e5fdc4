"""One file on its way to the server: at once where it is small, else in a stream that goes on where the line broke."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lmvp.client import files
from lmvp.client.crew import Crew
from lmvp.client.errors import Conflict, IntegrityError, LMVPError, ValidationFailed
from lmvp.client.files import CHUNK, LocalFile, Meter
from lmvp.client.http import Session
from lmvp.client.past_server import Part, PastServer, StoreRefused
from lmvp.client.patience import Patience, may_pass

RESUMABLE = 16 * 2**20  # bytes from which on it is worth more requests
TUS = "application/offset+octet-stream"
BEGINNINGS = 3  # an upload that is gone, or arrived damaged, is begun again so often
LOCKED_PAUSE = 2.0  # seconds; a sender that is gone is forgotten after half a minute
LOCKED_LOOKS = 60


@dataclass(frozen=True)
class Upload:
    """Where the server wants the bytes of one file. `offset`: how many it has; None where it takes them at once only.

    With `complete` they go to the store behind it, at once or in `parts`, and the server is told there when they have come.
    """

    href: str
    method: str
    headers: Mapping[str, str] = field(default_factory=dict)
    offset: int | None = None
    parts: Sequence[Part] = ()
    complete: str = ""

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Upload | None:
        """Read the server's JSON: None when it has the bytes. KeyError, TypeError or ValueError for something else."""
        if answer["status"] == "stored":
            return None
        offset = answer.get("offset")
        return cls(
            "" if "parts" in answer else answer["href"],
            answer["method"],
            answer.get("headers", {}),
            None if offset is None else int(offset),
            [Part.from_json(part) for part in answer.get("parts", [])],
            answer.get("complete", ""),
        )


Ask = Callable[[LocalFile], Upload | None]


class Sender:
    """Sends files to where the server wants them. `ask` asks again for the upload of a file."""

    def __init__(self, session: Session, crew: Crew, meter: Meter, ask: Ask) -> None:
        self.session = session
        self.crew = crew
        self.meter = meter
        self._ask = ask

    def send(self, file: LocalFile, upload: Upload | None) -> None:
        """Send a file; LocalFileError when it has changed, IntegrityError when it always arrives as something else."""
        for left in reversed(range(BEGINNINGS)):
            if upload is None:  # somebody else has brought the bytes meanwhile
                return
            try:
                return self._sent(file, upload)
            except LMVPError as error:
                if not left or not _begins_again(error):
                    raise _damaged(file, error) from error
                if error.code in ("digest_mismatch", "size_mismatch"):
                    _require_same(file)
            upload = self._ask(file)

    def _sent(self, file: LocalFile, upload: Upload) -> None:
        if upload.complete:
            PastServer(self, file, upload).run()
        elif upload.offset is None or file.size < RESUMABLE:
            answer = self.put(file, upload)
            if answer and answer.get("sha256") != file.sha256:
                raise _damaged(file, ValidationFailed("", code="digest_mismatch"))
        else:
            _Appending(self, file, upload).run()

    def put(self, file: LocalFile, upload: Upload) -> Any:
        """Send a whole file in one request, again while the trouble may pass; return the JSON of the answer, or None."""
        body, patience = self.body(file), self.patience()
        while True:
            try:
                return self.session.send(upload.method, upload.href, upload.headers, lambda: body if body.len else b"")
            except LMVPError as error:
                body.withdraw()
                if not may_pass(error):
                    raise
                patience.wait(error)

    def body(self, file: LocalFile, offset: int = 0, size: int | None = None) -> Body:
        return Body(file, offset, self.count, size)

    def count(self, size: int) -> None:
        self.crew.check()
        self.meter(size)

    def patience(self) -> Patience:
        return Patience(self.session.resume_pauses, self.crew.pause)


class _Appending:
    """The core of tus 1.0: a part goes on where the server says that the last one ended."""

    def __init__(self, sender: Sender, file: LocalFile, upload: Upload) -> None:
        self._sender = sender
        self._file = file
        self._upload = upload
        self._patience = sender.patience()
        self._looks = LOCKED_LOOKS
        self._offset = upload.offset or 0
        sender.count(self._offset)

    def run(self) -> None:
        try:
            if self._offset:
                self._go_on_from(self._let_in())
            while not self._is_done():
                pass
        except LMVPError:
            self._go_on_from(0)
            raise

    def _is_done(self) -> bool:
        """Send what is missing; whether that was all."""
        body = self._sender.body(self._file, self._offset)
        headers = self._headers(self._offset)
        try:
            answer = self._sender.session.signed("PATCH", self._upload.href, headers, lambda: body if body.len else b"")
            offset = int(answer.get("Upload-Offset", self._offset))
        except LMVPError as error:
            self._go_on_from(self._offset_after(error), body)
            return False
        self._go_on_from(offset, body)
        return offset == self._file.size

    def _go_on_from(self, offset: int, body: Body | None = None) -> None:
        if offset > self._offset:
            self._patience.renew()
        self._sender.meter(offset - self._offset - (body.sent if body else 0))
        self._offset = offset

    def _offset_after(self, error: LMVPError) -> int:
        """Return where to go on after a failure; raise it when it is one that stays."""
        if error.code == "offset_mismatch" and isinstance(error, Conflict):
            self._patience.wait(error)
            return int(error.fields["offset"])
        if error.code == "upload_locked" and self._looks:
            self._looks -= 1
            self._sender.crew.pause(LOCKED_PAUSE)
        elif may_pass(error):
            self._patience.wait(error)
        else:
            raise error
        return self._let_in()

    def _let_in(self) -> int:
        """Return where to go on, when the server has forgotten the sender that is gone.

        It is asked by a part without bytes: a refusal would reach us only after many of them were sent.
        """
        offset = self._asked()
        try:
            answer = self._sender.session.signed("PATCH", self._upload.href, self._headers(offset), lambda: b"")
        except LMVPError as error:
            return self._offset_after(error)
        return int(answer.get("Upload-Offset", offset))

    def _headers(self, offset: int) -> dict[str, str]:
        return {**self._upload.headers, "Upload-Offset": str(offset), "Content-Type": TUS}

    def _asked(self) -> int:
        while True:
            try:
                answer = self._sender.session.signed("HEAD", self._upload.href, {})
                return int(answer.get("Upload-Offset", 0))
            except LMVPError as error:
                if not may_pass(error):
                    raise
                self._patience.wait(error)


class Body:
    """The bytes of a file from an offset on, all or `size`. The last piece is held back until the file proves to be the same."""

    def __init__(self, file: LocalFile, offset: int, meter: Meter, size: int | None = None) -> None:
        self.file = file
        self.offset = offset
        self.len = file.size - offset if size is None else size  # where requests looks for Content-Length
        self._meter = meter
        self.sent = 0

    def withdraw(self) -> None:
        """Take back what was counted."""
        sent, self.sent = self.sent, 0
        self._meter(-sent)

    def __iter__(self) -> Iterator[bytes]:
        self.withdraw()
        with files.reading(self.file.source), self.file.source.open("rb", buffering=0) as source:
            source.seek(self.offset)
            yield from self._pieces(source)

    def _pieces(self, source: io.FileIO) -> Iterator[bytes]:
        left = self.len
        while left:
            if left <= CHUNK:
                self.file.require_unchanged()
            piece = source.read(min(CHUNK, left))
            if not piece:
                raise files.changed(self.file.source)
            left -= len(piece)
            self.sent += len(piece)
            self._meter(len(piece))
            yield piece


def _begins_again(error: LMVPError) -> bool:
    return (
        error.status in (404, 410)
        or isinstance(error, StoreRefused)
        or error.code in ("digest_mismatch", "size_mismatch")
    )


def _require_same(file: LocalFile) -> None:
    """LocalFileError when the file is another one now: then the server was right to refuse it."""
    if files.hashed(file.path, file.source, lambda _: None).sha256 != file.sha256:
        raise files.changed(file.source)


def _damaged(file: LocalFile, error: LMVPError) -> LMVPError:
    if error.code not in ("digest_mismatch", "size_mismatch"):
        return error
    return IntegrityError(
        f"The server got other bytes of {file.source} than were sent, several times. Nothing was published. Try over "
        "another network; if it goes on, tell whoever runs the server that a proxy in front of it is damaged."
    )
