"""Objects of real libraries as the content of artifacts: kept, found by their content type, and equal when they are back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lmvp.client import errors
from lmvp.client.contents import PARQUET
from lmvp.client.results.artifacts import Artifact
from tests.formats.conftest import library
from tests.formats.test_round_trips import LABELS, NUMBERS, ROWS, network, onnx_model

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # theirs


@pytest.fixture
def recorded(alice) -> Callable[[Any], Artifact]:
    """Record an object with an artifact, and read that artifact again."""
    return lambda obj: alice.artifact(alice.create_artifact({"name": "it"}, content=obj, project="vision").id)


def kept(artifact: Artifact) -> str:
    """Return the content type up to the versions."""
    assert artifact.content
    return artifact.content.content_type.partition("; python=")[0]


@pytest.mark.models
def test_a_pytorch_module_fills_another_one_and_is_a_state_dict_without(recorded):
    torch = library("torch")
    trained, other, rows = network(torch).eval(), network(torch).eval(), torch.from_numpy(ROWS)
    torch.nn.init.zeros_(other[0].weight)
    artifact = recorded(trained)
    assert kept(artifact) == "application/octet-stream; lmvp-format=safetensors"
    assert artifact.load(into=other) is other
    assert torch.equal(other(rows), trained(rows))
    state = artifact.load()
    assert all(torch.equal(state[name], tensor) for name, tensor in trained.state_dict().items())


def test_a_tensor_alone_is_known_by_what_was_noted(recorded):
    torch = library("torch")
    assert torch.equal(recorded(torch.arange(3)).load(), torch.arange(3))


@pytest.mark.models
def test_a_scikit_learn_pipeline_predicts_the_same(recorded):
    library("sklearn")
    library("skops")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    trained = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS)
    artifact = recorded(trained)
    assert kept(artifact) == "application/octet-stream; lmvp-format=skops"
    assert np.array_equal(artifact.load().predict_proba(ROWS), trained.predict_proba(ROWS))


def test_an_estimator_kept_by_joblib_must_be_trusted(recorded, monkeypatch):
    library("sklearn")
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setattr("lmvp.client.formats.sklearn.is_installed", lambda name: False)
    trained = LogisticRegression().fit(ROWS, LABELS)
    artifact = recorded(trained)
    with pytest.raises(errors.NotTrusted, match=r"pickle.*run any code.*trusted=True"):
        artifact.load()
    assert np.array_equal(artifact.load(trusted=True).predict_proba(ROWS), trained.predict_proba(ROWS))


@pytest.mark.models
def test_an_onnx_model_is_the_same(recorded):
    onnx = library("onnx")
    artifact = recorded(onnx_model(onnx))
    assert kept(artifact) == "application/octet-stream; lmvp-format=onnx"
    assert artifact.load() == onnx_model(onnx)


def test_an_xgboost_classifier_comes_back_as_one(recorded):
    xgboost = library("xgboost")
    trained = xgboost.XGBClassifier(n_estimators=5).fit(ROWS, NUMBERS)
    back = recorded(trained).load()
    assert type(back) is xgboost.XGBClassifier
    assert np.array_equal(back.predict_proba(ROWS), trained.predict_proba(ROWS))


def test_a_lightgbm_booster_predicts_the_same(recorded):
    lightgbm = library("lightgbm")
    data = lightgbm.Dataset(ROWS, label=NUMBERS)
    trained = lightgbm.train({"objective": "binary", "verbose": -1, "min_data_in_leaf": 2}, data, num_boost_round=5)
    assert np.array_equal(recorded(trained).load().predict(ROWS), trained.predict(ROWS))


def test_a_keras_model_predicts_the_same(recorded):
    library("torch")
    keras = library("keras")
    trained = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert np.array_equal(recorded(trained).load().predict(ROWS, verbose=0), trained.predict(ROWS, verbose=0))


def test_a_pandas_frame_has_its_index_and_is_a_table_to_others(recorded):
    pandas = library("pandas")
    library("pyarrow")
    frame = pandas.DataFrame({"score": [0.5, 1.5]}, index=pandas.Index(["a", "b"], name="page"))
    artifact = recorded(frame)
    assert kept(artifact) == f"{PARQUET}; lmvp-format=pandas"
    pandas.testing.assert_frame_equal(artifact.load(), frame)
    assert artifact.load(to="records") == [{"score": 0.5, "page": "a"}, {"score": 1.5, "page": "b"}]
    assert artifact.load(to="csv").split() == ["score,page", "0.5,a", "1.5,b"]


def test_a_polars_frame_comes_back_as_one_or_as_another_librarys(recorded):
    polars, pandas = library("polars"), library("pandas")
    frame = polars.DataFrame({"page": [1, 2], "letter": ["a", "b"]})
    artifact = recorded(frame)
    assert artifact.load().equals(frame)
    assert type(artifact.load(to="pandas")) is pandas.DataFrame
    assert polars.from_pandas(artifact.load(to="pandas")).equals(frame)
