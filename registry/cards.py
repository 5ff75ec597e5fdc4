"""A model's card: the README.md at the root of a version, and the YAML that may stand before its text. Pure.

YAML is read as data alone, without tags, anchors and aliases (a page of them can mean gigabytes), and within bounds.
"""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

CARD = "README.md"
MAX_BYTES = 512 * 1024
MAX_FRONT = 64 * 1024  # characters of YAML
MAX_NESTING = 20
MAX_WHOLE = 2**63
FENCE = re.compile(r"\ufeff?---[ \t]*\r?\n")
END = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?(?:\n|\Z)", re.MULTILINE)


class BadFrontMatter(ValueError):
    """The lines between --- and --- are no YAML that is read here; the message says why."""


@dataclass(frozen=True, slots=True)
class Card:
    """The text below the front matter, the front matter as data, and what was wrong with it."""

    text: str
    metadata: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


def read_card(text: str) -> Card:
    """Return a card; front matter that cannot be read stays in the text, and `problem` says why."""
    fence = FENCE.match(text)
    end = END.search(text, fence.end()) if fence else None
    if fence is None or end is None:
        return Card(text)
    try:
        return Card(text[end.end() :], _front_matter(text[fence.end() : end.start()]))
    except BadFrontMatter as error:
        return Card(text, problem=str(error))


def _front_matter(text: str) -> dict[str, Any]:
    if len(text) > MAX_FRONT:
        raise BadFrontMatter(f"The front matter has more than {MAX_FRONT:,} characters. Move some into the text.")
    try:
        said = yaml.load(text, Loader=_Plain)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 2}" if place else ""
        raise BadFrontMatter(f"The front matter is no YAML that is read here{where}: {_reason(error)}.") from None
    if not isinstance(said, dict | None):
        raise BadFrontMatter("The front matter is no mapping: write lines like “license: mit”.")
    plain: dict[str, Any] = _plain(said or {})
    return plain


def _reason(error: Exception) -> str:
    return str(getattr(error, "problem", None) or "a value in it cannot be read")[:200]


class _Plain(yaml.SafeLoader):
    """YAML without anchors, aliases and tags, not nested deeply: refused while it is read, before anything grows."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not read", problem_mark=event.start_mark)
        if event.tag is not None:
            raise yaml.MarkedYAMLError(problem="tags are not read", problem_mark=event.start_mark)
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise yaml.MarkedYAMLError(problem="it is nested too deeply", problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: dates, and what is no finite number, as texts."""
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if value is None or (isinstance(value, int) and abs(value) <= MAX_WHOLE):
        return value
    raise BadFrontMatter("The front matter holds a value that is no text, number, date, list or mapping.")


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadFrontMatter("The front matter holds a text of broken Unicode.") from None
    return text
