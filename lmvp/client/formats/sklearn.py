"""scikit-learn estimators: by skops, which names the types in a file before it makes them; by joblib (a pickle) where
skops is not installed or cannot write them. Pickles that somebody wrote are read too, when trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lmvp.client.errors import NotTrusted
from lmvp.client.formats.format import Format, Loading
from lmvp.client.formats.libraries import is_a, is_installed, needed

RUNS_CODE = "it is a pickle, and loading one may run any code that its author put in"
LIBRARIES = ("scikit-learn", "numpy", "scipy")


def _is_estimator(obj: Any) -> bool:
    return is_a(obj, "sklearn.base.BaseEstimator")


def _save_skops(obj: Any, path: Path) -> None:
    needed("skops.io", "skops", path.name).dump(obj, path)


def _load_skops(path: Path, loading: Loading) -> Any:
    io = needed("skops.io", "skops", path.name)
    needed("sklearn", "scikit-learn", path.name)
    unknown: list[str] = io.get_untrusted_types(file=path)
    trusted = unknown if loading.trusted is True else list(loading.trusted or ())
    if left := sorted(set(unknown) - set(trusted)):
        raise NotTrusted(
            f"{path.name} was not loaded: it holds objects of types that skops does not take for harmless: "
            f"{', '.join(left)}. Making one may run code. If you know them: .load(trusted={left!r}), or trusted=True for "
            "all, if you trust whoever published it."
        )
    return io.load(path, trusted=unknown)


def _save_joblib(obj: Any, path: Path) -> None:
    needed("joblib", "joblib", path.name).dump(obj, path)


def _load_joblib(path: Path, _: Loading) -> Any:
    return needed("joblib", "joblib", path.name).load(path)


def _load_pickle(path: Path, _: Loading) -> Any:
    pickle = needed("pickle", "pickle", path.name)
    with path.open("rb") as file:
        return pickle.load(file)


FORMATS = (
    Format(
        "skops",
        _load_skops,
        lambda obj: _is_estimator(obj) and is_installed("skops"),
        _save_skops,
        "model.skops",
        suffixes=(".skops",),
        libraries=("skops", *LIBRARIES),
    ),
    Format(
        "joblib",
        _load_joblib,
        _is_estimator,
        _save_joblib,
        "model.joblib",
        suffixes=(".joblib",),
        libraries=("joblib", *LIBRARIES),
        unsafe=RUNS_CODE,
    ),
    Format("pickle", _load_pickle, suffixes=(".pkl", ".pickle"), unsafe=RUNS_CODE),
)
