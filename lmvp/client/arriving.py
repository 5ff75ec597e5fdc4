"""One file on its way from the server: in stretches, several at a time, kept when the line breaks, hashed close behind."""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lmvp.client import files
from lmvp.client.crew import Crew
from lmvp.client.errors import IntegrityError, LMVPError
from lmvp.client.files import CHUNK, Meter
from lmvp.client.http import Session
from lmvp.client.patience import Patience, may_pass
from lmvp.client.remote import RemoteFile

if TYPE_CHECKING:
    from lmvp.client.transport import Response

LARGE = 64 * 2**20  # bytes from which on several connections share a file
STRETCH = 16 * 2**20  # bytes of a large file that one request brings
PIECE = 256 * 1024  # bytes that are taken from the line at once
NOTED = 8 * 2**20  # bytes after which it is written down that they are here


class Part:
    """A file that is not all here yet: its bytes, each at its place, and beside it a list of the stretches that came.

    One process at a time uses it. A list that says more than is true (after a pulled plug) is found by the digest.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self._list = path.with_suffix(".came")
        self._lock = threading.Lock()
        self._came = self._read()
        with files.writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("r+b" if self._came else "wb") as file:
                file.truncate(size)
            if not self._came:
                self._list.write_text("")

    def _read(self) -> list[tuple[int, int]]:
        try:
            lines = self._list.read_text("ascii").split("\n")[:-1]  # behind the last one: what was not all written
            came = [(int(start), int(end)) for start, end in (line.split() for line in lines)]
            whole = self.path.stat().st_size == self.size
        except (OSError, ValueError):
            return []
        return came if whole and all(0 <= start < end <= self.size for start, end in came) else []

    def came(self, start: int, end: int) -> None:
        """Note that these bytes stand in the file."""
        if start < end:
            with self._lock, files.writing(self._list):
                self._came.append((start, end))
                with self._list.open("a", encoding="ascii") as file:
                    file.write(f"{start} {end}\n")

    def known_up_to(self, start: int) -> int:
        """Return how far the bytes are here from `start` on, without a gap."""
        with self._lock:
            for begin, end in sorted(self._came):
                if begin <= start < end:
                    start = end
        return start

    def missing(self, most: int) -> Iterator[tuple[int, int]]:
        """Yield the stretches that are not here, none longer than `most`."""
        position = 0
        for begin, end in [*sorted(self._came), (self.size, self.size)]:
            while position < begin:
                stop = min(begin, position + most)
                yield position, stop
                position = stop
            position = max(position, end)

    def forget(self) -> None:
        """Take the bytes away."""
        for path in (self.path, self._list):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Source:
    """Where the bytes of a version's files are had, and how: `crew` ends it all, `meter` counts."""

    session: Session
    version_path: str
    crew: Crew
    meter: Meter

    def path(self, file: RemoteFile) -> str:
        return f"{self.version_path}files/{file.quoted}"

    def patience(self) -> Patience:
        return Patience(self.session.resume_pauses, self.crew.pause)


class Arriving:
    """The bytes of one file as they come into its Part, from several threads at once."""

    def __init__(self, source: Source, file: RemoteFile, part: Part) -> None:
        self._source = source
        self._file = file
        self._part = part
        self._counted = file.size - sum(end - start for start, end in part.missing(file.size or 1))
        self._count_lock = threading.Lock()
        self._hashed = _Hashed(part, source.crew)
        source.meter(self._counted)

    def fetch(self) -> None:
        """Fetch what is missing in this thread. IntegrityError when it is not what was published."""
        for start, end in self._part.missing(self._file.size or 1):
            self._fetch(start, end)
        self._check()

    def fetch_together(self) -> None:
        """Fetch what is missing with the crew's threads. Not to be called by one of them."""
        self._source.crew.each(lambda stretch: self._fetch(*stretch), list(self._part.missing(STRETCH)))
        self._check()

    def withdraw(self) -> None:
        """Take back what was counted: it begins again."""
        self._source.meter(-self._counted)

    def _fetch(self, start: int, end: int) -> None:
        patience = self._source.patience()
        with files.writing(self._part.path), self._part.path.open("r+b", buffering=0) as out:
            out.seek(start)
            position = start
            while position < end:
                failure: LMVPError | None = None
                begun = position
                try:
                    for piece in self._asked(position, end):
                        _write(out, piece)
                        position += len(piece)
                        self._count(len(piece))
                        start = self._noted(start, position)
                except LMVPError as error:
                    if not may_pass(error):
                        raise
                    failure = error
                self._part.came(start, position)
                start = position
                if position > begun:
                    patience.renew()
                if position < end:
                    patience.wait(failure or self._other(f"{position} bytes"))
        self._hashed.go_on()

    def _noted(self, start: int, position: int) -> int:
        if position - start < NOTED:
            return start
        self._part.came(start, position)
        self._hashed.go_on()
        return position

    def _asked(self, position: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `position` to `end`; fewer when the answer ends before."""
        from lmvp.client.transport import pieces

        to_the_end = end == self._file.size
        path = self._source.path(self._file)
        with self._source.session.stream(path, start=position, end=None if to_the_end else end) as response:
            came = pieces(response, PIECE)
            if not _is_part(response):  # all of it: somebody on the way knows no ranges
                came = _without(came, position)
            for piece in came:
                self._source.crew.check()
                left = end - position
                if len(piece) > left and to_the_end:
                    raise self._other("more bytes")
                position += min(len(piece), left)
                yield piece[:left]
                if position == end and not to_the_end:
                    return

    def _count(self, size: int) -> None:
        with self._count_lock:
            self._counted += size
        self._source.meter(size)

    def _check(self) -> None:
        sha256 = self._hashed.finish()
        if sha256 != self._file.sha256:
            raise self._other(f"SHA-256 {sha256[:12]}…")

    def _other(self, what: str) -> IntegrityError:
        return IntegrityError(
            f"The server sent other bytes for {self._file.path} than were published ({what}, instead of "
            f"{self._file.size} bytes, SHA-256 {self._file.sha256[:12]}…). Nothing was kept. Try again; if it goes on, "
            "tell whoever runs the server that its storage, or a proxy, is damaged."
        )


class _Hashed:
    """The digest of a Part, as far as its bytes are there without a gap.

    Whichever thread has noted a stretch hashes on, if no other does just then. The bytes are read from the file: they were
    written a moment ago, so that this reads memory, and checks what was really written.
    """

    def __init__(self, part: Part, crew: Crew) -> None:
        self._part = part
        self._crew = crew
        self._digest = hashlib.sha256()
        self._size = 0
        self._busy = False
        self._lock = threading.Lock()

    def go_on(self) -> None:
        """Hash what is there, unless another thread is at it: that one looks again before it ends."""
        while self._begins():
            with files.writing(self._part.path):
                self._up_to(self._part.known_up_to(self._size))
            self._busy = False

    def _begins(self) -> bool:
        with self._lock:
            begins = not self._busy and self._part.known_up_to(self._size) > self._size
            self._busy = self._busy or begins
            return begins

    def _up_to(self, end: int) -> None:
        buffer = memoryview(bytearray(CHUNK))
        with self._part.path.open("rb", buffering=0) as file:
            file.seek(self._size)
            while self._size < end:
                self._crew.check()
                count = file.readinto(buffer[: min(CHUNK, end - self._size)])
                if not count:
                    return
                self._digest.update(buffer[:count])
                self._size += count

    def finish(self) -> str:
        """Return the SHA-256 of all; the other threads have ended."""
        self._up_to(self._part.size)
        return self._digest.hexdigest()


def _is_part(response: Response) -> bool:
    """Some stores say 200 to a range too, and tell only by this header that it is one."""
    return response.status_code == 206 or "Content-Range" in response.headers


def _without(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield the pieces behind the first `size` bytes."""
    for piece in pieces:
        skipped = min(size, len(piece))
        size -= skipped
        if skipped < len(piece):
            yield piece[skipped:]


def _write(out: io.FileIO, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[out.write(left) :]
