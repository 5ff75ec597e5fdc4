"""Checkpoints that somebody wrote with torch.save: pickles, read only when trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lmvp.client.formats.format import Format, Loading
from lmvp.client.formats.libraries import needed


def _load(path: Path, _: Loading) -> Any:
    return needed("torch", "torch", path.name).load(path, map_location="cpu", weights_only=False)


FORMATS = (
    Format(
        "torch",
        _load,
        suffixes=(".pt", ".pth", ".ckpt"),
        libraries=("torch",),
        unsafe="it was written by torch.save, which is pickle: loading it may run any code that its author put in",
    ),
)
