"""A JSON value as a person reads it: names beside values, values in values, what is long folded, so much and no more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from registry.templatetags.pages import figure

register = template.Library()

MOST_VALUES = 500
DEEPEST = 6  # tables in tables; below, it is JSON
LONG = 280  # characters, folded beyond


@register.simple_tag
def nested(value: Any) -> SafeString:
    """Write a value; of more than 500 in it the first."""
    return _Writer().written(value, 0)


class _Writer:
    def __init__(self) -> None:
        self.left = MOST_VALUES

    def written(self, value: Any, depth: int) -> SafeString:
        self.left -= 1
        if isinstance(value, Mapping | list) and not value:
            return format_html('<span class="muted">{}</span>', "{}" if isinstance(value, Mapping) else "[]")
        if isinstance(value, Mapping | list) and depth == DEEPEST:
            return _text(json.dumps(value, ensure_ascii=False), "mono")
        if isinstance(value, Mapping):
            return self._table(value.items(), depth)
        if isinstance(value, list):
            plain = not any(isinstance(one, Mapping | list) for one in value)
            return _text(", ".join(map(_said, value)), "mono") if plain else self._table(enumerate(value), depth)
        if isinstance(value, str):
            return _text(value, "")
        return format_html('<span class="mono{}">{}</span>', " muted" if value is None else "", _said(value))

    def _table(self, rows: Iterable[tuple[Any, Any]], depth: int) -> SafeString:
        written, cut = [], False
        for name, value in rows:
            if self.left <= 0:
                cut = True
                break
            written.append((_name(str(name)), self.written(value, depth + 1)))
        cells = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', written)
        end = format_html('<tr><td colspan="2" class="muted">{}</td></tr>', "… and more, in the JSON") if cut else ""
        return format_html('<table class="nested"><tbody>{}{}</tbody></table>', cells, end)


def _name(name: str) -> str:
    return name if len(name) <= LONG else f"{name[:LONG]}…"


def _said(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "null" if value is None else figure(value) if isinstance(value, bool) else json.dumps(value)


def _text(text: str, look: str) -> SafeString:
    if len(text) <= LONG and text.count("\n") < 8:
        return format_html('<span class="nested-text {}">{}</span>', look, text)
    begin = " ".join(text[:LONG].split())[:90]
    return format_html(
        '<details class="long"><summary>{}… <span class="muted">{} characters</span></summary>'
        '<div class="nested-text {}">{}</div></details>',
        begin, f"{len(text):,}", look, text,
    )  # fmt: skip
