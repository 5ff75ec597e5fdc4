"""Objects of a bucket as files to read, in constant memory; and what a store says when it fails, in our words."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from lmvp.numerals import whole_number
from registry.stores.contract import Unavailable

NOT_THERE = {"404", "NoSuchKey", "NotFound", "NoSuchUpload"}
ATTEMPTS = 4  # at a body that breaks off
AHEAD = 64 * 1024  # bytes


@contextmanager
def said_clearly() -> Iterator[None]:
    """Turn a store's failures into FileNotFoundError, where an object is not there, or Unavailable.

    An answer whose head broke off looks like a whole one, but for what it lacks: KeyError, where that is asked for.
    """
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in NOT_THERE and error.operation_name != "HeadBucket":
            raise FileNotFoundError(errno.ENOENT, "the bucket has no such object") from error
        raise _unavailable() from error
    except (BotoCoreError, HTTPError, S3UploadFailedError, ConnectionError, KeyError) as error:
        raise _unavailable() from error


def _unavailable() -> Unavailable:
    said = "The store of the files does not answer as it should. Nothing was changed; try again in a moment."
    return Unavailable("storage_unavailable", said)


class _Positioned(io.RawIOBase):
    """Bytes of a known size that are read from where one stands. To move is free: who asks for the size seeks there and back."""

    _at: int
    _size: int

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at


class Window(_Positioned):
    """`length` bytes of a file from `start`, as a file of their own: what is sent may be sent again."""

    def __init__(self, source: Path, *, start: int, length: int) -> None:
        self._file = source.open("rb")
        self._start = start
        self._size = length
        self._at = 0

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._size - self._at))
        piece = os.pread(self._file.fileno(), wanted, self._start + self._at)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()


class Stream(_Positioned):
    """An object from `start` on, read as it comes. A body that breaks off is gone on with where it ended.

    Its first bytes are here when it is open: whoever has begun to answer with it cannot say any more that the store is away.
    """

    def __init__(self, client: Any, place: dict[str, str], *, start: int, length: int | None) -> None:
        self._client = client
        self._place = place
        self._at = start
        self._end = None if length is None else start + length
        self._body: Any = None
        self._etag = ""
        self._size = 0
        self._ahead = b""
        self._ahead_of = start
        self._open()
        if first := min(AHEAD, self._left()):
            self._ahead = self._read(first)

    def _open(self) -> None:
        """Ask for the bytes from here on; of the same object as before."""
        same = {"IfMatch": self._etag} if self._etag else {}
        if self._at or self._end:
            last = "" if self._end is None else str(max(self._end - 1, self._at))
            same["Range"] = f"bytes={self._at}-{last}"
        with said_clearly():
            answer = self._client.get_object(**self._place, **same)
            in_part = self._at or "ContentRange" in answer
            whole = answer["ContentRange"].rpartition("/")[2] if in_part else str(answer["ContentLength"])
            self._body, self._etag = answer["Body"], answer["ETag"]
        found = whole_number(whole)
        self._size = answer["ContentLength"] if found is None else found

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._left())
        if not wanted:
            return 0
        if self._at != self._ahead_of:
            self._drop()
            self._ahead = b""
        piece, self._ahead = self._ahead[:wanted] or self._read(wanted), self._ahead[wanted:]
        buffer[: len(piece)] = piece
        self._at = self._ahead_of = self._at + len(piece)
        return len(piece)

    def _left(self) -> int:
        return max(0, (self._size if self._end is None else min(self._end, self._size)) - self._at)

    def _read(self, wanted: int) -> bytes:
        for _ in range(ATTEMPTS):
            if self._body is None:
                self._open()
            with suppress(BotoCoreError, HTTPError, ConnectionError):
                piece: bytes = self._body.read(wanted)
                if piece:
                    return piece
            self._drop()
        raise _unavailable()

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
        self._body = None

    def close(self) -> None:
        self._drop()
        super().close()


class Ranges(_Positioned):
    """An object of which a few bytes are read here and there: a request for each reading."""

    def __init__(self, client: Any, place: dict[str, str], size: int) -> None:
        self._client = client
        self._place = place
        self._size = size
        self._at = 0

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        with said_clearly():
            answer = self._client.get_object(**self._place, Range=f"bytes={self._at}-{self._at + length - 1}")
            piece: bytes = answer["Body"].read()
        if len(piece) != length:
            raise _unavailable()
        buffer[:length] = piece
        self._at += length
        return length
