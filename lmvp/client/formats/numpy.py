"""NumPy: an array as `.npy`; a dict of arrays as `.npz`, where safetensors is not there or cannot hold them.

Read and written without pickle: arrays of Python objects are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lmvp.client.formats.format import Format, Loading, Unfit
from lmvp.client.formats.libraries import is_a, needed


def is_array_dict(obj: Any) -> bool:
    """Whether it is a dict of arrays by name."""
    return (
        isinstance(obj, dict)
        and bool(obj)
        and all(isinstance(name, str) and is_a(value, "numpy.ndarray") for name, value in obj.items())
    )


def _save_array(obj: Any, path: Path) -> None:
    _refuse_objects([obj])
    needed("numpy", "numpy", path.name).save(path, obj, allow_pickle=False)


def _save_arrays(obj: Any, path: Path) -> None:
    _refuse_objects(obj.values())
    if bad := [name for name in obj if name in ("file", "allow_pickle", "compressed")]:
        raise Unfit(f"an array in an .npz file cannot be named {bad[0]!r}")
    needed("numpy", "numpy", path.name).savez(path, **obj)


def _refuse_objects(arrays: Any) -> None:
    if any(array.dtype.hasobject for array in arrays):
        raise Unfit("arrays of Python objects are kept by pickle alone; give them a dtype of numbers or texts")


def _load(path: Path, _: Loading) -> Any:
    np = needed("numpy", "numpy", path.name)
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        return dict(loaded.items())


FORMATS = (
    Format(
        "npy",
        _load,
        lambda obj: is_a(obj, "numpy.ndarray"),
        _save_array,
        "array.npy",
        suffixes=(".npy",),
        libraries=("numpy",),
    ),
    Format("npz", _load, is_array_dict, _save_arrays, "arrays.npz", suffixes=(".npz",), libraries=("numpy",)),
)
