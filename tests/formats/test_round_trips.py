"""What real libraries made comes back equal: the same predictions, the same rows."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from lmvp.client import errors
from tests.formats.conftest import library

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # theirs

os.environ.setdefault("KERAS_BACKEND", "torch")
RANDOM = np.random.default_rng(5)
ROWS = RANDOM.normal(size=(60, 4)).astype(np.float32)
LABELS = np.where(ROWS.sum(axis=1) > 0, "seven", "three")
NUMBERS = (ROWS.sum(axis=1) > 0).astype(int)


def record(local) -> dict[str, object]:
    return json.loads(local.file("lmvp.json").read_text("utf-8"))


# --- PyTorch


def network(torch):
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 2))


@pytest.mark.models
def test_a_pytorch_module_comes_back_into_a_module_and_predicts_the_same(fetched):
    torch = library("torch")
    trained, rows = network(torch), torch.from_numpy(ROWS)
    trained(rows)  # batch norm has buffers now
    local = fetched(trained)
    torch.manual_seed(99)
    other = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    with torch.no_grad():
        assert not torch.equal(other.eval()(rows), trained.eval()(rows))
        assert local.load(into=other) is other
        assert torch.equal(other.eval()(rows), trained.eval()(rows))
    assert local.files == ["lmvp.json", "model.safetensors"]
    assert local.version.message == "Publish Sequential (safetensors)"
    kept = record(local)
    assert (kept["format"], kept["file"], kept["object"]) == (
        "safetensors",
        "model.safetensors",
        "torch.nn.modules.container.Sequential",
    )
    assert {"python", "torch", "safetensors"} == set(kept["versions"])


def test_without_its_class_a_module_is_its_state_dict(fetched):
    torch = library("torch")
    trained = network(torch)
    state = fetched(trained).load()
    assert set(state) == set(trained.state_dict())
    assert all(torch.equal(state[name], tensor) for name, tensor in trained.state_dict().items())


def test_a_state_dict_with_shared_halved_and_transposed_tensors_comes_back_whole(fetched):
    torch = library("torch")
    weight = torch.arange(12.0).reshape(3, 4)
    state = {"a": weight, "tied": weight, "row": weight[1], "t": weight.T, "half": weight.to(torch.bfloat16)}
    back = fetched(state).load()
    assert {name: tensor.dtype for name, tensor in back.items()} == {name: one.dtype for name, one in state.items()}
    assert all(torch.equal(back[name], tensor) for name, tensor in state.items())


def test_tied_weights_come_back_into_a_module_that_ties_them(fetched):
    torch = library("torch")

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = torch.nn.Linear(4, 4, bias=False)
            self.decode = torch.nn.Linear(4, 4, bias=False)
            self.decode.weight = self.encode.weight

        def forward(self, rows):
            return self.decode(self.encode(rows))

    trained, other = Tied(), Tied()
    fetched(trained).load(into=other)
    assert torch.equal(other(torch.ones(1, 4)), trained(torch.ones(1, 4)))
    assert other.decode.weight is other.encode.weight


def test_a_tensor_alone_comes_back_alone(fetched):
    torch = library("torch")
    assert torch.equal(fetched(torch.arange(3)).load(), torch.arange(3))


def test_what_does_not_fit_into_the_module_is_an_error_that_says_what(fetched):
    torch = library("torch")
    local = fetched(torch.nn.Linear(4, 2))
    with pytest.raises(errors.LocalFileError, match=r"model\.safetensors cannot be read.*size mismatch"):
        local.load(into=torch.nn.Linear(5, 2))
    with pytest.raises(errors.ValidationFailed, match="no load_state_dict"):
        local.load(into={})


def test_a_module_that_is_more_than_its_tensors_is_refused_with_what_keeps_all_of_it(alice):
    torch = library("torch")
    with pytest.raises(errors.ValidationFailed, match=r"code too: write it with torch\.jit\.save"):
        alice.publish("vision/script", torch.jit.script(torch.nn.Linear(4, 2)))
    with pytest.raises(errors.ValidationFailed, match="it has no parameters"):
        alice.publish("vision/empty", torch.nn.ReLU())


def test_a_compiled_module_is_the_module_that_was_compiled(fetched):
    torch = library("torch")
    trained, other = torch.nn.Linear(4, 2), torch.nn.Linear(4, 2)
    fetched(torch.compile(trained)).load(into=other)
    assert torch.equal(other.weight, trained.weight)


# --- NumPy


@pytest.mark.parametrize("array", [ROWS, np.array(["a", "größe"]), np.array(3.5), np.asfortranarray(ROWS)])
def test_a_numpy_array_comes_back(fetched, array):
    back = fetched(array).load()
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


def test_a_dict_of_numpy_arrays_comes_back_from_safetensors(fetched):
    library("safetensors")
    arrays = {"w": ROWS, "t": ROWS.T, "count": np.array(3), "mask": ROWS > 0}
    local = fetched(arrays)
    back = local.load()
    assert record(local)["format"] == "safetensors-numpy"
    assert all(np.array_equal(back[name], array) and back[name].dtype == array.dtype for name, array in arrays.items())


def test_arrays_that_safetensors_cannot_hold_are_kept_as_npz(fetched):
    arrays = {"names": np.array(["a", "b"]), "w": ROWS}
    local = fetched(arrays)
    back = local.load()
    assert record(local)["format"] == "npz"
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())


# --- scikit-learn


@pytest.mark.models
def test_a_scikit_learn_pipeline_comes_back_from_skops_and_predicts_the_same(fetched):
    library("sklearn")
    library("skops")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    trained = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS)
    local = fetched(trained)
    back = local.load()
    assert local.files == ["lmvp.json", "model.skops"]
    assert np.array_equal(back.predict_proba(ROWS), trained.predict_proba(ROWS))
    assert list(back.predict(ROWS)) == list(trained.predict(ROWS))
    assert {"scikit-learn", "skops"} < set(record(local)["versions"])


def test_a_forest_comes_back_once_its_trees_are_trusted(fetched):
    library("sklearn")
    library("skops")
    from sklearn.ensemble import RandomForestClassifier

    trained = RandomForestClassifier(20, random_state=1).fit(ROWS, LABELS)
    back = fetched(trained).load(trusted=["sklearn.tree._tree.Tree"])
    assert np.array_equal(back.predict_proba(ROWS), trained.predict_proba(ROWS))


def doubled(rows):
    return rows * 2


def test_types_that_skops_does_not_know_are_trusted_by_name(fetched):
    library("sklearn")
    library("skops")
    from sklearn.preprocessing import FunctionTransformer

    local = fetched(FunctionTransformer(doubled).fit(ROWS))
    with pytest.raises(errors.NotTrusted, match=r"tests\.formats\.test_round_trips\.doubled.*trusted="):
        local.load()
    with pytest.raises(errors.NotTrusted):
        local.load(trusted=["tests.formats.another"])
    named = local.load(trusted=["tests.formats.test_round_trips.doubled"])
    assert np.array_equal(named.transform(ROWS), ROWS * 2)
    assert np.array_equal(local.load(trusted=True).transform(ROWS), ROWS * 2)


@pytest.mark.models
def test_without_skops_an_estimator_is_a_joblib_file_that_must_be_trusted(fetched, monkeypatch):
    library("sklearn")
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr("lmvp.client.formats.sklearn.is_installed", lambda name: False)
    trained = LogisticRegression().fit(ROWS, LABELS)
    local = fetched(trained)
    assert local.files == ["lmvp.json", "model.joblib"]
    with pytest.raises(errors.NotTrusted, match=r"pickle.*run any code.*trusted=True"):
        local.load()
    assert np.array_equal(local.load(trusted=True).predict_proba(ROWS), trained.predict_proba(ROWS))


# --- Boosting


def test_an_xgboost_classifier_comes_back_as_one(fetched):
    xgboost = library("xgboost")
    trained = xgboost.XGBClassifier(n_estimators=10).fit(ROWS, NUMBERS)
    local = fetched(trained)
    back = local.load()
    assert local.files == ["lmvp.json", "model.ubj"]
    assert type(back) is xgboost.XGBClassifier
    assert np.array_equal(back.predict_proba(ROWS), trained.predict_proba(ROWS))


def test_an_xgboost_booster_comes_back_as_one(fetched):
    xgboost = library("xgboost")
    rows = xgboost.DMatrix(ROWS, label=NUMBERS)
    trained = xgboost.train({"objective": "binary:logistic"}, rows, num_boost_round=5)
    back = fetched(trained).load()
    assert type(back) is xgboost.Booster
    assert np.array_equal(back.predict(rows), trained.predict(rows))


def test_a_lightgbm_booster_comes_back(fetched):
    lightgbm = library("lightgbm")
    data = lightgbm.Dataset(ROWS, label=NUMBERS)
    trained = lightgbm.train({"objective": "binary", "verbose": -1, "min_data_in_leaf": 2}, data, num_boost_round=5)
    local = fetched(trained)
    assert local.files == ["lmvp.json", "model.lightgbm"]
    assert np.array_equal(local.load().predict(ROWS), trained.predict(ROWS))


def test_a_lightgbm_classifier_keeps_its_labels(fetched):
    lightgbm = library("lightgbm")
    library("sklearn")
    library("skops")
    trained = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, min_child_samples=2).fit(ROWS, LABELS)
    back = fetched(trained).load(trusted=True)
    assert list(back.predict(ROWS)) == list(trained.predict(ROWS))


# --- Keras, ONNX


def test_a_keras_model_comes_back_and_predicts_the_same(fetched):
    library("torch")
    keras = library("keras")
    trained = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)])
    local = fetched(trained)
    assert local.files == ["lmvp.json", "model.keras"]
    assert np.array_equal(local.load().predict(ROWS, verbose=0), trained.predict(ROWS, verbose=0))


def test_code_in_a_keras_model_runs_only_when_trusted(fetched):
    library("torch")
    keras = library("keras")
    trained = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda rows: rows * 2, output_shape=(4,))])
    local = fetched(trained)
    with pytest.raises(errors.NotTrusted, match=r"Python code.*trusted=True"):
        local.load()
    assert np.array_equal(local.load(trusted=True).predict(ROWS, verbose=0), ROWS * 2)


def onnx_model(onnx):
    weights = onnx.numpy_helper.from_array(ROWS[:4, :3].copy(), "weights")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["rows", "weights"], ["scores"])],
        "linear",
        [onnx.helper.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, [None, 4])],
        [onnx.helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [None, 3])],
        [weights],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.models
def test_an_onnx_model_comes_back_and_predicts_the_same(fetched):
    onnx, runtime = library("onnx"), library("onnxruntime")
    model = onnx_model(onnx)
    local = fetched(model)
    assert local.files == ["lmvp.json", "model.onnx"]
    assert local.load() == model
    [scores] = runtime.InferenceSession(local.file("model.onnx")).run(None, {"rows": ROWS})
    [before] = runtime.InferenceSession(model.SerializeToString()).run(None, {"rows": ROWS})
    assert np.array_equal(scores, before)


def test_an_onnx_model_with_its_weights_beside_it_is_published_as_a_directory(alice, tmp_path):
    onnx = library("onnx")
    directory = tmp_path / "onnx"
    directory.mkdir()
    model = onnx_model(onnx)
    onnx.save_model(
        model, directory / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    alice.publish("vision/onnx", directory)
    local = alice.download("vision/onnx", path=tmp_path / "own")
    assert local.files == ["model.onnx", "weights.bin"]
    [weights] = local.load("model.onnx").graph.initializer
    assert np.array_equal(onnx.numpy_helper.to_array(weights), ROWS[:4, :3])


# --- Data frames


def test_a_pandas_frame_comes_back_with_its_index(fetched):
    pandas = library("pandas")
    library("pyarrow")
    frame = pandas.DataFrame(
        {"label": pandas.Categorical(LABELS), "score": ROWS[:, 0]}, index=pandas.date_range("2026-01-01", periods=60)
    )
    local = fetched(frame)
    assert local.files == ["frame.parquet", "lmvp.json"]
    pandas.testing.assert_frame_equal(local.load(), frame, check_freq=False)


def test_a_polars_frame_comes_back_as_one(fetched):
    polars = library("polars")
    frame = polars.DataFrame({"label": LABELS, "score": ROWS[:, 0], "list": [[1], [2, 3]] * 30})
    back = fetched(frame).load()
    assert type(back) is polars.DataFrame
    assert back.equals(frame)


# --- Versions


def test_the_same_weights_again_are_the_same_tree(alice):
    library("safetensors")
    arrays = {"w": ROWS}
    first = alice.download("vision/a", revision=alice.publish("vision/a", arrays).number)
    again = alice.download("vision/a", revision=alice.publish("vision/a", {"w": ROWS.copy()}).number)
    assert [first.file(name).read_bytes() for name in first.files] == [
        again.file(name).read_bytes() for name in again.files
    ]


def test_a_downloaded_object_may_be_changed_and_published_on(alice, tmp_path):
    alice.publish("vision/a", ROWS, message="Rows")
    local = alice.download("vision/a", path=tmp_path / "own")
    (local.path / "notes.md").write_text("Checked.")
    version = alice.update("vision/a", local)
    assert version.number == 2
    back = alice.download("vision/a")
    assert back.files == ["array.npy", "lmvp.json", "notes.md"]
    assert np.array_equal(back.load(), ROWS)
    assert back.load("notes.md") == "Checked."
