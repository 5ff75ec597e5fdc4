"""The client's artifacts: recorded with data and content, listed, drawn as trees, moved, read in every form."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmvp.client import contents, errors
from lmvp.client.results.artifacts import Hierarchy
from tests.client_team import Team, make_team

PREDICTIONS = {"columns": ["page", "letter"], "data": [[1, "a"], [2, "b"]]}


@pytest.fixture
def team(live_server, cast, tmp_path, monkeypatch) -> Team:
    made = make_team(live_server.url, cast, tmp_path, monkeypatch)
    made.alice.publish("vision/digits", made.files(weights=np.ones(3)))
    return made


def test_a_hierarchy_names_the_levels(team):
    made = team.bob.create_hierarchy("runs", ["experiment", "model"], project="vision")
    assert made == Hierarchy("runs", "vision", {"0": "experiment", "1": "model"}, made.created_at)
    assert made.labels == ["experiment", "model"]
    assert team.dave.hierarchies("vision") == [made]
    with pytest.raises(errors.AlreadyExists):
        team.bob.create_hierarchy("runs", project="vision")
    with pytest.raises(errors.NotFound, match="Did you mean vision"):
        team.bob.create_hierarchy("runs", project="visoin")


def test_a_tree_grows_moves_and_is_cut(team):
    team.bob.create_hierarchy("runs", ["experiment", "model", "predictions"], project="vision")
    root = team.bob.create_artifact({"name": "how wide?"}, project="vision", hierarchy="runs")
    model = team.bob.create_artifact({"name": "wider"}, parent=root, version="vision/digits@latest")
    assert (model.level, model.parent_id, model.version, model.project) == (1, root.id, "vision/digits@1", "vision")
    leaf = team.bob.create_artifact({"type": "generic"}, parent=model.id)
    assert team.dave.artifact(model.id).level_label == "model"
    tree = team.dave.artifact_tree(root)
    assert tree.children[0].children[0].id == leaf.id
    assert tree.tree().splitlines() == [
        f"{root.id} experiment: how wide?",
        f"  {model.id} model: wider",
        f"    {leaf.id} predictions: generic",
    ]
    assert team.dave.artifact_tree(root, max_depth=0).children == ()
    assert [one.id for one in team.dave.artifacts("vision")] == [root.id, model.id, leaf.id]
    assert [one.id for one in team.dave.artifacts("vision", roots=True)] == [root.id]
    assert [one.id for one in team.dave.artifacts(parent=root, limit=5)] == [model.id]
    with pytest.raises(errors.InUse):
        team.bob.delete_artifact(root)
    moved = team.bob.update_artifact(leaf, parent=root)
    assert (moved.level, moved.parent_id, moved.data) == (1, root.id, {"type": "generic"})
    freed = team.bob.update_artifact(model, {"name": "free"}, version=None)
    assert (freed.version, freed.data, freed.parent_id) == (None, {"name": "free"}, root.id)
    team.bob.delete_artifact(leaf)
    with pytest.raises(errors.NotFound):
        team.dave.artifact(leaf)


@pytest.mark.parametrize(
    ("content", "content_type", "loaded"),
    [
        (b"\0\1\2", "application/octet-stream", b"\0\1\2"),
        (b"", "application/octet-stream", b""),
        ({"a": [1, None, "ü"]}, "application/json", {"a": [1, None, "ü"]}),
        ([1.5, 2], "application/json", [1.5, 2]),
    ],
)
def test_content_comes_back_as_it_went(team, content, content_type, loaded):
    made = team.bob.create_artifact({"name": "it"}, content=content, project="vision")
    assert made.content.content_type == content_type
    assert team.dave.load_artifact(made) == loaded


def test_a_file_is_kept_and_downloaded(team, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("größer\n", "utf-8")
    made = team.bob.create_artifact({"name": "notes"}, content=path, project="vision")
    assert (made.content.content_type, made.content.size) == ("text/plain", len("größer\n".encode()))
    assert team.dave.load_artifact(made) == "größer\n"
    assert team.dave.download_artifact(made, tmp_path / "back.txt").read_bytes() == path.read_bytes()
    with pytest.raises(errors.LocalFileError):
        team.bob.create_artifact({}, content=tmp_path / "missing", project="vision")


def test_a_table_comes_as_records_csv_or_as_it_was_kept(team, monkeypatch):
    inline = team.bob.create_artifact({"content": PREDICTIONS, "content_type": contents.RECORDS}, project="vision")
    records = [{"page": 1, "letter": "a"}, {"page": 2, "letter": "b"}]
    assert team.dave.load_artifact(inline, to="records") == records
    assert team.dave.load_artifact(inline, to="csv").split() == ["page,letter", "1,a", "2,b"]
    buffer = io.BytesIO()
    pq.write_table(pa.table({"page": [1, 2], "letter": ["a", "b"]}), buffer)
    kept = team.bob.create_artifact({}, content=buffer.getvalue(), content_type=contents.PARQUET, project="vision")
    assert team.dave.load_artifact(kept, to="records") == records
    assert team.dave.load_artifact(kept, to="bytes") == buffer.getvalue()


FRAMES = """
import io

class DataFrame:
    def __init__(self, records): self.records = records
    def write_parquet(self, file): file.write(b"PAR1 kept")

def read_parquet(file): return DataFrame(file.read())
"""


def test_data_frames_go_and_come_by_their_own_methods(team, tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "polars.py").write_text(FRAMES)
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    import polars

    made = team.bob.create_artifact({}, content=polars.DataFrame([]), project="vision")
    assert made.content.content_type == contents.PARQUET
    assert team.dave.load_artifact(made).records == b"PAR1 kept"
    inline = team.bob.create_artifact({"content": PREDICTIONS, "content_type": contents.RECORDS}, project="vision")
    assert team.dave.load_artifact(inline, to="polars").records[1] == {"page": 2, "letter": "b"}
    monkeypatch.delitem(__import__("sys").modules, "polars")


def test_what_cannot_be_kept_or_read_is_told(team):
    with pytest.raises(errors.ValidationFailed, match="A object is no content of an artifact"):
        team.bob.create_artifact({}, content=object(), project="vision")
    bare = team.bob.create_artifact({"metadata": {"lr": 1}}, project="vision")
    assert team.dave.artifact_metadata(bare) == {"lr": 1}
    with pytest.raises(errors.NotFound) as refused:
        team.dave.load_artifact(bare)
    assert refused.value.code == "no_content"
    binary = team.bob.create_artifact({}, content=b"\xff", project="vision")
    with pytest.raises(errors.UnknownFormat, match="text"):
        team.dave.load_artifact(binary, to="text")
    assert Path("content").exists() is False
