"""Bodies of known length straight from their connection, where gunicorn has it: its own way copies each piece some six times,
which takes longer than to hash and write it. Reads what gunicorn had read ahead first, and never past the body's end."""

from __future__ import annotations

import socket
from typing import Any

from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import SocketUnreader

NOW = getattr(socket, "MSG_DONTWAIT", None)  # none on Windows, where gunicorn does not run


class Straight:
    """What is left of one request's body. Whoever reads it here does not read it from gunicorn's `body` meanwhile."""

    def __init__(self, body: Body) -> None:
        self._body, self._reader = body, body.reader
        self._ahead: SocketUnreader = body.reader.unreader

    @classmethod
    def of(cls, stream: Any) -> Straight | None:
        """Return the straight way to a WSGI stream's bytes; None where there is none."""
        reader = getattr(stream, "reader", None)
        if not isinstance(stream, Body) or type(reader) is not LengthReader or stream.buf.tell() or NOW is None:
            return None
        ahead = reader.unreader
        return cls(stream) if type(ahead) is SocketUnreader and type(ahead.sock) is socket.socket else None

    def read_into(self, view: memoryview) -> int:
        """Fill the view with what there is: at least a byte, for which it waits; return how many. 0: no more will come."""
        view = view[: self._reader.length]
        if not view:
            return 0
        try:
            count = self._read_ahead(view) or self._receive(view)
        except OSError:
            self._body.failed = True  # where the next request begins is not known
            raise
        self._reader.length -= count
        return count

    def _read_ahead(self, view: memoryview) -> int:
        there = self._ahead.buf.seek(0, 2)
        if not there:
            return 0
        found: bytes = self._ahead.read(min(there, len(view)))
        view[: len(found)] = found
        return len(found)

    def _receive(self, view: memoryview) -> int:
        connection = self._ahead.sock
        count: int = connection.recv_into(view)
        while 0 < count < len(view):
            try:
                more = connection.recv_into(view[count:], 0, NOW)
            except BlockingIOError:
                break
            if not more:
                break
            count += more
        return count
