"""Metrics as people write them, turned into the rows that the server takes. Pure."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lmvp.client.errors import ValidationFailed

Metrics = Mapping[str, Any] | Iterable[Mapping[str, Any]]
Row = dict[str, Any]

# What a server takes.
LONGEST_NAME, LONGEST_TEXT = 200, 1000  # characters
MOST_NAMES = 10_000  # of one version
LARGEST_STEP = 2**63


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


class Series:
    """What was logged so far in one run, as far as the next value needs to know: the last step of every name."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._told: set[str] = set()

    def row(self, name: str, value: Any, step: int | None) -> tuple[Row | None, str]:
        """Return the row of the next value of a name; or None, and what is wrong with it where that was not told yet.

        ValidationFailed for what is a mistake in the program, and would be one with every value.
        """
        step = self._step(name, step)
        value = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(value, float) and not math.isfinite(value):
            return None, self._once(name, f"Metric “{name}” is {value} at step {step}, and was left out.")
        if step <= self._last.get(name, step - 1):
            last = self._last[name]
            return None, self._once(name, f"Metric “{name}” has a value for step {last}; step {step} was left out.")
        row = _row(name, value, step)
        self._check(row)
        self._last[name] = step
        return row, ""

    def take_up(self, row: Row) -> None:
        """Count a row that was logged before."""
        self._last[row["name"]] = row["step"]

    def _step(self, name: str, step: int | None) -> int:
        if step is None:
            return self._last.get(name, -1) + 1
        try:
            step = operator.index(step)
        except TypeError:
            raise ValidationFailed(f"The step of “{name}” is {step!r}. Give a whole number.") from None
        if abs(step) >= LARGEST_STEP:
            raise ValidationFailed(f"The step {step} of “{name}” does not fit into 64 bits.")
        return step

    def _check(self, row: Row) -> None:
        """Refuse at once what the server would refuse when the training is over."""
        name = row["name"]
        if not name.strip() or len(name) > LONGEST_NAME:
            raise ValidationFailed(f"“{name}” is no name of a metric: it has 1 to {LONGEST_NAME} characters.")
        if len(row.get("text", "")) > LONGEST_TEXT:
            raise ValidationFailed(
                f"The text of “{name}” is longer than {LONGEST_TEXT} characters. Publish it as a file."
            )
        if name not in self._last and len(self._last) >= MOST_NAMES:
            raise ValidationFailed(f"A version has metrics of at most {MOST_NAMES} names. Use steps for a series.")

    def _once(self, name: str, problem: str) -> str:
        if name in self._told:
            return ""
        self._told.add(name)
        return problem
