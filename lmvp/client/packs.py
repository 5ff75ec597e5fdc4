"""Many small files in one stream: tars whose members are named by digest on the way up, by path on the way down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

from lmvp.client import files
from lmvp.client.errors import ConnectionFailed
from lmvp.client.files import LocalFile, Meter

PACKED = 2**20  # bytes up to which a file travels in a pack
PACK_FILES = 1000
PACK_SIZE = 16 * 2**20
KIND = "application/x-tar"
BLOCK = 512
NAME, SIZE, CHECKSUM = slice(64), slice(124, 135), slice(148, 156)  # POSIX.1-2017, “ustar Interchange Format”
WRITTEN = 256 * 1024  # bytes that are handed to the connection at once


class Sized(Protocol):
    @property
    def size(self) -> int: ...


OneOf = TypeVar("OneOf", bound=Sized)


def packs_of(small: Sequence[OneOf]) -> Iterator[list[OneOf]]:
    """Yield files in groups that are good for one pack each."""
    pack: list[OneOf] = []
    size = 0
    for file in small:
        if pack and (len(pack) >= PACK_FILES or size + file.size > PACK_SIZE):
            yield pack
            pack, size = [], 0
        pack.append(file)
        size += file.size
    if pack:
        yield pack


class PackBody:
    """A tar of files named by their digest, as a stream of known length."""

    def __init__(self, members: Sequence[LocalFile], meter: Meter) -> None:
        self.members = members
        self.len = sum(BLOCK + _padded(file.size) for file in members) + 2 * BLOCK
        self._meter = meter
        self._sent = 0

    def withdraw(self) -> None:
        """Take back what was counted."""
        sent, self._sent = self._sent, 0
        self._meter(-sent)

    def __iter__(self) -> Iterator[bytes]:
        self.withdraw()
        ready: list[bytes] = []
        waiting = 0
        for file in self.members:
            content = self._content(file)
            ready += [_header(file), content, bytes(_padded(file.size) - file.size)]
            waiting += file.size
            self._sent += file.size
            self._meter(file.size)
            if waiting >= WRITTEN:
                yield b"".join(ready)
                ready, waiting = [], 0
        yield b"".join([*ready, bytes(2 * BLOCK)])

    def _content(self, file: LocalFile) -> bytes:
        with files.reading(file.source), file.source.open("rb", buffering=0) as source:
            content: bytes = source.read(file.size + 1) or b""
        if len(content) != file.size:
            raise files.changed(file.source)
        return content


def _header(file: LocalFile) -> bytes:
    """Return the block before a file's bytes. Not by tarfile alone, which takes twice as long for it as 64 KiB take to be read."""
    header = bytearray(_empty_header())
    header[NAME], header[SIZE] = file.sha256.encode(), b"%011o" % file.size
    header[CHECKSUM] = b" " * 8
    header[CHECKSUM] = b"%06o\0 " % sum(header)
    return bytes(header)


@cache
def _empty_header() -> bytes:
    import tarfile  # only transfers need it

    return tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def members(pieces: Iterable[bytes], sizes: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    """Yield the members of a tar that comes in pieces: those whose name and size are the ones given in `sizes`.

    ConnectionFailed where it breaks off or is no tar.
    """
    import tarfile

    try:
        stream: Any = _Stream(pieces)
        with tarfile.open(fileobj=stream, mode="r|", bufsize=WRITTEN) as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined] # it would keep them all
                content = tar.extractfile(member) if sizes.get(member.name) == member.size else None
                if content is not None:
                    yield member.name, content.read()
    except (tarfile.TarError, EOFError) as error:
        raise ConnectionFailed(
            f"A pack of files broke off on its way here ({error}). Try again; if it goes on, a proxy is in the way."
        ) from error


class _Stream:
    """The end of a stream that tarfile reads."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)

    def read(self, _size: int) -> bytes:
        """Return the next piece, of whatever size: tarfile asks again for what it misses."""
        return next(self._pieces, b"")
