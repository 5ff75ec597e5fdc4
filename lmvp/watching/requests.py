"""Counts and times every request, and says which were slow. Time that a client takes to send or fetch bytes is its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import cycle
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import LimitedStream
from django.db import connection
from django.http import HttpRequest, HttpResponse

from lmvp.numerals import whole_number
from lmvp.straight import Straight
from lmvp.watching import tallies
from lmvp.watching.queries import note_slow

logger = logging.getLogger("lmvp.slow")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FORMS = ("application/json", "application/x-www-form-urlencoded")
BUFFERS = 3  # one that is filled, and two for whoever works on the pieces before
FIRST = 16 * 1024  # bytes of a buffer, to begin with
UNKNOWN = "unknown"  # addresses that no route knows are one


class Body:
    """A request's body, which knows how many bytes were read and how long that took."""

    def __init__(self, stream: Any, *, upload: bool) -> None:
        self.stream, self.upload = stream, upload
        self.waited, self.came = 0.0, 0
        self._open = False

    def read(self, *size: int) -> bytes:
        with self._timed():
            piece: bytes = self.stream.read(*size)
        self.came += len(piece)
        return piece

    def readline(self, *size: int) -> bytes:
        with self._timed():
            line: bytes = self.stream.readline(*size)
        self.came += len(line)
        return line

    def pieces(self, size: int) -> Iterator[memoryview] | None:
        """Yield the body in pieces of at most this size, each good until two more were asked for; None: use `read`."""
        straight = Straight.of(self.stream)
        return self._pieces(straight, size) if straight else None

    def _pieces(self, straight: Straight, size: int) -> Iterator[memoryview]:
        room, buffers = min(FIRST, size), [memoryview(b"")] * BUFFERS
        for place in cycle(range(BUFFERS)):
            if len(buffers[place]) < room:
                buffers[place] = memoryview(bytearray(room))
            with self._timed():
                count = straight.read_into(buffers[place])
            if not count:
                return
            self.came += count
            yield buffers[place][:count]
            if count == room:  # there was more: who sends slowly needs little memory
                room = min(2 * room, size)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        if self.upload and not self._open:
            self._open = True
            tallies.uploads.inc()
        started = time.perf_counter()
        try:
            yield
        finally:
            self.waited += time.perf_counter() - started

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def end(self) -> None:
        if self._open:
            tallies.uploads.dec()
        if self.came:
            tallies.bytes_in.inc(self.came)


def watch(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """The middleware: inside request_log, whose id the slow lines bear, and around all others."""

    def middleware(request: HttpRequest) -> HttpResponse:
        body = _watched_body(request)
        started = time.perf_counter()
        try:
            with _watched_queries():
                response = get_response(request)
        finally:
            seconds = time.perf_counter() - started
            if body:
                body.end()
        waited = body.waited if body else 0.0
        _count(request, response, max(seconds - waited, 0.0), waited)
        return response

    return middleware


def _watched_queries() -> AbstractContextManager[None]:
    return connection.execute_wrapper(note_slow) if settings.SLOW_QUERY_MS else nullcontext()


def _watched_body(request: HttpRequest) -> Body | None:
    length = request.META.get("CONTENT_LENGTH") or ""
    if length in ("", "0") and "HTTP_TRANSFER_ENCODING" not in request.META:
        return None
    body = Body(request.META["wsgi.input"], upload=request.content_type not in FORMS)
    request.META["wsgi.input"] = body
    request._stream = LimitedStream(body, whole_number(length) or 0)  # type: ignore[attr-defined]
    return body


def _count(request: HttpRequest, response: HttpResponse, seconds: float, waited: float) -> None:
    route = route_of(request)
    method = request.method if request.method in METHODS else "other"
    tallies.requests.labels(method, route, f"{response.status_code // 100}xx").inc()
    tallies.request_seconds.labels(method, route).observe(seconds)
    if response.streaming:
        _watch_download(response)
    elif request.method != "HEAD":
        tallies.bytes_out.inc(len(response.content))
    if settings.SLOW_REQUEST_MS and seconds * 1000 >= settings.SLOW_REQUEST_MS:
        tallies.slow_requests.inc()
        facts = {"method": method, "route": route, "path": request.path, "status": response.status_code}
        facts |= {"ms": round(seconds * 1000, 1), "waited_ms": round(waited * 1000, 1)}
        logger.warning("slow request: %(method)s %(path)s %(status)s took %(ms)s ms", facts, extra=facts)


def route_of(request: HttpRequest) -> str:
    """Return the pattern of the address: there are as many as the site has routes."""
    if request.path_info.startswith(settings.STATIC_URL):
        return "static"
    match = getattr(request, "resolver_match", None)
    return f"/{match.route}" if match else UNKNOWN


def _watch_download(response: HttpResponse) -> None:
    """Count what is streamed until it is closed: by its announced length, or piece by piece."""
    tallies.downloads.inc()
    length = whole_number(response.headers.get("Content-Length", ""))
    if length is None and not response.is_async:
        response.streaming_content = _counted(response.streaming_content)
    closing = response.close
    ended = False

    def close() -> None:
        nonlocal ended
        try:
            closing()
        finally:
            if not ended:
                ended = True
                tallies.downloads.dec()
                tallies.bytes_out.inc(length or 0)

    response.close = close  # type: ignore[method-assign]


def _counted(pieces: Any) -> Iterator[bytes]:
    for piece in pieces:
        tallies.bytes_out.inc(len(piece))
        yield piece
