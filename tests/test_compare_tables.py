"""Several versions side by side: columns in the order asked for, rows of metrics and metadata, those that differ alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.models import RegisteredModel
from registry.services.metrics import Measured
from tests.cast import Cast, client_of, publish
from tests.matchers import JUST_NOW, refused

BASE = "/v1/projects/vision/models/classifier/compare/"


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    model = cast.model()
    said: list[tuple[dict[str, Any], list[Measured]]] = [
        ({"lr": 1, "opt": {"name": "sgd", "a.b": {}}, "same": [1]}, [Measured("loss", 0.5), Measured("n", 1.0)]),
        ({"lr": True, "opt": {"name": "sgd", "a.b": None}, "same": [1]}, [Measured("loss", 0.5), Measured("n", "x")]),
        ({"lr": 1.5, "opt": "adam", "same": [1], "void": None}, [Measured("loss", 0.5)]),
    ]
    for n, (metadata, metrics) in enumerate(said):
        alias = "production" if n == 0 else None
        message = f"number {n}\n\nmore"
        publish(cast.bob, model, {"a": b"%d" % n}, metadata=metadata, metrics=metrics, alias=alias, message=message)
    return model


def get(cast: Cast, query: str) -> Any:
    return client_of(cast.dave).get(f"{BASE}?{query}")


def test_versions_are_columns_and_what_is_said_of_them_rows(cast: Cast, model: RegisteredModel) -> None:
    first, second, third = model.versions.order_by("number")
    response = get(cast, "versions=main,1,2")
    assert response.status_code == 200
    refs: dict[int, list[dict[str, str]]] = {
        1: [{"kind": "alias", "name": "production"}],
        2: [],
        3: [{"kind": "branch", "name": "main"}],
    }
    assert response.json() == {
        "versions": [
            {
                "number": one.number,
                "digest": one.digest,
                "title": f"number {one.number - 1}",
                "author": "bob",
                "created_at": JUST_NOW,
                "refs": refs[one.number],
                "files": {"count": 1, "size": 1},
                "deprecated": None,
            }
            for one in (third, first, second)
        ],
        "metrics": [
            {"name": "loss", "values": [0.5, 0.5, 0.5]},
            {"name": "n", "values": [None, 1.0, "x"]},
        ],
        "metadata": [
            {"key": "lr", "values": [1.5, 1, True]},
            {"key": "opt", "values": ["adam", None, None]},
            {"key": 'opt."a.b"', "values": [None, {}, None]},
            {"key": "opt.name", "values": [None, "sgd", "sgd"]},
            {"key": "same", "values": [[1], [1], [1]]},
            {"key": "void", "values": [None, None, None]},
        ],
        "count": {"metrics": 2, "metadata": 6},
    }


def test_rows_that_are_the_same_are_left_out_when_asked(cast: Cast, model: RegisteredModel) -> None:
    told = get(cast, "versions=1,2&differing=true").json()
    assert [row["name"] for row in told["metrics"]] == ["n"]
    assert [row["key"] for row in told["metadata"]] == ["lr", 'opt."a.b"'], "1 is not true"
    told = get(cast, "versions=1,3&differing=true").json()
    assert "void" in [row["key"] for row in told["metadata"]], "null is not nothing"


def test_each_version_stands_there_once(cast: Cast, model: RegisteredModel) -> None:
    told = get(cast, "versions=1,production,v1, 2 ,2").json()
    assert [column["number"] for column in told["versions"]] == [1, 2]


@pytest.mark.parametrize("said", ["", "1", ",,1,", "1," * 21])
def test_too_few_and_too_many(cast: Cast, model: RegisteredModel, said: str) -> None:
    refused(get(cast, f"versions={said}"), 400, "invalid_versions")


@pytest.mark.parametrize("said", ["1,9", "1,nothing", "1,../2"])
def test_version_that_is_not_there(cast: Cast, model: RegisteredModel, said: str) -> None:
    refused(get(cast, f"versions={said}"), 404, "not_found")


def test_who_sees_no_model_sees_no_table(cast: Cast, model: RegisteredModel) -> None:
    refused(client_of(cast.charlie).get(f"{BASE}?versions=1,2"), 404, "not_found")
    refused(client_of(None).get(f"{BASE}?versions=1,2"), 401, "not_authenticated")


def test_many_rows_are_counted_and_the_first_listed(cast: Cast) -> None:
    model = cast.model()
    for n in range(2):
        metrics = [Measured(f"m{place}", float(n)) for place in range(1200)]
        publish(cast.bob, model, {"a": b"%d" % n}, metrics=metrics, metadata={"x" * 300: {"y": {"z": n}}})
    told = get(cast, "versions=1,2").json()
    assert (len(told["metrics"]), told["count"]["metrics"]) == (1000, 1200)
    assert [row["key"] for row in told["metadata"]] == ["x" * 300], "keys do not grow without bound"


def test_columns_cost_no_queries_of_their_own(cast: Cast) -> None:
    model = cast.model()
    for n in range(12):
        publish(cast.bob, model, {"a": b"%d" % n}, metrics=[Measured("loss", float(n))])
    counts = []
    for columns in (2, 12):
        with CaptureQueriesContext(connection) as queries:
            assert get(cast, "versions=" + ",".join(str(n + 1) for n in range(columns))).status_code == 200
        counts.append(len(queries))
    assert counts[1] == counts[0]
