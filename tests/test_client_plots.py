"""Histories and metrics drawn: with matplotlib, with plotly, or with neither. Stand-ins keep what they shall draw."""

import sys
from importlib.util import find_spec

import pytest

from lmvp.client import errors, notebook
from lmvp.client.results.metrics import Series
from tests.test_client_results import EVIL, history, metrics

MATPLOTLIB = """
class Axes:
    def __init__(self): self.lines, self.title, self.labels = [], None, []
    def plot(self, xs, ys, marker, label): self.lines.append((label, xs, ys))
    def set_title(self, title): self.title = title
    def set_xlabel(self, label): pass
    def legend(self): pass
class Figure:
    def add_subplot(self):
        self.axes = Axes()
        return self.axes
"""
PLOTLY = """
class Figure:
    def __init__(self): self.traces = []
    def add_trace(self, trace): self.traces.append(trace)
    def update_layout(self, **layout): self.layout = layout
class Scatter:
    def __init__(self, **said): self.__dict__.update(said)
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Have a library of this name that keeps what it shall draw."""

    def install(package: str, module: str, source: str) -> None:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))

    yield install
    for name in [name for name in sys.modules if name.partition(".")[0] in ("matplotlib", "plotly")]:
        del sys.modules[name]


def test_a_history_and_metrics_are_drawn_with_matplotlib(library):
    library("matplotlib", "figure", MATPLOTLIB)
    axes = history("x").plot("accuracy").axes
    assert (axes.title, axes.lines) == ("accuracy", [("vision/digits", [1, 2], [0.8, 0.9])])
    assert metrics("$x").plot().axes.lines == [("loss", [0, 1], [3.0, 1.5])]
    assert metrics("$x").plot().axes.title == r"\$x"
    series = Series.from_json({"name": "_loss", "total": 1, "points": [{"step": 4, "value": 1}], "value": None})
    assert series.plot().axes.lines == [(" _loss", [4], [1.0])]


def test_a_history_is_drawn_with_plotly_without_its_html(library):
    library("plotly", "graph_objects", PLOTLY)
    figure = metrics(EVIL).plot("loss")
    assert "<" not in figure.layout["title"]
    assert [(one.name, one.x, one.y) for one in figure.traces] == [("loss", [0, 1], [3.0, 1.5])]


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(errors.NotFound, match="There are: accuracy"):
        history("x").plot("loss")
    with pytest.raises(errors.NotFound, match="no numbers to draw"):
        metrics("x").plot("none")
    if not (find_spec("matplotlib") or find_spec("plotly")):
        with pytest.raises(errors.UnknownFormat, match="pip install matplotlib"):
            notebook.plot("x", "step", {"x": ([1], [1.0])})
