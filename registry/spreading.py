"""A hint to ext4 that the directories of a directory have nothing to do with each other: chattr +T. Others do without it.

Each then gets inodes where few were taken, instead of beside its siblings. Makes files up to twenty times as fast in the
minutes after many were deleted: ext4 passes over each of their inodes (`recently_deleted`, fs/ext4/ialloc.c).
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

# <linux/fs.h>; the numbers are those of systems whose `long` has eight bytes.
GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602
TOP_OF_HIERARCHIES = 0x00020000
FLAGS = struct.Struct("i")


@cache
def spread_directories(path: Path) -> None:
    """Let directories made in this one stand apart, where its file system knows of it and we may say so."""
    if sys.platform != "linux" or struct.calcsize("l") != 8:
        return
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = flags_of(descriptor)
            fcntl.ioctl(descriptor, SET_FLAGS, FLAGS.pack(flags | TOP_OF_HIERARCHIES))
        finally:
            os.close(descriptor)


def flags_of(descriptor: int) -> int:
    """Return the attributes of an open directory, as chattr(1) sets them; OSError where it has none."""
    return int(FLAGS.unpack(fcntl.ioctl(descriptor, GET_FLAGS, FLAGS.pack(0)))[0])
