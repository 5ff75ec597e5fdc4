"""Files that come in forms: hashed on their way to the disk, for pages and the API alike."""

from __future__ import annotations

import io
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser
from django.utils.http import parse_header_parameters

from registry.errors import Invalid
from registry.incoming import Incoming


class Tail:
    """A stream that remembers its last bytes."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.tail = b""

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self.stream.read(size)
        self.tail = (self.tail + piece[-512:])[-512:]
        return piece

    def require_end(self, content_type: str) -> None:
        """Raise Invalid where a form of this content type did not come to its end."""
        boundary = parse_header_parameters(content_type)[1].get("boundary", "")
        if f"--{boundary}--".encode("latin-1", "replace") not in self.tail:
            raise Invalid("incomplete_form", "The form ended before its last boundary. Send it again, whole.")


class ArrivedFile(UploadedFile):  # type: ignore[type-arg]  # its stubs alone are generic
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


def read_form(request: HttpRequest, handler: HashingUploadHandler) -> None:
    """Read a form with its files by the handler, for request.POST and request.FILES; Invalid where it broke off.

    Before anything else asks for them: Django would keep the files elsewhere, and take a broken form for a whole one.
    """
    if request.content_type != "multipart/form-data":
        return
    watched: Any = Tail(request)
    found = MultiPartParser(request.META, watched, [handler], request.encoding or settings.DEFAULT_CHARSET).parse()
    watched.require_end(request.headers.get("Content-Type", ""))
    request._post, request._files = found  # type: ignore[attr-defined]
