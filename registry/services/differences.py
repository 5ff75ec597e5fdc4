"""What became of the files between two versions, and of one of them: its lines, or its tensors. Reads bytes, writes nothing.

Whoever hands out what is inside a file notes it first (services.downloads) and gives the database connection back.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

from registry import trees
from registry.diffs import tensors, text
from registry.diffs.tensors import TensorDiff
from registry.diffs.text import TextDiff
from registry.headers.formats import read_header
from registry.headers.reading import BadHeader, Header, Tensor
from registry.models import Tree, Version
from registry.storage import open_ranges
from registry.trees import Difference, Entry

MOST_BYTES = 2 * 2**30  # of tensors that are compared without being asked, of both files together
SNIFFED = 8192


@dataclass(frozen=True, slots=True)
class Content:
    """What became of a file's inside. `kind` is text, tensors, binary, or too_large: a text that nobody compares."""

    kind: str
    text: TextDiff | None = None
    tensors: TensorDiff | None = None
    format: str = ""  # of tensors


def files_between(base: Version, head: Version) -> list[Difference]:
    """Return what became of the files, by path."""
    return trees.compare(Tree.objects.contents_of, base.tree_id, head.tree_id)


def file_between(base: Version, head: Version, path: str) -> Difference:
    """Return what became of one file; Tree.DoesNotExist when neither version has it."""
    load = Tree.objects.content_of
    before, after = (_file(trees.find(load, version.tree_id, path)) for version in (base, head))
    if before is None and after is None:
        raise Tree.DoesNotExist
    if before is None:  # it may have been renamed: then the whole comparison tells from where
        return next(one for one in files_between(base, head) if one.path == path and one.after)
    return Difference(path, before, after)


def _file(entry: Entry | None) -> Entry | None:
    return entry if entry and not entry.is_directory else None


def content_of(found: Difference, *, budget: int | None = MOST_BYTES) -> Content:
    """Compare the inside of a file; of tensors at most `budget` bytes are read, None: all of them."""
    return _tensors(found, budget) or text_of(found)


# --- Texts


def text_of(found: Difference, *, work: int = text.MAX_WORK) -> Content:
    """Compare a file as a text, if it is one, with so much work at most (see registry.diffs.text)."""
    both = [entry for entry in (found.before, found.after) if entry]
    if any(entry.size > text.MAX_BYTES for entry in both):
        texts = all(_begins_as_text(entry) for entry in both)
        return Content("too_large" if texts else "binary")
    contents = [text.readable(_bytes(entry)) if entry else "" for entry in (found.before, found.after)]
    if contents[0] is None or contents[1] is None:
        return Content("binary")
    before, after = map(text.lines_of, contents)  # type: ignore[arg-type]
    if max(len(before), len(after)) > text.MAX_LINES:
        return Content("too_large")
    former = (found.former_path or found.path) if found.before else None
    path = found.path if found.after else None
    return Content("text", text=text.unified(before, after, former_path=former, path=path, work=work))


def _bytes(entry: Entry, most: int = text.MAX_BYTES) -> bytes:
    with open_ranges(entry.digest) as file:
        return tensors.exactly(file, min(entry.size, most))


def _begins_as_text(entry: Entry) -> bool:
    return text.begins_readable(_bytes(entry, SNIFFED))


# --- Tensors


def _tensors(found: Difference, budget: int | None) -> Content | None:
    """Return what became of the tensors; None where a file has no header that can be read, or one of another format."""
    sides = (found.former_path or found.path, found.before), (found.path, found.after)
    with ExitStack() as opened:
        files = [opened.enter_context(open_ranges(entry.digest)) for _, entry in sides if entry]
        there = [(path, entry) for path, entry in sides if entry]
        try:
            headers = [read_header(path, file, entry.size) for file, (path, entry) in zip(files, there, strict=True)]
        except BadHeader:
            return None
        forms = {header.format if header else "" for header in headers}
        if "" in forms or len(forms) > 1:
            return None
        before = _told(headers[0]) if found.before else []
        after = _told(headers[-1]) if found.after else []
        compared = tensors.compare(before, after, _comparing(found, files, budget))
        return Content("tensors", tensors=compared, format=forms.pop())


def _told(header: Header | None) -> list[Tensor]:
    return header.tensors if header else []


def _comparing(found: Difference, files: list[BinaryIO], budget: int | None) -> tensors.Same:
    if len(files) < 2 or (found.before and found.after and found.before.digest == found.after.digest):
        return lambda before, after: True
    return tensors.Bytes(*files, budget=budget).same
