"""Files on their way to the server: hashed while others are sent, and only what the server does not have."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lmvp.client import files
from lmvp.client.crew import LOOK, Crew
from lmvp.client.errors import LMVPError, NotFound, ValidationFailed
from lmvp.client.files import LocalFile, Meter
from lmvp.client.http import Session
from lmvp.client.outgoing import Sender, Upload
from lmvp.client.packs import KIND, PACKED, PackBody, packs_of
from lmvp.client.patience import may_pass
from lmvp.client.progress import Bar, Shown, bytes_bar

BATCH = 1000  # digests in one question, at most
ENOUGH = 250  # digests that are worth a question
HASTE = 0.25  # seconds that a digest waits for others to be asked about with it
TOGETHER = 32  # small files that a thread hashes in one go
HASHING_THREADS = 4
SENDING_THREADS = 4


def send_files(
    session: Session,
    model_path: str,
    found: Mapping[str, Path],
    *,
    meanwhile: Callable[[], object] = lambda: None,
    progress: Shown = None,
) -> list[LocalFile]:
    """Hash files and send those whose bytes the server misses; return them all. `model_path` is the model's API path.

    `meanwhile` is called when the hashing has begun, before anything is asked or sent. LocalFileError when a file cannot be
    read, or changes meanwhile.
    """
    sizes = {path: _size(source) for path, source in found.items()}
    with (
        bytes_bar("hashing", sum(sizes.values()), progress, files=len(found)) as hashing_bar,
        bytes_bar("sending", 0, progress, line=1) as sending_bar,
        Crew(SENDING_THREADS) as senders,
        Crew(HASHING_THREADS) as hashers,
    ):
        hashing = _Hashing(hashers, hashing_bar)
        hashing.begin(found, sizes)
        meanwhile()
        local = hashing.feed(_Shipment(session, model_path, senders, sending_bar), found)
        senders.wait()
    for file in local:
        file.require_unchanged()
    return local


def _size(source: Path) -> int:
    with files.reading(source):
        return source.stat().st_size


def _handfuls(found: Mapping[str, Path], sizes: Mapping[str, int]) -> Iterator[list[tuple[str, Path]]]:
    """Yield the files in groups: each large one alone, the largest first, then small ones together."""
    some: list[tuple[str, Path]] = []
    for path in sorted(found, key=lambda path: -sizes[path]):
        some.append((path, found[path]))
        if sizes[path] >= PACKED or len(some) == TOGETHER:
            yield some
            some = []
    if some:
        yield some


class _Hashing:
    """Files that are read by several threads, and handed on in batches as they are done."""

    def __init__(self, crew: Crew, bar: Bar) -> None:
        self._crew = crew
        self._bar = bar
        self._done: queue.SimpleQueue[LocalFile] = queue.SimpleQueue()

    def begin(self, found: Mapping[str, Path], sizes: Mapping[str, int]) -> None:
        """Let the crew hash all files, the large ones first."""
        for some in _handfuls(found, sizes):
            self._crew.submit(self._hash, some)

    def feed(self, shipment: _Shipment, found: Mapping[str, Path]) -> list[LocalFile]:
        """Let the shipment have the files as they are hashed; return them in the order of `found`."""
        local: dict[str, LocalFile] = {}
        waiting: list[LocalFile] = []
        since = time.monotonic()
        while len(local) < len(found):
            for file in self._next():
                local[file.path] = file
                waiting.append(file)
            shipment.senders.wait(0)
            if len(waiting) >= ENOUGH or time.monotonic() - since > HASTE:
                shipment.add(waiting)
                waiting, since = [], time.monotonic()
        shipment.add(waiting)
        shipment.close()
        return [local[path] for path in found]

    def _next(self) -> list[LocalFile]:
        """Return what is done: at least one file, but after a moment without any."""
        self._crew.wait(0)
        batch: list[LocalFile] = []
        with contextlib.suppress(queue.Empty):
            batch.append(self._done.get(timeout=LOOK))
            while len(batch) < BATCH:
                batch.append(self._done.get_nowait())
        return batch

    def _hash(self, some: Sequence[tuple[str, Path]]) -> None:
        for path, source in some:
            self._done.put(files.hashed(path, source, self._count))
        self._bar.finish(len(some))

    def _count(self, size: int) -> None:
        self._crew.check()
        self._bar(size)


class Missing(NamedTuple):
    """A file whose bytes the server does not have, and where it wants them."""

    file: LocalFile
    upload: Upload

    @property
    def size(self) -> int:
        return self.file.size


class _Shipment:
    """What the server is asked about and sent: each content once, small files together."""

    def __init__(self, session: Session, model_path: str, senders: Crew, bar: Bar) -> None:
        self.senders = senders
        self._session = session
        self._path = model_path
        self._bar = bar
        self._asked: set[str] = set()
        self._small: list[Missing] = []
        self._takes_packs = True
        self._sender = Sender(session, senders, bar, self._upload)

    def add(self, local: Sequence[LocalFile]) -> None:
        """Ask about files, and begin to send what is missing."""
        fresh = {file.sha256: file for file in local if file.sha256 not in self._asked}
        self._asked |= fresh.keys()
        batch = list(fresh.values())
        for start in range(0, len(batch), BATCH):
            self._begin(batch[start : start + BATCH])

    def close(self) -> None:
        """Send the small files that have waited for others."""
        if self._small:
            self.senders.submit(self._send_together, self._small)
        self._small = []

    def _begin(self, batch: Sequence[LocalFile]) -> None:
        missing = [Missing(file, upload) for file, upload in zip(batch, self._uploads(batch), strict=True) if upload]
        self._bar.expect(sum(one.file.size for one in missing), len(missing))
        small = [one for one in missing if one.file.size < PACKED and self._takes_packs]
        for one in missing:
            if one.file.size >= PACKED or not self._takes_packs:
                self.senders.submit(self._send, one)
        *full, self._small = list(packs_of([*self._small, *small])) or [[]]
        for pack in full:
            self.senders.submit(self._send_together, pack)
        if self.senders.idle:  # a line that waits is worse than a pack that is not full
            self.close()

    def _uploads(self, batch: Sequence[LocalFile]) -> list[Upload | None]:
        asked = [{"size": file.size, "sha256": file.sha256} for file in batch]
        answers = self._session.call("POST", f"{self._path}uploads/", asked, repeatable=True)
        with self._session.understood():
            uploads = [Upload.from_json(answer) for answer in answers]
            if len(uploads) != len(batch):
                raise ValueError(f"{len(uploads)} answers to {len(batch)} questions")
        return uploads

    def _upload(self, file: LocalFile) -> Upload | None:
        return self._uploads([file])[0]

    def _send(self, one: Missing) -> None:
        self._sender.send(one.file, one.upload)
        self._bar.finish()

    def _send_together(self, pack: Sequence[Missing]) -> None:
        if len(pack) > 1 and self._takes_packs and self._sent_as_pack([one.file for one in pack], self._sender.count):
            self._bar.finish(len(pack))
            return
        for one in pack:
            self.senders.submit(self._send, one)

    def _sent_as_pack(self, members: Sequence[LocalFile], meter: Meter) -> bool:
        """Send files together; whether the server has taken them. What it does not like it is sent file by file."""
        body, patience = PackBody(members, meter), self._sender.patience()
        while True:
            try:
                self._session.post_stream(f"{self._path}uploads/pack/", lambda: body, kind=KIND)
                return True
            except (NotFound, ValidationFailed) as error:
                body.withdraw()
                self._takes_packs = self._takes_packs and error.status not in (404, 405)
                return False
            except LMVPError as error:
                body.withdraw()
                if not may_pass(error):
                    raise
                patience.wait(error)
                self._session.renew()
