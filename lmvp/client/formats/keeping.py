"""An object on its way to become a version: written to files of its own, which are gone when it is published."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmvp.client.errors import LMVPError, ValidationFailed
from lmvp.client.formats import registry
from lmvp.client.formats.format import Format, Unfit
from lmvp.client.formats.record import Record


@dataclass(frozen=True)
class Kept:
    """An object as files: the directory that holds them, in words what it was, how it is kept, and as which media type."""

    path: Path
    title: str
    record: Record
    media_type: str


@contextlib.contextmanager
def kept(obj: Any) -> Iterator[Kept]:
    """Write an object in the first format that it fits; its directory is there until the block ends.

    The directory is made where temporary files go (TMPDIR). ValidationFailed where no format fits.
    """
    with tempfile.TemporaryDirectory(prefix="lmvp-", ignore_cleanup_errors=True) as directory:
        yield _saved(obj, Path(directory))


def _saved(obj: Any, directory: Path) -> Kept:
    reasons = []
    for number, one in enumerate(registry.matching(obj)):
        place = directory / str(number)
        place.mkdir()
        try:
            record = _save(obj, one, place)
        except Unfit as error:
            reasons.append(f"{one.name}: {error}")
        else:
            return Kept(place, f"{type(obj).__name__} ({one.name})", record, one.media_type)
    raise ValidationFailed(_refusal(obj, reasons))


def _save(obj: Any, one: Format, place: Path) -> Record:
    assert one.save is not None
    try:
        record = Record.of(obj, one, one.save(obj, place / one.file))
        record.write(place)
        return record
    except (Unfit, LMVPError):
        raise
    except OSError as error:
        raise ValidationFailed(
            f"The {type(obj).__name__} cannot be written to {place}: {error}. Free some space there, or set TMPDIR to "
            "another directory."
        ) from error
    except Exception as error:  # whatever a library says about an object that it cannot write
        raise Unfit(f"{type(error).__name__}: {error}") from error


def _refusal(obj: Any, reasons: list[str]) -> str:
    name = f"A {type(obj).__module__}.{type(obj).__qualname__}"
    if reasons:
        return f"{name} cannot be kept ({'; '.join(reasons)}). Save it yourself, and give the path."
    return (
        f"{name} cannot be published as it is. Give a path (a str or a Path), a LocalModel, or one of: a PyTorch module, a "
        "dict of tensors or NumPy arrays, a NumPy array, a scikit-learn estimator, a Keras model, an ONNX ModelProto, an "
        "XGBoost or LightGBM model, a pandas or Polars DataFrame. For other objects say how they are kept: "
        "lmvp.register_format(…)."
    )
