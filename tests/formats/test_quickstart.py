"""examples/quickstart.ipynb runs from its first cell to its last, in a real kernel against a real server."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from accounts.services.access_tokens import create_access_token
from tests.formats.conftest import library

NOTEBOOK = Path(__file__).resolve().parent.parent.parent / "examples" / "quickstart.ipynb"


def test_the_notebook_is_kept_without_what_it_answered():
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    assert [cell["outputs"] for cell in cells if cell["cell_type"] == "code"] == [[]] * 8


@pytest.mark.models
def test_the_notebook_runs_and_shows_tables_and_a_plot(alice, cast, tmp_path, monkeypatch):
    library("matplotlib"), library("ipykernel")
    nbformat, nbclient = library("nbformat"), library("nbclient")
    monkeypatch.setenv("LMVP_SERVER", alice.server)
    monkeypatch.setenv("LMVP_TOKEN", create_access_token(actor=cast.alice, name="notebook", scope="write")[1])
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parent.parent))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()

    shown = [
        output["data"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "execute_result"
    ]
    assert any("<table" in data.get("text/html", "") for data in shown)
    assert any("image/png" in data for data in shown)
    best = alice.version("alice/quickstart", "production")
    assert (best.number, best.metadata["rate"], "captured" in best.metadata) == (3, 0.4, True)
    assert ast.literal_eval(shown[-1]["text/plain"]) == pytest.approx({"offset": -1.0, "slope": 3.0}, abs=0.05)
