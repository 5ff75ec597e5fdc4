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

NOT_THERE = {"404", "NoSuchKey", "NotFound"}
ATTEMPTS = 4  # at a body that breaks off


@contextmanager
def said_clearly() -> Iterator[None]:
    """Turn a store's failures into FileNotFoundError, where an object is not there, or Unavailable."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in NOT_THERE and error.operation_name != "HeadBucket":
            raise FileNotFoundError(errno.ENOENT, "the bucket has no such object") from error
        raise _unavailable() from error
    except (BotoCoreError, HTTPError, S3UploadFailedError, ConnectionError) as error:
        raise _unavailable() from error


def _unavailable() -> Unavailable:
    said = "The store of the files does not answer as it should. Nothing was changed; try again in a moment."
    return Unavailable("storage_unavailable", said)


class Window(io.RawIOBase):
    """`length` bytes of a file from `start`, as a file of their own: what is sent may be sent again."""

    def __init__(self, source: Path, *, start: int, length: int) -> None:
        self._file = source.open("rb")
        self._start = start
        self._length = length
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._length - self._at))
        piece = os.pread(self._file.fileno(), wanted, self._start + self._at)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()


class Stream(io.RawIOBase):
    """An object from `start` on, read as it comes. A body that breaks off is gone on with where it ended."""

    def __init__(self, client: Any, place: dict[str, str], *, start: int, length: int | None) -> None:
        self._client = client
        self._place = place
        self._at = start
        self._end = None if length is None else start + length
        self._body: Any = None
        self._etag = ""
        self._size = 0
        self._open()

    def _open(self) -> None:
        """Ask for the bytes from here on; of the same object as before."""
        same = {"IfMatch": self._etag} if self._etag else {}
        if self._at or self._end:
            last = "" if self._end is None else str(max(self._end - 1, self._at))
            same["Range"] = f"bytes={self._at}-{last}"
        with said_clearly():
            answer = self._client.get_object(**self._place, **same)
        self._body, self._etag = answer["Body"], answer["ETag"]
        whole = answer.get("ContentRange", "").rpartition("/")[2]
        found = whole_number(whole)
        self._size = answer["ContentLength"] if found is None else found

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if place != self._at:
            self._drop()
            self._at = place
        return place

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), (self._size if self._end is None else min(self._end, self._size)) - self._at)
        if wanted <= 0:
            return 0
        piece = self._read(wanted)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

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


class Ranges(io.RawIOBase):
    """An object of which a few bytes are read here and there: a request for each reading."""

    def __init__(self, client: Any, place: dict[str, str], size: int) -> None:
        self._client = client
        self._place = place
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

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
