"""A line to an S3 store that fails as stores do: away, silent, answering 500, or cutting the bodies that it sends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BrokenStore:
    """Listens on a port of its own, and hands bytes on to the store. `failing`: how many connections are yet to fail."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.kind = ""
        self.failing = 0
        self.failed = 0
        self.cut_after = 100_000  # bytes of an answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def fail(self, kind: str, times: int = 10**6) -> None:
        """From now on: `gone`, `silent`, `500` or `cut`; connections that stand are broken."""
        self.kind, self.failing = kind, times
        self._break()

    def mend(self) -> None:
        self.fail("", 0)

    def close(self) -> None:
        self._break()
        self._listener.close()

    def _break(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open = []

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        kind = self.kind if self.failing > 0 else ""
        self.failing -= bool(kind)
        self.failed += bool(kind)
        if kind == "gone":
            client.close()
        elif kind == "500":
            with suppress(OSError):
                client.recv(65_536)
                client.sendall(FAILED)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65_536):
                    pass
            client.close()
        elif kind != "silent":
            self._carry_both(client, self.cut_after if kind == "cut" else 0)

    def _carry_both(self, client: socket.socket, most: int) -> None:
        server = socket.create_connection(("127.0.0.1", self.to))
        self._open.append(server)
        threading.Thread(target=_carry, args=(client, server, 0), daemon=True).start()
        _carry(server, client, most)


def _carry(source: socket.socket, target: socket.socket, most: int) -> None:
    carried = 0
    with suppress(OSError):
        while piece := source.recv(16_384):
            carried += len(piece)
            if most and carried > most:
                break
            target.sendall(piece)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def broken_store(port: int) -> Iterator[BrokenStore]:
    store = BrokenStore(port)
    try:
        yield store
    finally:
        store.close()
