"""The tar of a pack, read as a stream: plain files named by their digest, within bounds. Knows no disk and no row.

Of a header only name, size and type are used; everything that could stand for another name or size (GNU's long names,
pax records) is refused instead of being followed. Format: POSIX.1-2017, pax, “ustar Interchange Format”.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from tarfile import BLOCKSIZE, TarInfo

from lmvp.numerals import whole_number
from registry.digests import SHA256
from registry.errors import Invalid, TooLarge

ZEROS = bytes(BLOCKSIZE)
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
PAX = (tarfile.XHDTYPE, tarfile.XGLTYPE)
MOST_PAX_BYTES = 64 * 1024
GZIP = b"\x1f\x8b"
# As nearly all are: name, mode and owners, size, time, checksum, type, what is not looked at, devices, no prefix of the name.
USUAL = re.compile(
    rb"([0-9a-f]{64})\0.{35}(?:[0-7]{7}[\0 ]){3}([0-7]{11})[\0 ][0-7]{11}[\0 ]([0-7]{6})\0 [0\0].{172}"
    rb"(?:[0-7]{7}[\0 ]|\0{8}){2}\0",
    re.DOTALL,
)
CHECKSUM, SPACES = slice(148, 156), sum(b" " * 8)  # it counts itself as so many spaces


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a pack may hold: files, bytes of each, and bytes of the whole tar."""

    files: int
    file_size: int
    size: int


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a tar: what it says of itself, and its bytes, to be read before the next member is asked for."""

    digest: str
    size: int
    pieces: Iterator[memoryview]


def members(chunks: Iterable[bytes], bounds: Bounds) -> Iterator[Member]:
    """Yield the files of a tar as they come; not one chunk more than the one at hand is held.

    Raises Invalid (invalid_pack, too_many_files), TooLarge.
    """
    stream, seen = _Stream(chunks, bounds.size), set[str]()
    while (block := stream.read(BLOCKSIZE)) != ZEROS:
        header = _header(block)
        if header.type in PAX:
            _look_into(stream, header)
            continue
        _check(header, seen, bounds)
        seen.add(header.name)
        yield Member(header.name, header.size, stream.pieces(header.size))
        stream.skip_padding(header.size)
    _require_end(stream)
    if not seen:
        raise _invalid("holds no file")


class _Stream:
    """Chunks, handed on in the sizes that are asked for. TooLarge behind `most` bytes, Invalid where it ends too early."""

    def __init__(self, chunks: Iterable[bytes], most: int) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")
        self._most = self._left = most

    def pieces(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self._rest and not self._fill():
                raise _invalid("ends in the middle: there is no end of the archive")
            piece, self._rest = self._rest[:size], self._rest[size:]
            size -= len(piece)
            yield piece

    def read(self, size: int) -> bytes:
        return b"".join(self.pieces(size))

    def skip_padding(self, size: int) -> None:
        for _ in self.pieces(-size % BLOCKSIZE):
            pass

    def remainder(self) -> Iterator[memoryview]:
        while self._rest or self._fill():
            yield self._rest
            self._rest = self._rest[:0]

    def _fill(self) -> bool:
        chunk = next(self._chunks, b"")
        self._left -= len(chunk)
        if self._left < 0:
            raise TooLarge("too_large", f"A pack has at most {self._most:,} bytes here. Send smaller ones.")
        self._rest = memoryview(chunk)
        return bool(chunk)


def _header(block: bytes) -> TarInfo:
    if usual := _usual_header(block):
        return usual
    try:
        return TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        if block.startswith(GZIP):
            raise _invalid("is compressed: send the tar as it is") from None
        raise _invalid("is no tar, or is damaged: a header is none") from None


def _usual_header(block: bytes) -> TarInfo | None:
    """Return the header of a plain file named by its digest, in a quarter of the time; None for others and damaged ones."""
    found = USUAL.match(block)
    if not found or int(found[3], 8) != sum(block) - sum(block[CHECKSUM]) + SPACES:
        return None
    header = TarInfo(found[1].decode())
    header.size = int(found[2], 8)
    return header


def _check(header: TarInfo, seen: set[str], bounds: Bounds) -> None:
    name, fields = header.name, {"members": [header.name]}
    if header.type not in PLAIN:
        raise _invalid(f"holds something else than plain files: a member of type {header.type!r}")
    if not SHA256.fullmatch(name):
        raise _invalid(f"names a member {ascii(name)[:200]}, not by its SHA-256 (64 lower-case hex digits) alone")
    if header.size < 0:
        raise _invalid("is damaged: a size is below zero")
    if header.size > bounds.file_size:
        raise TooLarge(
            "too_large",
            f"A file in a pack has at most {bounds.file_size:,} bytes here, and {name} has {header.size:,}. Send it by"
            " uploads/ and PUT.",
            fields=fields,
        )
    if name in seen:
        raise _invalid(f"holds {name} twice")
    if len(seen) == bounds.files:
        raise Invalid("too_many_files", f"Send at most {bounds.files:,} files in one pack.")


def _look_into(stream: _Stream, header: TarInfo) -> None:
    """Pass over pax records; refuse those that would change what is read of a member."""
    if not 0 <= header.size <= MOST_PAX_BYTES:
        raise _invalid("says too much in a pax header")
    content = stream.read(header.size)
    stream.skip_padding(header.size)
    for key in _pax_keys(content):
        if key in (b"path", b"linkpath", b"size") or key.startswith(b"GNU.sparse."):
            raise _invalid(f"gives a member another name or size by a pax record {key!r}")


def _pax_keys(content: bytes) -> Iterator[bytes]:
    """Yield the keys of records `<length> <key>=<value>\\n`."""
    while content:
        digits, _, _ = content[:8].partition(b" ")
        length = whole_number(digits.decode("latin-1")) or 0
        record, content = content[:length], content[length:]
        if not record.endswith(b"\n") or b"=" not in record or len(record) < length:
            raise _invalid("is damaged: a pax record is none")
        yield record[len(digits) + 1 :].partition(b"=")[0]


def _require_end(stream: _Stream) -> None:
    if stream.read(BLOCKSIZE) != ZEROS or any(bytes(piece).strip(b"\0") for piece in stream.remainder()):
        raise _invalid("goes on behind the end of the archive")


def _invalid(what: str) -> Invalid:
    return Invalid("invalid_pack", f"This pack {what}. Nothing of it was kept; make it anew, and send it whole.")
