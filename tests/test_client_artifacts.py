"""The client's artifacts: recorded with data and content, listed, drawn as trees, moved, read in every form."""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lmvp
from lmvp.client import contents, errors
from lmvp.client.formats import Record, media_type_of, record_in, registry
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
    def write_parquet(self, path): path.write_bytes(b"PAR1 kept")
    def write_csv(self): return "page,letter\\n1,a\\n"

def read_parquet(path, **options): return DataFrame(path.read_bytes())
"""


@pytest.fixture
def polars(tmp_path, monkeypatch):
    """A stranger of that name: whatever is installed here, its own methods are seen to be called."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "polars.py").write_text(FRAMES)
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.delitem(sys.modules, "polars", raising=False)
    yield importlib.import_module("polars")
    del sys.modules["polars"]  # for good: a real one may be wanted next


def test_data_frames_go_and_come_by_their_own_methods(team, polars):
    made = team.bob.create_artifact({}, content=polars.DataFrame([]), project="vision")
    assert made.content.content_type.startswith(f"{contents.PARQUET}; lmvp-format=polars; python=")
    assert team.dave.load_artifact(made).records == b"PAR1 kept"
    inline = team.bob.create_artifact({"content": PREDICTIONS, "content_type": contents.RECORDS}, project="vision")
    assert team.dave.load_artifact(inline, to="polars").records[1] == {"page": 2, "letter": "b"}
    table = team.bob.create_artifact({}, content=polars.DataFrame([]), content_type="text/csv", project="vision")
    assert (table.content.content_type, table.load(to="text")) == ("text/csv", "page,letter\n1,a\n")


def test_a_frame_whose_library_is_missing_is_read_as_a_table(team):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"page": [1]}), buffer)
    kept_by = f"{contents.PARQUET}; lmvp-format=pandas" if find_spec("pandas") is None else contents.PARQUET
    made = team.bob.create_artifact({}, content=buffer.getvalue(), content_type=kept_by, project="vision")
    assert made.load(to="records") == [{"page": 1}]
    if find_spec("pandas") is None and find_spec("polars") is None:
        assert made.load() == [{"page": 1}]


# --- Objects


class Sum:
    """Something of somebody's own."""

    def __init__(self, *terms: int) -> None:
        self.terms = terms


def sum_format(**changed: Any) -> lmvp.Format:
    def save(obj: Sum, path: Path) -> dict[str, int]:
        path.write_text(" ".join(map(str, obj.terms)))
        return {"terms": len(obj.terms)}

    def load(path: Path, loading: lmvp.Loading) -> Sum:
        read = Sum(*map(int, path.read_text().split()))
        assert len(read.terms) == loading.details.get("terms")
        return read

    said = {"name": "sum", "load": load, "matches": lambda obj: isinstance(obj, Sum), "save": save, "file": "sum.txt"}
    return lmvp.Format(**said | changed)


@pytest.fixture
def own_formats(monkeypatch):
    monkeypatch.setattr(registry, "_FORMATS", list(registry._FORMATS))


def test_an_array_comes_back_from_the_result_of_every_call(team):
    made = team.bob.create_artifact({"name": "weights"}, content=np.arange(6.0).reshape(2, 3), project="vision")
    assert made.content.content_type.startswith("application/octet-stream; lmvp-format=npy; python=")
    assert f"; numpy={np.__version__}" in made.content.content_type
    [listed], tree = team.dave.artifacts("vision"), team.dave.artifact_tree(made)
    child = team.bob.create_artifact({}, content=np.arange(3), parent=made)
    [below] = team.dave.artifact_tree(made).children
    for one in (made, listed, tree, team.dave.artifact(made.id), team.bob.update_artifact(made, {"name": "w"})):
        assert one.load().tolist() == [[0, 1, 2], [3, 4, 5]]
    assert below.load().tolist() == child.load().tolist() == [0, 1, 2]
    assert np.load(io.BytesIO(made.load(to="bytes"))).shape == (2, 3)


def test_a_dict_of_arrays_comes_back_and_may_be_replaced(team):
    made = team.bob.create_artifact({}, content={"w": np.ones(3), "names": np.array(["a", "ü"])}, project="vision")
    back = made.load()
    assert (back["w"].tolist(), back["names"].tolist()) == ([1, 1, 1], ["a", "ü"])
    again = team.bob.update_artifact(made, content=np.zeros(2))
    assert team.dave.load_artifact(again).tolist() == [0, 0]
    assert team.bob.update_artifact(made, content=None).content is None


def test_arrays_are_json_where_that_is_asked_for(team):
    made = team.bob.create_artifact({}, content=np.arange(3), content_type="application/json", project="vision")
    assert (made.content.content_type, made.load()) == ("application/json", [0, 1, 2])
    mixed = team.bob.create_artifact({}, content={"w": np.arange(3), "lr": 0.1}, project="vision")
    assert mixed.load() == {"w": [0, 1, 2], "lr": 0.1}


@pytest.mark.usefixtures("own_formats")
def test_a_format_of_somebody_elses_keeps_what_it_noted_and_a_media_type_of_its_own(team):
    lmvp.register_format(sum_format(media_type="text/x-sum", libraries=("numpy", "nowhere")))
    made = team.bob.create_artifact({}, content=Sum(3, 4), project="vision")
    assert made.content.content_type.partition("; python=")[0] == (
        "text/x-sum; lmvp-format=sum; lmvp-details=eyJ0ZXJtcyI6Mn0"
    )
    assert made.load().terms == (3, 4)
    assert made.load(to="text") == "3 4"
    registry._FORMATS[:] = registry._FORMATS[1:]
    with pytest.raises(errors.UnknownFormat, match=r"“sum”, which is not known here\..*register_format.*to='bytes'"):
        made.load()
    assert made.load(to="bytes") == b"3 4"


@pytest.mark.usefixtures("own_formats")
def test_an_object_that_is_several_files_is_refused_with_what_to_do(team):
    def save(obj: Sum, path: Path) -> None:
        path.mkdir()
        (path / "a").write_text("3")

    lmvp.register_format(sum_format(save=save))
    with pytest.raises(errors.ValidationFailed, match=r"A Sum is kept in several files \(sum\).*version="):
        team.bob.create_artifact({}, content=Sum(3), project="vision")
    assert team.bob.artifacts("vision") == []


@pytest.mark.usefixtures("own_formats")
@pytest.mark.parametrize(
    "changed",
    [{"name": "a sum"}, {"name": "s" * 200}, {"save": lambda obj, path: {"all": "x" * path.write_text("y" * 200)}}],
)
def test_a_format_that_no_media_type_can_say_is_refused(team, changed):
    lmvp.register_format(sum_format(**changed))
    with pytest.raises(
        errors.ValidationFailed, match=r"no media type of 200 characters.*Publish the object as a version"
    ):
        team.bob.create_artifact({}, content=Sum(3), project="vision")


def test_versions_of_libraries_are_left_out_where_there_is_no_room():
    record = Record("npy", "array.npy", "", {"python": "3.12.1", "odd": "1!2", "l" * 150: "1", "numpy": "2"}, {})
    said = media_type_of(record, "application/octet-stream")
    assert said == "application/octet-stream; lmvp-format=npy; python=3.12.1; numpy=2"
    assert record_in(said) == Record("npy", "array.npy", "", {"python": "3.12.1", "numpy": "2"}, {})
    assert record_in("text/plain; format=flowed; charset=utf-8") is None


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (open, (str(self.trace), "w"))


@pytest.mark.parametrize("claimed", ["pickle", "joblib", "torch"])
def test_a_pickle_is_not_opened_unless_trusted(team, tmp_path, claimed):
    evil = pickle.dumps(Bomb(tmp_path / "code-was-run"))
    made = team.bob.create_artifact(
        {}, content=evil, content_type=f"application/octet-stream; LMVP-Format={claimed}", project="vision"
    )
    with pytest.raises(errors.NotTrusted, match=r"run any code.*\.load\(trusted=True\)"):
        team.dave.load_artifact(made)
    with pytest.raises(errors.NotTrusted):
        made.load(trusted=["builtins.open"])
    assert not (tmp_path / "code-was-run").exists()
    if claimed == "pickle":
        made.load(trusted=True).close()
        assert (tmp_path / "code-was-run").exists()


@pytest.mark.parametrize("details", ["AAAA", "W10", "e30x", "eyJ0ZXJtcyI6Mn0.", "A"])
def test_notes_that_cannot_be_understood_are_told(team, details):
    kept = f"application/octet-stream; lmvp-format=npy; lmvp-details={details}"
    made = team.bob.create_artifact({}, content=b"?", content_type=kept, project="vision")
    with pytest.raises(errors.UnknownFormat, match=r"lmvp-details.*cannot be understood.*to='bytes'"):
        made.load()
    assert made.load(to="bytes") == b"?"


def test_content_that_is_not_what_its_type_says_is_told_with_what_to_do(team):
    kept = "application/octet-stream; lmvp-format=npy; numpy=0.9"
    made = team.bob.create_artifact({}, content=b"no array", content_type=kept, project="vision")
    told = rf"array\.npy cannot be read as npy.*kept with numpy 0\.9.*lmvp\.download_artifact\('{made.id}', path\)"
    with pytest.raises(errors.LocalFileError, match=told):
        made.load()


def test_inline_content_is_no_object_whatever_it_says(team):
    said = {"content": {"a": 1}, "content_type": "application/json; lmvp-format=pickle"}
    made = team.bob.create_artifact(said, project="vision")
    assert made.load(trusted=True) == {"a": 1}


def test_only_objects_are_loaded_into_others(team):
    made = team.bob.create_artifact({}, content={"a": 1}, project="vision")
    with pytest.raises(errors.ValidationFailed, match="Leave `into` out"):
        made.load(into=object())


def test_an_artifact_is_the_same_with_and_without_its_client(team):
    made = team.bob.create_artifact({"name": "w"}, content=np.arange(3), project="vision")
    copied = pickle.loads(pickle.dumps(made))
    assert copied == made
    with pytest.raises(errors.ValidationFailed, match=rf"lmvp\.load_artifact\('{made.id}'\)"):
        copied.load()
    assert team.dave.load_artifact(copied).tolist() == [0, 1, 2]


def test_what_cannot_be_kept_or_read_is_told(team):
    with pytest.raises(errors.ValidationFailed, match="A object is no content of an artifact"):
        team.bob.create_artifact({}, content=object(), project="vision")
    with pytest.raises(errors.ValidationFailed, match="ndarray cannot be kept"):
        team.bob.create_artifact({}, content=np.array([{}], dtype=object), project="vision")
    bare = team.bob.create_artifact({"metadata": {"lr": 1}}, project="vision")
    assert team.dave.artifact_metadata(bare) == {"lr": 1}
    with pytest.raises(errors.NotFound) as refused:
        team.dave.load_artifact(bare)
    assert refused.value.code == "no_content"
    binary = team.bob.create_artifact({}, content=b"\xff", project="vision")
    with pytest.raises(errors.UnknownFormat, match="text"):
        team.dave.load_artifact(binary, to="text")
    assert Path("content").exists() is False
