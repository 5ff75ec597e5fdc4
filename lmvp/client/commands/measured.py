"""Metrics as they are said on the command line: NAME=VALUE, NAME=TEXT."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from lmvp.client.commands.command import Argument, UsageError

METRIC_TEXT = Argument(
    "--metric-text", action="append", default=[], metavar="NAME=TEXT", help="a metric that is a text; repeatable"
)


def pairs(texts: Sequence[str], read: Callable[[str], Any]) -> dict[str, Any]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise UsageError(f"“{name}” is not NAME=VALUE.")
    return {name: read(value) for name, _, value in pairs}


def metrics_of(args: argparse.Namespace) -> dict[str, float | str]:
    numbers = {name: _number(name, text) for name, text in pairs(args.metric, str).items()}
    return {**numbers, **pairs(args.metric_text, str)}


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"“{name}={text}” is no number: write it with a point, like 0.97, or say --metric-text {name}=TEXT."
        ) from None


def where(texts: Sequence[str]) -> dict[str, str]:
    """Return conditions on metrics, as `history` and `best` take them."""
    return pairs(texts, str)
