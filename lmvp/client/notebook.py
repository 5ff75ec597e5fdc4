"""How results look in a notebook: HTML tables, every text of others escaped, and plots where a library for them is there."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lmvp.client.errors import NotFound, UnknownFormat
from lmvp.client.tables import number, visible, when

if TYPE_CHECKING:
    from lmvp.client.versions import History

Line = tuple[list[int], list[float]]
MOST_METRICS = 8


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "") -> str:
    """Return an HTML table of texts; nothing in them is taken as HTML."""
    above = f"<caption>{_safe(caption)}</caption>" if caption else ""
    heads = "".join(f"<th>{_safe(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{above}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def history_html(history: History) -> str:
    metrics = list(dict.fromkeys(name for version in history for name in version.metrics))[:MOST_METRICS]
    head = ["version", "when", "author", "refs", *metrics, "message"]
    rows = [
        [
            f"{version.model} v{version.number}",
            when(version.created_at),
            version.author,
            ", ".join(ref.name for ref in version.refs),
            *(number(version.metrics.get(name, "")) for name in metrics),
            version.title,
        ]
        for version in history
    ]
    return table_html(head, rows, caption=history.name)


def history_plot(history: History, metric: str) -> Any:
    """Draw a metric over the versions of a history, a line for each model."""
    lines: dict[str, Line] = {}
    for version in sorted(history, key=lambda one: one.number):
        value = version.metrics.get(metric)
        if isinstance(value, (int, float)):
            numbers, values = lines.setdefault(version.name, ([], []))
            numbers.append(version.number)
            values.append(float(value))
    if not lines:
        known = sorted({name for version in history for name in version.metrics})
        raise NotFound(f"No version here has a number “{metric}”. There are: {', '.join(known) or 'no metrics'}.")
    return plot(metric, "version", lines)


def plot(title: str, axis: str, lines: Mapping[str, Line]) -> Any:
    """Draw lines over whole numbers and return the figure: matplotlib's, else plotly's. UnknownFormat without both."""
    if not lines:
        raise NotFound(f"{title} has no numbers to draw.")
    for library, draw in (("matplotlib.figure", _by_matplotlib), ("plotly.graph_objects", _by_plotly)):
        try:
            module = import_module(library)
        except ImportError:
            continue
        return draw(module, title, axis, lines)
    raise UnknownFormat("A plot needs matplotlib or plotly. Install one: pip install matplotlib.")


def _by_matplotlib(module: Any, title: str, axis: str, lines: Mapping[str, Line]) -> Any:
    figure = module.Figure()
    axes = figure.add_subplot()
    for name, (numbers, values) in lines.items():
        axes.plot(numbers, values, marker=".", label=_plain(name))
    axes.set_title(_plain(title))
    axes.set_xlabel(axis)
    axes.legend()
    return figure


def _by_plotly(module: Any, title: str, axis: str, lines: Mapping[str, Line]) -> Any:
    figure = module.Figure()
    for name, (numbers, values) in lines.items():
        figure.add_trace(module.Scatter(x=numbers, y=values, name=_safe(name), mode="lines+markers"))
    figure.update_layout(title=_safe(title), xaxis_title=axis, showlegend=True)
    return figure


def _plain(text: str) -> str:
    """Return a text for matplotlib, which takes “$” for mathematics and hides labels that begin with “_”."""
    return " " * text.startswith("_") + visible(text).replace("$", r"\$")


def _safe(text: str) -> str:
    """Return a text as HTML; plotly takes tags in texts too."""
    return html.escape(visible(text))
