"""Looking into a file of a version: what it is, and as much of it as a page shows. Who looked is told as a download.

Nothing is held whole: a text is read to its beginning, a table to its page, a model's file to its header.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from registry import connections, frames, json_texts
from registry.cards import CARD, Card, read_card
from registry.diffs.text import begins_readable
from registry.errors import Invalid
from registry.frames import NoReader, NoTable, Row
from registry.headers.formats import read_header
from registry.headers.reading import BadHeader, Header, Tensor
from registry.images import image_type
from registry.models import Version
from registry.parquet import from_parquet
from registry.services import downloads
from registry.storage import open_ranges
from registry.trees import Entry

if TYPE_CHECKING:
    from registry.models.projects import Actor

SNIFFED = 8192
MOST_TEXT = 256 * 1024  # bytes of a text on a page
MOST_LINES = 5000
MOST_ORDERED = 512 * 1024  # characters of JSON put in order: what is nested deeply would be mostly blanks
MOST_TABLE = 64 * 2**20  # bytes of CSV read for a page
MOST_VALUES = 256 * 2**20  # bytes that the values of Parquet's rows take, read for a page
ROWS = 50  # of a table on one page
TENSORS = 100
MOST_ROWS = 10_000  # of a table: those behind them would be read through for every page
MOST_COLUMNS = 100
LONGEST_CELL = 200
MOST_IN_HEX = 256
MARKDOWN = ("md", "markdown")


@dataclass(slots=True)
class View:
    """What a page shows of a file. `problem` says why it is not shown as what its name promises."""

    kind: str  # text, markdown, json, table, tensors, image, binary
    problem: str = ""
    text: str = ""
    cut: bool = False  # there is more of it than is shown
    card: Card | None = None
    media_type: str = ""
    header: Header | None = None
    tensors: list[Tensor] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    columns_left_out: int = 0
    rows: list[list[str]] = field(default_factory=list)
    start: int = 0
    more: bool = False  # behind the rows or tensors shown
    hexadecimal: list[tuple[str, str, str]] = field(default_factory=list)  # offset, bytes, characters

    @property
    def first(self) -> int:
        """The number of the first row shown, counted from 1."""
        return self.start + 1

    @property
    def last(self) -> int:
        return self.start + len(self.rows)


def view_file(*, actor: Actor, version: Version, path: str, entry: Entry, start: int = 0, plain: bool = False) -> View:
    """Return what to show of a file, from its `start`-th row or tensor on; `plain`: a text as it is.

    Raises Invalid for a start that is too far, Lost where the bytes are not there. Gives the database connection back.
    """
    downloads.note(actor=actor, version=version)
    connections.release()  # from here on bytes are read
    with open_ranges(entry.digest) as file:
        first = file.read(min(SNIFFED, entry.size))
        picture = image_type(first)
        if picture:
            return View("image", media_type=picture)
        return _structured(file, path, entry, start, plain) or _unstructured(file, path, entry, first, plain)


def first_bytes(entry: Entry) -> bytes:
    """Return the beginning of a file, enough to tell what it is."""
    with open_ranges(entry.digest) as file:
        return file.read(min(SNIFFED, entry.size))


def _structured(file: BinaryIO, path: str, entry: Entry, start: int, plain: bool) -> View | None:
    """Return a table or a header; None for other files. What cannot be read as its name promises has a problem."""
    ending = path.rpartition(".")[2].lower()
    try:
        if ending in ("csv", "parquet") and not plain:
            return _table(file, ending, start)
        header = read_header(path, file, entry.size)
    except NoTable as error:
        return _with_problem(file, path, entry, f"This {ending} file cannot be read as a table: {error}.")
    except NoReader:
        return View("binary", problem="Parquet is not read by this server: pyarrow is not installed on it.")
    except BadHeader as error:
        return _with_problem(file, path, entry, str(error))
    if header is None:
        return None
    shown = header.tensors[start : start + TENSORS]
    more = start + TENSORS < len(header.tensors)
    return View("tensors", header=header, tensors=shown, start=start, more=more)


def _with_problem(file: BinaryIO, path: str, entry: Entry, problem: str) -> View:
    file.seek(0)
    view = _unstructured(file, path, entry, file.read(min(SNIFFED, entry.size)), plain=True)
    view.problem = problem
    return view


# --- Tables


def _table(file: BinaryIO, ending: str, start: int) -> View:
    if start >= MOST_ROWS:
        raise Invalid("invalid", f"The first {MOST_ROWS:,} rows are shown here. Download the file to see the others.")
    file.seek(0)
    columns, rows = frames.from_csv(file) if ending == "csv" else from_parquet(file, most_bytes=MOST_VALUES)
    if ending == "csv":
        rows = _bounded(rows, file)
    shown = islice(rows, start, start + ROWS + 1)
    found = [[_cell(value) for value in row[:MOST_COLUMNS]] for row in shown]  # cut at once: a row may be long
    return View(
        "table",
        columns=columns[:MOST_COLUMNS],
        columns_left_out=max(0, len(columns) - MOST_COLUMNS),
        rows=found[:ROWS],
        start=start,
        more=len(found) > ROWS and start + ROWS < MOST_ROWS,
        cut=len(found) > ROWS and start + ROWS >= MOST_ROWS,
    )


def _bounded(rows: Iterable[Row], file: BinaryIO) -> Iterator[Row]:
    """Yield rows as long as not too much of the file was read for them: 10,000 can be 40 GB."""
    for row in rows:
        if file.tell() > MOST_TABLE:
            raise NoTable(f"its rows up to here take more than the {MOST_TABLE:,} bytes that are read")
        yield row


def _cell(value: Any) -> str:
    text = frames.as_text(value)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


# --- Texts, and what is none


def _unstructured(file: BinaryIO, path: str, entry: Entry, first: bytes, plain: bool) -> View:
    if not begins_readable(first):
        return View("binary", hexadecimal=_hexadecimal(first))
    file.seek(0)
    raw = file.read(min(entry.size, MOST_TEXT))
    cut = entry.size > len(raw)
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(raw, not cut)
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        text, cut = "\n".join(lines[:MOST_LINES]), True
    ending = path.rpartition(".")[2].lower()
    if ending in MARKDOWN and not plain:
        card = read_card(text) if path.rpartition("/")[2] == CARD else Card(text)
        return View("markdown", text=text, cut=cut, card=card)
    if ending == "json" and not plain and not cut:
        return _json(text)
    return View("text", text=text, cut=cut)


def _json(text: str) -> View:
    """Return JSON in order, a line for each value; as it is where it is none, or says something twice."""
    try:
        json_texts.check(text)
    except (ValueError, RecursionError) as error:
        return View("text", text=text, problem=f"This is no JSON that can be put in order: {error}.")
    ordered, cut = in_order(text)
    return View("json", text=ordered, cut=cut)


def in_order(text: str) -> tuple[str, bool]:
    """Return JSON with a line for each value, as much of it as a page shows, and whether it was cut."""
    return json_texts.in_order(text, most=MOST_ORDERED, most_lines=MOST_LINES)


def _hexadecimal(first: bytes) -> list[tuple[str, str, str]]:
    """Return the beginning of a file as people read bytes: sixteen on a line."""
    lines = [first[start : start + 16] for start in range(0, min(len(first), MOST_IN_HEX), 16)]
    return [
        (f"{16 * n:08x}", line.hex(" "), "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in line))
        for n, line in enumerate(lines)
    ]
