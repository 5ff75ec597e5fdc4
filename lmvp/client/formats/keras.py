"""Keras models, as `.keras`: read in Keras' safe mode, which refuses code, unless trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lmvp.client.errors import NotTrusted
from lmvp.client.formats.format import Format, Loading
from lmvp.client.formats.libraries import is_a, needed

SAFE = (3, 12)  # before it, files could get around the safe mode


def _save(obj: Any, path: Path) -> None:
    obj.save(path)


def _load(path: Path, loading: Loading) -> Any:
    keras = needed("keras", "keras", path.name)
    if loading.trusted is not True and _version(keras) < SAFE:
        raise NotTrusted(
            f"{path.name} was not loaded: this Keras ({keras.__version__}) can be made to run code by a file. Install a "
            "newer one: pip install --upgrade keras. Or, if you trust whoever published it: .load(trusted=True)."
        )
    try:
        return keras.saving.load_model(path, safe_mode=loading.trusted is not True)
    except ValueError as error:
        if loading.trusted is True or "safe_mode" not in str(error):
            raise
        raise NotTrusted(
            f"{path.name} was not loaded: it holds Python code (a Lambda layer or the like), which loading it would run. If "
            "you trust whoever published it: .load(trusted=True)."
        ) from error


def _version(keras: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in str(keras.__version__).split(".")[:2] if part.isdigit())


FORMATS = (
    Format(
        "keras",
        _load,
        lambda obj: is_a(obj, "keras.Model"),
        _save,
        "model.keras",
        suffixes=(".keras",),
        libraries=("keras", "tensorflow", "torch", "jax"),
    ),
)
