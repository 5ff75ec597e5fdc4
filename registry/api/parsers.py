"""Bodies on their way in: JSON within bounds, whole forms, and raw bytes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.parsers import BaseParser, MultiPartParser

from accounts.api.parsers import BoundedJSON
from lmvp.numerals import whole_number
from lmvp.watching.requests import Body
from registry.arriving import Tail
from registry.digests import CHUNK
from registry.errors import Invalid

STRAIGHT = 512 * 1024  # bytes of a piece that comes straight from the connection
WORTH_ITS_BUFFERS = 256 * 1024  # bytes of a body


class LongJSON(BoundedJSON):
    """JSON that may list a hundred thousand files."""

    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE


class WholeForm(MultiPartParser):
    """A form that came to its end. Django takes one that breaks off in the middle of a file for a whole one."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        watched = Tail(stream)
        found = super().parse(watched, media_type=media_type, parser_context=parser_context)
        watched.require_end(media_type or "")
        return found


class RawBytes(BaseParser):
    """Any body, left unread: the view streams it."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> None:
        return None


def body_chunks(request: HttpRequest) -> Iterator[bytes | memoryview]:
    """Yield the request's body piece by piece, each good until two more were asked for.

    Invalid when it ends before its announced length.
    """
    announced = announced_length(request)
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    came = 0
    try:
        for piece in _pieces(request, announced, chunked=chunked):
            came += len(piece)
            yield piece
    except OSError as error:
        raise _cut(came) from error
    if announced is not None and not chunked and came < announced:
        raise _cut(came)


def _pieces(request: HttpRequest, announced: int | None, *, chunked: bool) -> Iterator[bytes | memoryview]:
    stream = request.META["wsgi.input"]
    if not chunked and announced and announced >= WORTH_ITS_BUFFERS and isinstance(stream, Body):
        straight = stream.pieces(STRAIGHT)
        if straight:
            return straight
    read = stream.read if chunked else request.read
    return iter(partial(read, CHUNK), b"")


def announced_length(request: HttpRequest) -> int | None:
    """Return how many bytes the body is said to have; None where that is not said, or no number."""
    return whole_number(request.META.get("CONTENT_LENGTH") or "")


def _cut(came: int) -> Invalid:
    return Invalid("size_mismatch", f"The connection ended after {came:,} bytes. Send the file again.")
