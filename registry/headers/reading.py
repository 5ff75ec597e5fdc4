"""What the readers of headers share: a header as a value, its bounds, and a stream that gives no more than they allow.

Pure. A header comes from strangers: whatever it claims is checked before anything is allocated for it.
"""

from __future__ import annotations

import codecs
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MAX_READ = 64 * 2**20  # bytes of one file
MAX_TENSORS = 100_000
MAX_DIMENSIONS = 64
MAX_ELEMENTS = 2**63 - 1  # of one tensor, and the largest of its dimensions
MAX_NAME = 1024  # bytes
MAX_NOTES = 2_000
MAX_TEXT = 8_192  # characters of one note; longer ones are cut
MAX_TEXTS = 2**20  # characters of all notes: behind that, each is cut to its beginning
BEGINNING = 100
FIRST_READ, LARGEST_READ = 4096, 65_536


class BadHeader(ValueError):
    """The file is not what its name or first bytes say, or claims more than is read; the message says which."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as its header tells: `begin` and `size` are bytes of the file, None where the header does not say."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int | None = None
    size: int | None = None
    external: str = ""  # the file that is said to hold its bytes; nobody follows it

    @property
    def parameters(self) -> int:
        return math.prod(self.shape)


@dataclass(slots=True)
class Notes:
    """What a header says beside its tensors, within bounds. `cut` names what was shortened."""

    values: dict[str, Any] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)
    _told: int = 0

    def add(self, key: str, value: Any, *, cut: bool = False) -> None:
        if key in self.values:
            raise BadHeader(f"{key[:100]!r} is there twice.")
        if len(self.values) >= MAX_NOTES:
            raise BadHeader(f"it has more than {MAX_NOTES:,} metadata entries.")
        if isinstance(value, str):
            room = min(MAX_TEXT, max(BEGINNING, MAX_TEXTS - self._told))
            value, cut = value[:room], cut or len(value) > room
            self._told += len(value)
        if cut:
            self.cut.append(key)
        self.values[key] = value


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself before its numbers begin."""

    format: str
    tensors: list[Tensor]
    notes: Notes

    @property
    def parameters(self) -> int:
        return sum(tensor.parameters for tensor in self.tensors)

    @property
    def dtypes(self) -> dict[str, dict[str, int]]:
        """How many tensors and parameters there are of each dtype."""
        found: dict[str, dict[str, int]] = {}
        for tensor in self.tensors:
            told = found.setdefault(tensor.dtype, {"tensors": 0, "parameters": 0})
            told["tensors"] += 1
            told["parameters"] += tensor.parameters
        return found


class Reader:
    """Reads forward through a stream of `size` bytes; BadHeader behind its end, and after `limit` bytes.

    Reads little after a jump and more while nothing is skipped: a header may be followed over gigabytes of numbers.
    """

    def __init__(self, stream: BinaryIO, size: int, *, limit: int = MAX_READ) -> None:
        self.size = size
        self.position = 0
        self._stream = stream
        self._buffer, self._at = b"", 0
        self._limit = self._left = limit
        self._ahead = FIRST_READ

    def take(self, length: int) -> bytes:
        """Return the next bytes, all of them."""
        self._check(length)
        if self._at + length > len(self._buffer):
            self._fill(length)
        piece = self._buffer[self._at : self._at + length]
        self._at += length
        self.position += length
        return piece

    def byte(self) -> int:
        """Return the next byte."""
        if self._at == len(self._buffer):
            return self.take(1)[0]
        self._at += 1
        self.position += 1
        return self._buffer[self._at - 1]

    def skip(self, length: int) -> None:
        """Go on behind the next bytes, without reading them where they are many."""
        self._check(length)
        self.position += length
        self._at += length
        if self._at > len(self._buffer):
            self._stream.seek(self.position)
            self._buffer, self._at, self._ahead = b"", 0, FIRST_READ

    def _check(self, length: int) -> None:
        if length > self.size - self.position:
            raise BadHeader(f"at byte {self.position:,} it claims {length:,} more, and ends before that.")

    def _fill(self, length: int) -> None:
        rest = self._buffer[self._at :]
        missing = length - len(rest)
        if missing > self._left:
            raise BadHeader(f"more than {self._limit:,} bytes would have to be read.")
        wanted = min(max(missing, self._ahead), self._left, self.size - self.position - len(rest))
        self._left -= wanted
        self._ahead = min(2 * self._ahead, LARGEST_READ)
        pieces = [rest]
        while wanted:
            piece = self._stream.read(wanted)
            if not piece:
                raise BadHeader("it ends in the middle of its header.")
            pieces.append(piece)
            wanted -= len(piece)
        self._buffer, self._at = b"".join(pieces), 0

    def number(self, form: str) -> Any:
        """Return one little-endian number of `struct`."""
        (value,) = struct.unpack(f"<{form}", self.take(struct.calcsize(form)))
        return value

    def name(self, length: int) -> str:
        """Return a text that has to be whole."""
        if length > MAX_NAME:
            raise BadHeader(f"a name has {length:,} bytes; at most {MAX_NAME:,} are read.")
        return as_text(self.take(length))

    def skip_texts(self, count: int) -> None:
        """Go on behind so many texts, each told by eight bytes of length."""
        for _ in range(count):
            self.skip(self.number("Q"))

    def text(self, length: int) -> tuple[str, bool]:
        """Return a text, and whether it was cut."""
        self._check(length)
        whole = length <= MAX_TEXT
        text = as_text(self.take(min(length, MAX_TEXT)), whole=whole)
        self.skip(max(0, length - MAX_TEXT))
        return text, not whole


def as_text(raw: bytes, *, whole: bool = True) -> str:
    """Return UTF-8 as text; when it is not the `whole`, the last character may be broken."""
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(raw, whole)
    except UnicodeDecodeError:
        raise BadHeader("a text in it is not UTF-8.") from None


def elements_of(name: str, shape: Sequence[int]) -> int:
    """Return how many numbers a shape holds; BadHeader for one that nothing can have."""
    if len(shape) > MAX_DIMENSIONS:
        raise BadHeader(f"{name[:100]!r} has {len(shape)} dimensions; at most {MAX_DIMENSIONS} are read.")
    if any(length < 0 for length in shape):
        raise BadHeader(f"{name[:100]!r} has a negative dimension.")
    elements = math.prod(shape)
    if elements > MAX_ELEMENTS or any(length > MAX_ELEMENTS for length in shape):
        raise BadHeader(f"{name[:100]!r} claims more elements than there can be.")
    return elements


def check_count(tensors: int) -> None:
    if tensors > MAX_TENSORS:
        raise BadHeader(f"it claims {tensors:,} tensors; at most {MAX_TENSORS:,} are read.")


def check_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadHeader(f"{name[:100]!r} is there twice.")
        seen.add(name)


def check_places(tensors: Iterable[Tensor], size: int) -> None:
    """Refuse tensors that reach behind the file's end or share bytes."""
    behind = 0
    for begin, length, name in sorted((t.begin or 0, t.size or 0, t.name) for t in tensors if t.begin is not None):
        if begin + length > size:
            raise BadHeader(f"the bytes of {name[:100]!r} would end behind the end of the file.")
        if length and begin < behind:
            raise BadHeader(f"the bytes of {name[:100]!r} overlap others.")
        behind = max(behind, begin + length)
