"""JSON and text: read, never written for an object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lmvp.client.formats.format import Format, Loading


def _json(path: Path, _: Loading) -> Any:
    return json.loads(path.read_text("utf-8"))


def _text(path: Path, _: Loading) -> str:
    return path.read_text("utf-8")


FORMATS = (
    Format("json", _json, suffixes=(".json",)),
    Format("text", _text, suffixes=(".txt", ".md")),
)
