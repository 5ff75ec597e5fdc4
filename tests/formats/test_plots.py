"""Histories and metrics drawn by the real libraries: lines, titles, and nothing of others' texts that these would obey."""

from __future__ import annotations

import sys

from lmvp.client.results.metrics import Series
from tests.formats.conftest import library
from tests.test_client_results import EVIL, history, metrics


def lines(axes):
    return [(line.get_label(), line.get_xdata().tolist(), line.get_ydata().tolist()) for line in axes.get_lines()]


def test_a_history_and_metrics_are_drawn_with_matplotlib():
    library("matplotlib.figure")
    figure = history("x").plot("accuracy")
    [axes] = figure.axes
    assert (axes.get_title(), lines(axes)) == ("accuracy", [("vision/digits", [1, 2], [0.8, 0.9])])
    assert figure._repr_png_().startswith(b"\x89PNG")
    [axes] = metrics("$x").plot().axes
    assert (axes.get_title(), lines(axes)) == (r"\$x", [("loss", [0, 1], [3.0, 1.5])])
    series = Series.from_json({"name": "_loss", "total": 1, "points": [{"step": 4, "value": 1}], "value": None})
    assert lines(series.plot().axes[0]) == [(" _loss", [4], [1.0])]
    assert series.plot()._repr_png_()


def test_a_history_is_drawn_with_plotly_without_its_html(monkeypatch):
    library("plotly.graph_objects")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # as if it were not installed
    figure = metrics(EVIL).plot("loss")
    assert "<" not in figure.layout.title.text
    assert [(one.name, list(one.x), list(one.y)) for one in figure.data] == [("loss", [0, 1], [3.0, 1.5])]
