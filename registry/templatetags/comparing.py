"""What the comparison's templates write over and over: values, differences, small bars, addresses of either side."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from registry.diffs.hunks import Line
from registry.diffs.values import MISSING
from registry.templatetags.pages import figure, size

register = template.Library()

LONGEST = 300  # characters of a value
AMBIGUOUS = re.compile(r"\s.*|.*\s|true|false|null|–|[-+]?[0-9.].*|", re.DOTALL)  # texts that could be another kind
HALF = 40  # pixels of a bar to each side


NOT_THERE = SafeString('<span class="muted">–<span class="hidden-label"> not there</span></span>')


@register.filter
def measured(value: Any) -> SafeString:
    """Write the value of a metric."""
    return NOT_THERE if value is MISSING or value is None else format_html("{}", figure(value))


@register.filter
def told(value: Any) -> SafeString:
    """Write a value of metadata, so that 1, true and “1” look different, and lists and objects as JSON."""
    if value is MISSING:
        return NOT_THERE
    plain = isinstance(value, str) and not AMBIGUOUS.fullmatch(value)
    said = value if plain else json.dumps(value, ensure_ascii=False)
    cut = said if len(said) <= LONGEST else f"{said[:LONGEST]}… ({len(said):,} characters)"
    return format_html("{}", cut) if isinstance(value, str) else format_html('<code class="plain">{}</code>', cut)


@register.filter
def is_missing(value: Any) -> bool:
    return value is MISSING


@register.filter
def signed(value: float) -> str:
    """Write a difference with its sign: +0.02, −0.1."""
    return f"{'−' if value < 0 else '+' if value > 0 else '±'}{figure(abs(value))}"


@register.filter
def signed_size(count: int) -> str:
    return f"{'−' if count < 0 else '+' if count > 0 else '±'}{size(abs(count))}"


@register.filter
def signed_percent(value: float) -> str:
    mark = "−" if value < 0 else "+" if value > 0 else "±"
    return f"{mark}{abs(value):,.0f} %" if abs(value) >= 100 else f"{mark}{abs(value):.2g} %"


@register.simple_tag
def change_bar(percent: float | None, most: float) -> SafeString:
    """Draw a change to the left or right of a middle, `most` percent and more at full length; a figure stands beside it."""
    if percent is None:
        return SafeString("")
    width = max(1.0, min(abs(percent) / most, 1) * HALF) if percent else 0
    return format_html(
        '<svg class="change {}" width="{}" height="10" aria-hidden="true"><rect x="{}" y="1" width="{}" height="8"'
        ' rx="1"></rect><line x1="{}" x2="{}" y1="0" y2="10"></line></svg>',
        "down" if percent < 0 else "up",
        2 * HALF + 1,
        f"{HALF - width if percent < 0 else HALF:.1f}",
        f"{width:.1f}",
        HALF,
        HALF,
    )


@register.simple_tag
def share_bar(share: float) -> SafeString:
    """Draw where a value lies between the smallest and the largest of its row."""
    return format_html(
        '<svg class="share" width="64" height="5" aria-hidden="true"><rect class="ground" width="64" height="5" rx="2">'
        '</rect><rect width="{}" height="5" rx="2"></rect></svg>',
        f"{max(2.0, 64 * share):.1f}",
    )


@register.simple_tag
def diff_rows(lines: list[Line]) -> SafeString:
    """Write lines of a diff as rows of a table. By hand: a page has thousands, and a template takes its time for each."""
    return SafeString("\n".join(map(_row, lines)))


def _row(line: Line) -> str:
    texts = [escape(piece) for piece in line.pieces]
    if len(texts) > 1 and texts[1]:
        texts[1] = f"<mark>{texts[1]}</mark>"
    cut = f"<i>… {line.cut:,} more characters</i>" if line.cut else ""
    end = "" if line.ends else "<i>no line feed at the end</i>"
    numbers = f"<td>{line.old or ''}</td><td>{line.new or ''}</td>"
    return f'<tr class="{line.kind}">{numbers}<td>{line.mark}</td><td>{"".join(texts)}{cut}{end}</td></tr>'
