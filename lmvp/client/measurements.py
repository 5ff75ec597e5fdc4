"""Metrics as people write them, turned into the rows that the server takes. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lmvp.client.errors import ValidationFailed

Metrics = Mapping[str, Any] | Iterable[Mapping[str, Any]]
Row = dict[str, Any]


def rows(metrics: Metrics | None, *, step: int | None = None) -> list[Row]:
    """Return [{name, value | text, step?}].

    Takes {"accuracy": 0.97}, {"loss": [1.0, 0.5]} (a list has the steps 0, 1, …) or such rows themselves.
    """
    if metrics is None:
        return []
    if isinstance(metrics, Mapping):
        return [row for name, value in metrics.items() for row in _of_name(str(name), value, step)]
    return [_checked(row) for row in metrics]


def _of_name(name: str, value: Any, step: int | None) -> list[Row]:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_row(name, one, index) for index, one in enumerate(value)]
    return [_row(name, value, step)]


def _checked(row: Any) -> Row:
    if not isinstance(row, Mapping) or "name" not in row or not ("value" in row or "text" in row):
        raise ValidationFailed(
            'A metric is {"name": …, "value": number} or {"name": …, "text": …}, with "step" if it has one.'
        )
    return _row(str(row["name"]), row.get("value", row.get("text")), row.get("step"))


def _row(name: str, value: Any, step: int | None) -> Row:
    value = value.tolist() if hasattr(value, "tolist") else value
    row: Row = {"name": name}
    if isinstance(value, str):
        row["text"] = value
    elif isinstance(value, int | float) and math.isfinite(value):
        row["value"] = float(value)
    else:
        raise ValidationFailed(f"Metric “{name}” is {value!r}. Give a finite number or a text, or leave it out.")
    return row if step is None else {**row, "step": step}
