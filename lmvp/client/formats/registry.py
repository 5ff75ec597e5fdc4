"""Which formats there are, ours and those that others registered, and which of them fits an object or a file."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from lmvp.client.errors import ValidationFailed
from lmvp.client.files import path_problem
from lmvp.client.formats import boosting, frames, keras, numpy, onnx, plain, safetensors, sklearn, torch
from lmvp.client.formats.format import Format
from lmvp.client.formats.record import RECORD

# The first that matches keeps an object: what is more special stands before what is more general.
_FORMATS: list[Format] = [
    *boosting.FORMATS,
    *keras.FORMATS,
    *onnx.FORMATS,
    *sklearn.FORMATS,
    *frames.FORMATS,
    *safetensors.FORMATS,
    *numpy.FORMATS,
    *torch.FORMATS,
    *plain.FORMATS,
]


def register_format(new: Format) -> None:
    """Let `publish`, `update` and `load` know another format, before all others; one of the same name is replaced."""
    if not isinstance(new, Format) or not new.name:
        raise ValidationFailed("Give a lmvp.Format with a name: lmvp.register_format(lmvp.Format(name=…, load=…)).")
    problem = "is the record of the object" if new.file == RECORD else path_problem(new.file)
    if new.save and problem:
        raise ValidationFailed(
            f"The format “{new.name}” writes the file {new.file!r}, which {problem}. Give a name like file='model.bin'."
        )
    _FORMATS[:] = [new, *(one for one in _FORMATS if one.name != new.name)]


def matching(obj: Any) -> list[Format]:
    """Return the formats that may keep an object, the best first."""
    return [one for one in _FORMATS if one.save and one.matches(obj)]


def named(name: str) -> Format | None:
    return next((one for one in _FORMATS if one.name == name), None)


def of_file(name: str) -> Format | None:
    """Return the format of a file by its ending."""
    suffix = PurePath(name).suffix.lower()
    return next((one for one in _FORMATS if suffix in one.suffixes), None) if suffix else None


def is_known(name: str) -> bool:
    return of_file(name) is not None


def suffixes() -> list[str]:
    return list(dict.fromkeys(suffix for one in _FORMATS for suffix in one.suffixes))
