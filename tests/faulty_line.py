"""A line to a server that counts what it carries, and breaks, slows down or damages it when told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

PIECE = 64 * 1024


@dataclass
class Faults:
    """What happens to the bytes of one direction. Positions count all bytes that went this way since `forget`."""

    carried: int = 0
    cut_at: int | None = None  # the connection breaks here, once
    flip_at: int | None = None  # one bit is another one here, once
    flip_always: bool = False  # … or in every large piece
    rate: int = 0  # bytes a second; 0: as fast as they come

    def forget(self) -> None:
        self.carried = 0

    def apply(self, piece: bytes) -> tuple[bytes, bool]:
        """Return what is handed on of a piece, and whether the line breaks behind it."""
        begin, self.carried = self.carried, self.carried + len(piece)
        if self.flip_at is not None and begin <= self.flip_at < self.carried:
            place = self.flip_at - begin
            piece = piece[:place] + bytes([piece[place] ^ 1]) + piece[place + 1 :]
            self.flip_at = None
        if self.flip_always and len(piece) == PIECE:  # requests and answers about bytes are shorter
            piece = piece[:-1] + bytes([piece[-1] ^ 1])
        if self.cut_at is not None and self.carried > self.cut_at:
            piece, self.cut_at = piece[: max(0, self.cut_at - begin)], None
            return piece, True
        if self.rate:
            time.sleep(len(piece) / self.rate)
        return piece, False


class FaultyLine:
    """Listens on a port of its own, and hands on to another one. `up`: from the client; `down`: to it."""

    def __init__(self, port: int) -> None:
        self.up, self.down = Faults(), Faults()
        self.connections = 0
        self._to = port
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                try:
                    server = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    client.close()
                    continue
                for source, target, faults in ((client, server, self.up), (server, client, self.down)):
                    threading.Thread(target=self._carry, args=(source, target, faults), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, faults: Faults) -> None:
        broken = False
        with suppress(OSError):
            while not broken and (piece := source.recv(PIECE)):
                with self._lock:
                    piece, broken = faults.apply(piece)
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def faulty_line_to(port: int) -> Iterator[FaultyLine]:
    line = FaultyLine(port)
    try:
        yield line
    finally:
        line.close()
