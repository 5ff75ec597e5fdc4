"""Clients that work on while things break, and keep a record of what they were told."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.faults import length
from tests.faults.sites import at
from tests.http_client import Person
from tests.servers import Server, wait_until
from tests.tars import digest_of, pack_of

MODEL = "/v1/projects/vision/models/classifier"
BYTES = {"Content-Type": "application/octet-stream"}
PART = {"Content-Type": "application/offset+octet-stream"}
BROKEN = (OSError, http.client.HTTPException)
EXCUSED = frozenset({423, 502, 503, 504, 507})  # locked by who was killed; away, busy or full
REFUSED = frozenset({(400,), (410,)})  # the same again would be answered the same
LARGE = (8 << 20,) * 7 + (length.of(short=9, long=65) << 20,)  # bytes: the smallest that go to the store, and two parts
READ_BACK = 100  # seconds
PAUSE = 0.05  # seconds before who was refused asks again

Files = dict[str, str]  # path → SHA-256


class Excused(Exception):
    """The server could not, and said so."""


@dataclass
class Record:
    """What the clients asked for and were told. Each key is written by one client alone."""

    begun: dict[str, Files] = field(default_factory=dict)  # message of a version → what it shall hold
    published: dict[str, tuple[int, str]] = field(default_factory=dict)  # message → number and digest, as told
    stored: dict[str, int] = field(default_factory=dict)  # SHA-256 → size, told to be stored
    parts: dict[str, int] = field(default_factory=dict)  # address of an upload → bytes told to be safe
    aliases: dict[str, list[int]] = field(default_factory=dict)  # alias → versions that it may stand at (404: nowhere)
    surprises: list[str] = field(default_factory=list)  # answers that nothing excuses
    refused: Counter[str] = field(default_factory=Counter)  # code → how often
    cut: int = 0  # requests whose connection broke
    excused: int = 0
    answered: int = 0  # requests, with whatever status
    done: int = 0

    def told(self) -> str:
        return (
            f"{self.done} works done, {self.cut} requests cut, {self.excused} refused;"
            f" {len(self.published)} versions told of {len(self.begun)} begun, {len(self.stored)} files stored;"
            f" {len(self.surprises)} surprises"
        )


@dataclass
class Client:
    """Does one work after the other until told to stop; asks the next server when one breaks.

    `past_us`: it brings large files to the store itself, where the server sends it there.
    """

    number: int
    person: Person
    servers: list[Server]
    record: Record
    dice: random.Random
    stop: threading.Event
    also_excused: Sequence[str] = ()
    past_us: bool = False
    turn: int = 0

    def run(self) -> None:
        works = [self.publish, self.publish, self.publish, self.put, self.send_parts, self.send_pack]
        works += [self.move_alias, self.download, self.list_versions]
        works += [self.publish_large, self.publish_large, self.bring] * self.past_us
        while not self.stop.is_set():
            self.turn += 1
            try:
                self.dice.choice(works)()
                self.record.done += 1
            except (Excused, *BROKEN):
                self.stop.wait(PAUSE)

    # --- The works

    def put(self) -> str:
        """Send a new file; return its digest."""
        content = self.content()
        href = self.announce(content)
        if href:
            self.call("PUT", href, content, BYTES)
        self.record.stored[digest_of(content)] = len(content)
        return digest_of(content)

    def send_parts(self) -> None:
        content = self.content()
        href, half = self.announce(content), len(content) // 2
        for start, end in ((0, half), (half, len(content))):
            self.call("PATCH", href, content[start:end], {**PART, "Upload-Offset": str(start)})
            self.record.parts[href] = end
            self.turn_to_next()
        self.record.stored[digest_of(content)] = len(content)

    def send_pack(self) -> None:
        contents = [self.content(3000) for _ in range(20)]
        self.call("POST", f"{MODEL}/uploads/pack", pack_of(*contents), {"Content-Type": "application/x-tar"})
        self.record.stored |= {digest_of(content): len(content) for content in contents}

    def publish(self) -> None:
        self.publish_files({f"d{n}/weights.bin": self.put() for n in range(self.dice.randint(1, 3))})

    def publish_large(self) -> None:
        self.publish_files({"large/weights.bin": self.bring(), "card.bin": self.put()})

    def publish_files(self, files: Files) -> None:
        """Publish new files, and ask again with the same key until an answer comes."""
        message = f"client {self.number}, work {self.turn}"
        self.record.begun[message] = files
        sent = [{"path": path, "sha256": digest} for path, digest in files.items()]
        body = {"files": sent, "base": "empty", "message": message}
        answer = self.insist("POST", f"{MODEL}/versions/", body, {"Idempotency-Key": message})
        if answer:
            self.record.published[message] = (answer["number"], answer["digest"])

    def move_alias(self) -> None:
        if told := list(self.record.published.values()):
            name, number = f"alias-{self.number}", self.dice.choice(told)[0]
            self.record.aliases.setdefault(name, [404]).append(number)
            self.call("PUT", f"{MODEL}/aliases/{name}/", {"revision": str(number)})
            self.record.aliases[name] = [number]

    def download(self) -> None:
        if told := list(self.record.published):
            message = self.dice.choice(told)
            path, digest = self.dice.choice(list(self.record.begun[message].items()))
            content = self.call("GET", f"{MODEL}/versions/{self.record.published[message][0]}/files/{path}")
            if isinstance(content, str):
                content = self.at_store("GET", content)
            if digest_of(content) != digest:
                self.record.surprises.append(f"wrong bytes of {path} in “{message}”")

    def list_versions(self) -> None:
        self.call("GET", f"{MODEL}/versions/?page_size=50")

    # --- Asking

    def announce(self, content: bytes) -> str:
        [offer] = self.call("POST", f"{MODEL}/uploads/", [{"size": len(content), "sha256": digest_of(content)}])
        return path_of(offer.get("href", ""))

    def bring(self) -> str:
        """Bring a large file to the store; go on with what broke off, a few times. Return its digest."""
        content = self.dice.randbytes(self.dice.choice(LARGE) + self.dice.randint(0, 1000))
        for tries_left in (3, 2, 1, 0):
            try:
                self.bring_what_is_missing(content)
                break
            except (Excused, *BROKEN):
                if not tries_left or self.stop.wait(PAUSE):
                    raise
        self.record.stored[digest_of(content)] = len(content)
        return digest_of(content)

    def bring_what_is_missing(self, content: bytes) -> None:
        [offer] = self.call("POST", f"{MODEL}/uploads/", [{"size": len(content), "sha256": digest_of(content)}])
        for part in offer.get("parts", []):
            if not part["etag"]:
                self.at_store("PUT", part["href"], content[part["offset"] : part["offset"] + part["size"]])
        until = time.monotonic() + READ_BACK
        while offer["status"] != "stored":  # also when told to stop: it is being read back
            offer["status"] = self.call("POST", path_of(offer["complete"]), {})["status"]
            threading.Event().wait(PAUSE)
            if time.monotonic() > until:
                self.record.surprises.append(f"nobody makes sure of {offer}")
                raise Excused

    def insist(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        """Ask until an answer comes; None when refused for good, or told to stop before."""
        while True:
            try:
                return self.call(method, path, body, headers)
            except (Excused, *BROKEN) as error:
                if self.stop.wait(PAUSE) or error.args[:1] in REFUSED:
                    return None

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Return what a success answered. Raise Excused, or what broke the connection; write down anything else."""
        try:
            status, answer = at(self.person, self.servers[0]).call(method, path, body, **(headers or {}))
        except BROKEN as error:
            self.record.cut += not isinstance(error, ConnectionRefusedError)  # then nothing was under way
            self.turn_to_next()
            raise
        self.record.answered += 1
        if status < 400:
            return answer
        self.record.excused += 1
        self.record.refused[code_of(answer)] += 1
        if status not in EXCUSED and code_of(answer) not in self.also_excused:
            self.record.surprises.append(f"{method} {path} answered {status}: {answer!r:.300}")
        raise Excused(status)

    def at_store(self, method: str, href: str, body: bytes | None = None) -> bytes:
        """Ask the store itself. What it refuses is no surprise; but for a signature of ours."""
        try:
            status, answer = asked_at_store(method, href, body)
        except BROKEN:
            self.record.cut += 1
            raise
        if status == 200:
            return answer
        self.record.excused += 1
        if status == 403:
            self.record.surprises.append(f"the store forbade {method} {href}: {answer!r:.300}")
        raise Excused(status)

    def turn_to_next(self) -> None:
        self.servers = [*self.servers[1:], self.servers[0]]

    def content(self, largest: int = 200_000) -> bytes:
        return self.dice.randbytes(self.dice.randint(1, largest))


def fetched(person: Person, path: str) -> tuple[int, Any]:
    """Return status and bytes of a file, also where the store sends them."""
    status, answer = person.call("GET", path)
    return asked_at_store("GET", answer) if status == 302 else (status, answer)


def asked_at_store(method: str, href: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Send a request to a signed address of the store; return status and body. IncompleteRead where its head broke off."""
    parts = urlsplit(href)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body)
        answer = connection.getresponse()
        if method == "GET" and answer.length is None and not answer.chunked:
            raise http.client.IncompleteRead(b"")
        return answer.status, answer.read()
    finally:
        connection.close()


def path_of(href: str) -> str:
    parts = urlsplit(href)
    return f"{parts.path}?{parts.query}" if parts.path else ""


def code_of(answer: Any) -> str:
    return answer["error"]["code"] if isinstance(answer, dict) and "error" in answer else ""


@contextmanager
def clients_at_work(
    person: Person,
    servers: Sequence[Server],
    dice: random.Random,
    *,
    record: Record | None = None,
    block: int = 0,
    clients: int = 4,
    also_excused: Sequence[str] = (),
    past_us: bool = False,
) -> Iterator[Record]:
    """Let clients work until the block ends; give their record. It goes on in another `block` of work."""
    record = record or Record()
    stop = threading.Event()
    crew = []
    for n in range(clients):
        first, luck = n % len(servers), random.Random(dice.random())
        in_turn = [*servers[first:], *servers[:first]]
        crew.append(Client(block * clients + n, person, in_turn, record, luck, stop, also_excused, past_us))
    threads = [threading.Thread(target=client.run) for client in crew]
    for thread in threads:
        thread.start()
    try:
        yield record
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        if record.surprises:
            print(*record.surprises, *(server.output()[-8000:] for server in servers), sep="\n")  # noqa: T201


def until(record: Record, condition: Callable[[], bool], *, seconds: float = 120) -> None:
    """Wait for what the clients come to; a surprise ends it."""
    wait_until(lambda: bool(record.surprises) or condition(), seconds=seconds, what=record.told)
    assert record.surprises == [], record.told()
