"""The data of an artifact: what its `type` promises, and the media types of its content. Pure: decides, keeps nothing.

`ml_training` and `ml_prediction` say how a run went; `generic`, or no type at all, is free.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from registry.digests import is_finite_number

RUNS = ("ml_training", "ml_prediction")
TYPES = (*RUNS, "generic")
MOST_CHARACTERS = 200
MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?: *; *[A-Za-z0-9_.-]+=[A-Za-z0-9_.:+-]+)*")
BYTES = "application/octet-stream"  # of an unknown kind
JSON = "application/json"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
PARQUETS = (PARQUET, "application/x-parquet", "application/parquet")
FRAME = "application/vnd.chapkit.dataframe+json"
EXTENSIONS = {
    CSV: "csv",
    **dict.fromkeys(PARQUETS, "parquet"),
    "application/gzip": "gz",
    "application/pdf": "pdf",
    "application/x-tar": "tar",
    "application/zip": "zip",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
}


class BadData(ValueError):
    """Data that their type does not allow. `field` says where, in words of JSON: metadata.started_at."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def check(data: Mapping[str, Any]) -> None:
    """Raise BadData unless the data are what their type promises."""
    kind = data.get("type")
    if kind is None:
        return
    if kind not in TYPES:
        raise BadData("type", f"A type is {', '.join(TYPES)}; leave it out for data of your own kind.")
    if kind in RUNS:
        _check_run(data)


def _check_run(data: Mapping[str, Any]) -> None:
    metadata = data.get("metadata")
    if not isinstance(metadata, Mapping):
        raise BadData("metadata", "An object with `status` and `config_id` is needed.")
    for name in ("status", "config_id"):
        value = metadata.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= MOST_CHARACTERS:
            raise BadData(f"metadata.{name}", f"A text of 1 to {MOST_CHARACTERS} characters is needed.")
    started, completed = (_time(metadata, name) for name in ("started_at", "completed_at"))
    if started and completed and completed < started:
        raise BadData("metadata.completed_at", "A run is not completed before it is started.")
    duration = metadata.get("duration_seconds")
    if duration is not None and not (is_finite_number(duration) and duration >= 0):
        raise BadData("metadata.duration_seconds", "A number of seconds from 0 on, or null.")
    _check_content(data)


def _check_content(data: Mapping[str, Any]) -> None:
    media_type, size = data.get("content_type"), data.get("content_size")
    if media_type is not None and not (isinstance(media_type, str) and is_media_type(media_type)):
        raise BadData("content_type", "A media type like text/csv, or null.")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise BadData("content_size", "A number of bytes from 0 on, or null.")


def _time(metadata: Mapping[str, Any], name: str) -> datetime | None:
    text = metadata.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise BadData(f"metadata.{name}", "A time of ISO 8601 like 2026-03-01T09:00:00Z, or null.") from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)  # without a zone: UTC


def is_media_type(text: str) -> bool:
    """Whether a text can stand in a Content-Type header as it is."""
    return len(text) <= MOST_CHARACTERS and MEDIA_TYPE.fullmatch(text) is not None


def without_parameters(media_type: str) -> str:
    """`text/csv; charset=utf-8` → `text/csv`."""
    return media_type.partition(";")[0].strip().lower()


def extension(media_type: str) -> str:
    """Return the end of a file's name for a media type; "bin" for those that we do not know."""
    bare = without_parameters(media_type)
    return "json" if bare == JSON or bare.endswith("+json") else EXTENSIONS.get(bare, "bin")
