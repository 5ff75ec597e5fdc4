"""Reading a file as what it is, by its ending. Never unpickles: a downloaded file must not run code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from lmvp.client.errors import LocalFileError, UnknownFormat


def load(path: Path) -> Any:
    """Return the content: {name: array} for .npz, an array for .npy, JSON's value, text for .txt and .md."""
    loader = _LOADERS.get(path.suffix.lower())
    if loader is None:
        raise UnknownFormat(
            f"There is no loader for {path.name} (known: {', '.join(_LOADERS)}). Read it yourself: its path is {path}."
        )
    try:
        return loader(path)
    except (ValueError, OSError) as error:
        raise LocalFileError(
            f"{path} cannot be read as {path.suffix}: {error}. Read it yourself from that path."
        ) from error


def is_known(name: str) -> bool:
    return PurePath(name).suffix.lower() in _LOADERS


def _numpy(path: Path) -> Any:
    try:
        import numpy as np
    except ImportError as error:
        raise UnknownFormat(f"NumPy reads {path.name}. Install it: pip install numpy.") from error
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        return dict(loaded.items())


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _text(path: Path) -> str:
    return path.read_text("utf-8")


_LOADERS: dict[str, Callable[[Path], Any]] = {
    ".npz": _numpy,
    ".npy": _numpy,
    ".json": _json,
    ".txt": _text,
    ".md": _text,
}
