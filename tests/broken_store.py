"""A line to an S3 store that fails as stores do: away, silent, slow, answering 500, or cutting bodies on either way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BrokenStore:
    """Listens on a port of its own, and hands bytes on to the store. `failing`: how many connections are yet to fail."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.kind = ""
        self.failing = 0
        self.failed = 0
        self.cut_after = 100_000  # bytes of an answer, or of what is sent
        self.pause = 0.05  # seconds before each piece, where it is slow: some hundred kilobytes in a second
        self.carried = 0  # bytes on their way to the store
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def fail(self, kind: str, times: int = 10**6) -> None:
        """From now on: `gone`, `silent`, `slow`, `500`, `cut` (answers) or `torn` (requests); connections that stand are broken."""
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
            self._carry_both(client, kind)

    def _carry_both(self, client: socket.socket, kind: str) -> None:
        server = socket.create_connection(("127.0.0.1", self.to))
        self._open.append(server)
        up, down = (self.cut_after if kind == cutting else 0 for cutting in ("torn", "cut"))
        pause = self.pause if kind == "slow" else 0
        threading.Thread(target=_carry, args=(client, server, up, pause, self._count), daemon=True).start()
        _carry(server, client, down, pause, lambda size: None)

    def _count(self, size: int) -> None:
        self.carried += size


def _carry(source: socket.socket, target: socket.socket, most: int, pause: float, count: Callable[[int], None]) -> None:
    carried = 0
    with suppress(OSError):
        while piece := source.recv(16_384 if pause else 2**20):
            carried += len(piece)
            if most and carried > most:
                target.sendall(piece[: most - carried])
                break
            if pause:
                threading.Event().wait(pause)
            target.sendall(piece)
            count(len(piece))
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
