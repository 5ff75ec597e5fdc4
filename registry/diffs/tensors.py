"""What became of the tensors of a file: by their headers, and their bytes where these are the same. Pure.

Bytes are compared piece by piece, as far as `budget` goes: a tensor that differs mostly does so in its first piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from registry.headers.reading import Tensor

FIRST_PIECE, PIECE = 64 * 1024, 2**20

Same = Callable[[Tensor, Tensor], bool | None]  # whether two tensors have the same bytes; None: not looked at


@dataclass(frozen=True, slots=True)
class Changed:
    """A tensor that stands on both sides and differs in its dtype, its shape or its bytes."""

    before: Tensor
    after: Tensor

    @property
    def differs(self) -> list[str]:
        told = [("dtype", self.before.dtype, self.after.dtype), ("shape", self.before.shape, self.after.shape)]
        return [name for name, was, now in told if was != now] or ["bytes"]


@dataclass(slots=True)
class TensorDiff:
    added: list[Tensor] = field(default_factory=list)
    removed: list[Tensor] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    unchanged: int = 0
    not_compared: int = 0  # the same by their headers, their bytes not looked at


def compare(before: list[Tensor], after: list[Tensor], same: Same) -> TensorDiff:
    """Return what differs; `same` is asked only about tensors of one name, dtype and shape, in the order of the file."""
    was, now = ({tensor.name: tensor for tensor in tensors} for tensors in (before, after))
    found = TensorDiff(
        added=[tensor for tensor in after if tensor.name not in was],
        removed=[tensor for tensor in before if tensor.name not in now],
    )
    for tensor in sorted(after, key=lambda tensor: tensor.begin or 0):
        if tensor.name in was:
            _judge(found, was[tensor.name], tensor, same)
    found.changed.sort(key=lambda one: one.after.name)
    return found


def _judge(found: TensorDiff, before: Tensor, after: Tensor, same: Same) -> None:
    if (before.dtype, before.shape) != (after.dtype, after.shape):
        found.changed.append(Changed(before, after))
        return
    equal = same(before, after)
    if equal is None:
        found.not_compared += 1
    elif equal:
        found.unchanged += 1
    else:
        found.changed.append(Changed(before, after))


class Bytes:
    """Compares the bytes of tensors in two files, until `budget` bytes of both together have been read (None: all)."""

    def __init__(self, before: BinaryIO, after: BinaryIO, *, budget: int | None) -> None:
        self._files = before, after
        self._left = math.inf if budget is None else budget

    def same(self, before: Tensor, after: Tensor) -> bool | None:
        if before.begin is None or after.begin is None or before.size is None or before.size != after.size:
            return None
        for file, begin in zip(self._files, (before.begin, after.begin), strict=True):
            file.seek(begin)
        left, piece = before.size, FIRST_PIECE
        while left:
            wanted = min(left, piece)
            if self._left < 2 * wanted:
                return None
            self._left -= 2 * wanted
            if exactly(self._files[0], wanted) != exactly(self._files[1], wanted):
                return False
            left, piece = left - wanted, PIECE
        return True


def exactly(file: BinaryIO, length: int) -> bytes:
    """Read so many bytes, fewer only at the file's end: an unbuffered file may give them in pieces."""
    pieces = []
    while length:
        piece = file.read(length)
        if not piece:
            break
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
