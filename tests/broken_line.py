"""A line to a server that is slow and can be cut: bytes are handed on as they are, as long as it holds."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE = 16 * 1024


class Line:
    """Listens on a port of its own. `rate`: bytes a second from the client to the server; 0: as fast as they come."""

    def __init__(self, port: int, *, rate: int = 0) -> None:
        self.to = port
        self.rate = rate
        self.open: list[socket.socket] = []
        self.is_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and take no other."""
        self.is_cut = True
        for one in self.open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
                one.close()
        self.open.clear()

    def mend(self, *, rate: int = 0) -> None:
        self.rate, self.is_cut = rate, False

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.is_cut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.to))
                self.open += [client, server]
                threading.Thread(target=self._carry, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._carry, args=(server, client, False), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                target.sendall(piece)
                if up and self.rate:
                    time.sleep(len(piece) / self.rate)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(port: int, *, rate: int = 0) -> Iterator[Line]:
    line = Line(port, rate=rate)
    try:
        yield line
    finally:
        line.close()
