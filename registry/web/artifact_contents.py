"""The content of an artifact as its page shows it: the first rows of a table, the beginning of a text, a JSON value."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from registry import frames, json_texts, storage, typed_data
from registry.digests import check_levels
from registry.models import Artifact
from registry.parquet import from_parquet
from registry.typed_data import BYTES, CSV, FRAME, JSON, PARQUETS

MOST_ROWS = 20
MOST_COLUMNS = 40
MOST_LEVELS = 100  # of JSON
MOST_BYTES = 20_000  # of a text, or of JSON
MOST_GROUP_BYTES = 32 * 2**20  # of a Parquet file, read for these few rows
TABLES: dict[str, Callable[[BinaryIO], frames.Table]] = {
    CSV: frames.from_csv,
    **dict.fromkeys(PARQUETS, lambda stream: from_parquet(stream, most_group_bytes=MOST_GROUP_BYTES)),
}


@dataclass(slots=True)
class Preview:
    """What there is of a content, and what of it is shown; `problem` says why it is not more."""

    media_type: str = ""
    size: int | None = None
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    more_columns: int = 0
    more_rows: bool = False
    text: str = ""
    cut: bool = False  # the text is only the beginning
    value: Any = None  # of JSON
    problem: str = ""


def preview_of(artifact: Artifact) -> Preview | None:
    """Return what is shown of an artifact's content; None where it has none."""
    if artifact.content:
        return _of_bytes(artifact)
    content = artifact.data.get("content") if isinstance(artifact.data, dict) else None
    return None if content is None else _inline(content, artifact.data.get("content_type"))


def _inline(content: Any, said: Any) -> Preview:
    kept = typed_data.without_parameters(said) if isinstance(said, str) else ""
    preview = Preview(kept or JSON)
    if isinstance(content, str):
        preview.text, preview.cut = content[:MOST_BYTES], len(content) > MOST_BYTES
    elif kept in (FRAME, CSV) or (isinstance(content, dict) and {"columns", "data"} <= content.keys()):
        _fill(preview, lambda: frames.from_json(content))
    else:
        preview.value = content
    if preview.problem:
        preview.value = content
    return preview


def _of_bytes(artifact: Artifact) -> Preview:
    blob = artifact.content
    assert blob
    kept = typed_data.without_parameters(artifact.content_type) or BYTES
    preview = Preview(kept, blob.size)
    try:
        with storage.open_blob(blob.pk) as stream:
            _read(preview, stream)
    except storage.Lost:
        preview.problem = "The bytes are damaged or gone. An administrator can look for them with verify_blobs."
    return preview


def _read(preview: Preview, stream: BinaryIO) -> None:
    kept = preview.media_type
    if kept in TABLES:
        _fill(preview, lambda: TABLES[kept](stream))
    elif kept.startswith("text/") or kept == JSON or kept.endswith("+json"):
        begin = stream.read(MOST_BYTES + 1)
        preview.cut = len(begin) > MOST_BYTES
        preview.text = begin[:MOST_BYTES].decode("utf-8", "replace").replace("\0", "\ufffd")
        if not kept.startswith("text/") and not preview.cut:
            _parse(preview)


def _parse(preview: Preview) -> None:
    try:
        value = json_texts.read(preview.text)
    except (ValueError, RecursionError) as error:
        preview.problem = f"This is not the JSON that its media type promises: {error}."
        return
    try:
        check_levels(value, MOST_LEVELS)
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:  # JSON can spell broken Unicode, and no page can say it
        preview.problem = "This JSON is nested too deeply to be put in order, or has a text of broken Unicode."
    else:
        preview.value, preview.text = value, ""


def _fill(preview: Preview, table: Callable[[], frames.Table]) -> None:
    """Take the first rows of a table; what cannot be read is told."""
    try:
        columns, rows = table()
        first = list(islice(rows, MOST_ROWS + 1))
    except frames.NoReader:
        preview.problem = "This server has no reader for Parquet (its administrator can pip install pyarrow)."
        return
    except frames.NoTable as error:
        preview.problem = f"It cannot be shown as a table: {error}."
        return
    preview.columns, preview.more_columns = columns[:MOST_COLUMNS], max(len(columns) - MOST_COLUMNS, 0)
    preview.rows = [row[:MOST_COLUMNS] for row in first[:MOST_ROWS]]
    preview.more_rows = len(first) > MOST_ROWS
