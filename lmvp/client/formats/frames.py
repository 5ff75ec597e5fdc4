"""pandas and Polars data frames, as Parquet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lmvp.client.formats.format import Format, Loading
from lmvp.client.formats.libraries import is_a, is_installed, needed

PARQUET = "application/vnd.apache.parquet"


def _save_pandas(obj: Any, path: Path) -> None:
    _arrow(path)
    obj.to_parquet(path)


def _load_pandas(path: Path, _: Loading) -> Any:
    _arrow(path)
    return needed("pandas", "pandas", path.name).read_parquet(path)


def _arrow(path: Path) -> None:
    """pandas reads and writes Parquet with another library."""
    if not is_installed("fastparquet"):
        needed("pyarrow", "pyarrow", path.name)


def _save_polars(obj: Any, path: Path) -> None:
    obj.write_parquet(path)


def _load_polars(path: Path, _: Loading) -> Any:
    return needed("polars", "polars", path.name).read_parquet(path, hive_partitioning=False, glob=False)


def _load_any(path: Path, loading: Loading) -> Any:
    """Read somebody's Parquet file with the library that the program uses, else the one that is installed."""
    if "polars" in sys.modules and "pandas" not in sys.modules:
        return _load_polars(path, loading)
    if "pandas" in sys.modules or is_installed("pandas") or not is_installed("polars"):
        return _load_pandas(path, loading)
    return _load_polars(path, loading)


FORMATS = (
    Format(
        "pandas",
        _load_pandas,
        lambda obj: is_a(obj, "pandas.DataFrame"),
        _save_pandas,
        "frame.parquet",
        libraries=("pandas", "pyarrow"),
        media_type=PARQUET,
    ),
    Format(
        "polars",
        _load_polars,
        lambda obj: is_a(obj, "polars.DataFrame"),
        _save_polars,
        "frame.parquet",
        libraries=("polars",),
        media_type=PARQUET,
    ),
    Format("parquet", _load_any, suffixes=(".parquet",), media_type=PARQUET),
)
