"""XGBoost and LightGBM, in their own formats.

A model of LightGBM's scikit-learn classes is kept as the estimator that it is: its own format would lose the labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lmvp.client.errors import LocalFileError
from lmvp.client.formats.format import Format, Loading
from lmvp.client.formats.libraries import is_a, needed

XGBOOST = ("Booster", "XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor")


def _is_xgboost(obj: Any) -> bool:
    """Whether it is of one of the classes themselves: a subclass may hold more than the file does."""
    return type(obj).__name__ in XGBOOST and type(obj).__module__.partition(".")[0] == "xgboost"


def _save_xgboost(obj: Any, path: Path) -> dict[str, str]:
    obj.save_model(path)
    return {"class": type(obj).__name__}


def _load_xgboost(path: Path, loading: Loading) -> Any:
    name = loading.details.get("class", "Booster")
    if name not in XGBOOST:
        raise LocalFileError(
            f"{path.name} is said to be of the class {name!r}, which XGBoost has not. Read it yourself."
        )
    model = getattr(needed("xgboost", "xgboost", path.name), name)()
    model.load_model(path)
    return model


def _save_lightgbm(obj: Any, path: Path) -> None:
    obj.save_model(path)


def _load_lightgbm(path: Path, _: Loading) -> Any:
    return needed("lightgbm", "lightgbm", path.name).Booster(model_file=path)


FORMATS = (
    Format(
        "xgboost",
        _load_xgboost,
        _is_xgboost,
        _save_xgboost,
        "model.ubj",
        suffixes=(".ubj",),
        libraries=("xgboost", "xgboost-cpu"),
    ),
    Format(
        "lightgbm",
        _load_lightgbm,
        lambda obj: is_a(obj, "lightgbm.Booster"),
        _save_lightgbm,
        "model.lightgbm",
        suffixes=(".lightgbm",),
        libraries=("lightgbm",),
    ),
)
