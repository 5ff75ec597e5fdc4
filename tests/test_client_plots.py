"""What is said when there is nothing to draw, or nothing to draw with; tests/formats draws with the real libraries."""

import sys

import pytest

from lmvp.client import errors, notebook
from tests.test_client_results import history, metrics


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(errors.NotFound, match="There are: accuracy"):
        history("x").plot("loss")
    with pytest.raises(errors.NotFound, match="no numbers to draw"):
        metrics("x").plot("none")


def test_without_a_library_the_error_names_one(monkeypatch):
    for name in ("matplotlib.figure", "plotly.graph_objects"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    with pytest.raises(errors.UnknownFormat, match="pip install matplotlib"):
        notebook.plot("x", "step", {"x": ([1], [1.0])})
