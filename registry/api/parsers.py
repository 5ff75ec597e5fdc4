"""Bodies on their way in: JSON within bounds, forms whose files are hashed while they stream, and raw bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser, MultiPartParser

from accounts.api.parsers import BoundedJSON
from registry.digests import CHUNK
from registry.errors import Invalid
from registry.incoming import Incoming


class LongJSON(BoundedJSON):
    """JSON that may list a hundred thousand files."""

    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE


class WholeForm(MultiPartParser):
    """A form that came to its end. Django takes one that breaks off in the middle of a file for a whole one."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        watched = _Tail(stream)
        found = super().parse(watched, media_type=media_type, parser_context=parser_context)
        boundary = parse_header_parameters(media_type or "")[1].get("boundary", "")
        if f"--{boundary}--".encode("latin-1", "replace") not in watched.tail:
            raise Invalid("incomplete_form", "The form ended before its last boundary. Send it again, whole.")
        return found


class _Tail:
    """A stream that remembers its last bytes."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self.stream.read(size)
        self.tail = (self.tail + piece[-512:])[-512:]
        return piece


class RawBytes(BaseParser):
    """Any body, left unread: the view streams it."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> None:
        return None


def body_chunks(request: HttpRequest) -> Iterator[bytes]:
    """Yield the request's body piece by piece; Invalid when it ends before its announced length."""
    announced = request.META.get("CONTENT_LENGTH") or ""
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    stream = request.META["wsgi.input"] if chunked else request
    came = 0
    try:
        while piece := stream.read(CHUNK):
            came += len(piece)
            yield piece
    except OSError as error:
        raise _cut(came) from error
    if announced.isdigit() and not chunked and came < int(announced):
        raise _cut(came)


def _cut(came: int) -> Invalid:
    return Invalid("size_mismatch", f"The connection ended after {came:,} bytes. Send the file again.")


class ArrivedFile(UploadedFile):
    """A file of a form, hashed and on disk already, waiting to be kept."""

    def __init__(self, incoming: Incoming, name: str, content_type: str) -> None:
        super().__init__(io.BytesIO(), name, content_type, incoming.size)
        self.incoming = incoming


class HashingUploadHandler(FileUploadHandler):
    """Streams each file of a form into the incoming directory; whoever made it discards the rest in the end."""

    chunk_size = 256 * 1024

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.arrived: list[Incoming] = []

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.arrived.append(Incoming(limit=settings.LMVP_MAX_FILE_SIZE))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.arrived[-1].write(raw_data)

    def file_complete(self, file_size: int) -> ArrivedFile:
        return ArrivedFile(self.arrived[-1], self.file_name or "", self.content_type or "")

    def discard(self) -> None:
        for incoming in self.arrived:  # those that were not stored
            incoming.discard()
