"""Bodies straight from gunicorn's connection: whole, in order, and not a byte of what comes behind them."""

from __future__ import annotations

import io
import os
import random
import socket
import threading
from collections.abc import Iterator

import pytest
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.unreader import IterUnreader, SocketUnreader

from lmvp.straight import Straight
from lmvp.watching.requests import Body as Watched

NEXT = b"GET /next HTTP/1.1\r\n\r\n"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    theirs, ours = socket.socketpair()
    with theirs, ours:
        yield theirs, ours


def body_of(connection: socket.socket, length: int, *, ahead: bytes = b"") -> Body:
    unreader = SocketUnreader(connection)
    unreader.buf.write(ahead)
    return Body(LengthReader(unreader, length))


def read_whole(body: Body, size: int) -> bytes:
    pieces = Watched(body, upload=False).pieces(size)
    assert pieces is not None, "the pinned gunicorn has it where it is looked for"
    return b"".join(map(bytes, pieces))


@pytest.mark.parametrize("ahead", [0, 1, 100, 5000])
@pytest.mark.parametrize("size", [1, 7, 4096, 2**16])
def test_all_comes_in_order_and_the_next_request_stays(ends, ahead: int, size: int) -> None:
    theirs, ours = ends
    content = os.urandom(5000)
    body = body_of(ours, len(content), ahead=(content + NEXT)[:ahead])
    theirs.sendall((content + NEXT)[ahead:])
    assert read_whole(body, size) == content
    assert (body.reader.length, body.read()) == (0, b"")
    assert body.reader.unreader.read(len(NEXT)) == NEXT


def test_what_was_read_ahead_beyond_the_body_stays(ends) -> None:
    body = body_of(ends[1], 5, ahead=b"01234" + NEXT)
    assert read_whole(body, 100) == b"01234"
    assert body.reader.unreader.take_buffered() == NEXT


def test_pieces_come_as_they_are_sent_and_stay_good_while_two_more_come(ends) -> None:
    theirs, ours = ends
    content, dice = os.urandom(200_000), random.Random(3)

    def send() -> None:
        left = memoryview(content)
        while left:
            left = left[theirs.send(left[: dice.randrange(1, 3000)]) :]

    sender = threading.Thread(target=send)
    sender.start()
    pieces = Watched(body_of(ours, len(content)), upload=False).pieces(1024)
    assert pieces
    held: list[memoryview] = []
    came = b""
    for piece in pieces:
        held.append(piece)
        if len(held) == 3:
            came += held.pop(0)
    sender.join()
    assert came + b"".join(held) == content


def test_buffers_grow_with_what_comes_and_a_slow_sender_takes_little(ends) -> None:
    theirs, ours = ends
    body = Watched(body_of(ours, 2**24), upload=False)
    pieces = body.pieces(2**19)
    assert pieces
    for _ in range(10):
        theirs.sendall(b"slow")
        assert len(next(pieces).obj) == 2**14  # type: ignore[arg-type]
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
    sender = threading.Thread(target=theirs.sendall, args=(bytes(2**23),))
    sender.start()
    largest = 0
    while body.came < 2**23 + 40:
        largest = max(largest, len(next(pieces).obj))  # type: ignore[arg-type]
    sender.join()
    assert 2**14 < largest <= 2**19


def test_a_connection_that_ends_in_the_middle_is_an_end(ends) -> None:
    theirs, ours = ends
    body = body_of(ours, 100)
    theirs.sendall(b"012")
    theirs.close()
    assert read_whole(body, 10) == b"012"
    assert body.reader.length == 97


def test_a_connection_that_breaks_is_not_used_again(ends) -> None:
    body = body_of(ends[1], 100)
    ends[1].settimeout(0.01)
    with pytest.raises(TimeoutError):
        read_whole(body, 10)
    assert body.failed


def test_other_ways_are_left_to_gunicorn(ends) -> None:
    unreader = SocketUnreader(ends[1])
    for stream in (io.BytesIO(b"x"), Body(ChunkedReader(None, unreader)), Body(LengthReader(IterUnreader([b"x"]), 1))):
        assert Straight.of(stream) is None
    begun = body_of(ends[1], 5, ahead=b"01234")
    begun.buf.write(b"read before")
    assert Straight.of(begun) is None
