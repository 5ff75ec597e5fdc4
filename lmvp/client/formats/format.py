"""What a format is. Which there are: `registry.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Trusted = bool | Sequence[str]
BYTES = "application/octet-stream"  # of a kind that has no media type of its own


class Unfit(Exception):
    """Raised by `save`: this object does not fit into this format after all; the next one that matches is tried."""


@dataclass(frozen=True)
class Loading:
    """How an object is asked back: `trusted` and `into` of `LocalModel.load`, and what `save` noted about it."""

    trusted: Trusted = False
    into: Any = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """One way to keep an object as files, and to read them.

    `matches(obj)` must not import anything. `save(obj, path)` writes the file (or directory) `path`, which is named
    `file`, and may return JSON that `load` needs, as `Loading.details`. `load(path, loading)` gives the object back; it
    is also used for other files that end like one of `suffixes`. `unsafe` says why loading a file runs code in it; it is
    then done with trusted=True alone. `libraries` are the packages whose versions are written down with the object.
    `media_type` is the file's, where an artifact holds it.
    """

    name: str
    load: Callable[[Path, Loading], Any]
    matches: Callable[[Any], bool] = lambda obj: False
    save: Callable[[Any, Path], Mapping[str, Any] | None] | None = None
    file: str = ""
    suffixes: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    unsafe: str | None = None
    takes_into: bool = False
    media_type: str = BYTES
