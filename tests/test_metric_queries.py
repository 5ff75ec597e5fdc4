"""Metrics at size: versions ordered and filtered by them, the best one, series made short, one metric over all versions."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from registry.errors import Invalid
from registry.models import Metric, RegisteredModel, Version
from registry.models.metrics import FEW, STRETCHES
from registry.series import thin
from registry.services import metrics
from registry.services.metrics import Measured, log_metrics
from tests.cast import Cast, client_of, publish
from tests.matchers import JUST_NOW, refused

BASE = "/v1/projects/vision/models/classifier"
VERSIONS = f"{BASE}/versions/"


@pytest.fixture
def dave(cast: Cast) -> APIClient:
    return client_of(cast.dave)


def version(
    cast: Cast, model: RegisteredModel, by: str = "bob", branch: str = "main", **values: float | str
) -> Version:
    measured = [Measured(name, value) for name, value in values.items()]
    content = str(model.versions.count()).encode()
    return publish(getattr(cast, by), model, {"a": content}, branch=branch, metrics=measured)


def numbers(client: APIClient, **query: Any) -> list[int]:
    response = client.get(VERSIONS, query)
    assert response.status_code == 200, response.json()
    return [found["number"] for found in response.json()["results"]]


def pages(client: APIClient, address: str) -> list[list[Any]]:
    """Every page of a list, as far as `next` leads."""
    found = []
    while address:
        answer = client.get(address.removeprefix("http://testserver")).json()
        assert set(answer) == {"next", "previous", "results"}, answer
        found.append(answer["results"])
        address = answer["next"]
    return found


def cursor(position: str, **more: str) -> str:
    return b64encode(urlencode({"p": position, **more}).encode()).decode()


# --- What nobody should send


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("order_by=accuracy", "invalid_order"),
        ("order_by=--number", "invalid_order"),
        ("order_by=digest", "invalid_order"),
        ("order_by=number;drop table registry_version", "invalid_order"),
        ("order_by=metric:", "invalid_order"),
        ("order_by=-metric:%20", "invalid_order"),
        ("order_by=metric:" + "x" * 201, "invalid_order"),
        ("metric:loss__lt=small", "invalid_filter"),
        ("metric:loss__lt=", "invalid_filter"),
        ("metric:loss__lt=nan", "invalid_filter"),
        ("metric:loss__gt=-inf", "invalid_filter"),
        ("metric:loss__gt=Infinity", "invalid_filter"),
        ("metric:loss__lt=1e400", "invalid_filter"),
        ("metric:loss__lt=1_0", "invalid_filter"),
        ("metric:loss__lt=٣", "invalid_filter"),
        ("metric:loss__lt=0x10", "invalid_filter"),
        ("metric:loss__lt=1%20OR%201=1", "invalid_filter"),
        ("metric:loss__less=1", "invalid_filter"),
        ("metric:loss__isnull=1", "invalid_filter"),
        ("metric:val__loss=1", "invalid_filter"),
        ("metric:__lt=1", "invalid_filter"),
        ("metric:=1", "invalid_filter"),
        ("metric:a%00b__lt=1", "invalid_filter"),
        ("metric:" + "x" * 201 + "__lt=1", "invalid_filter"),
        ("metric:note=" + "x" * 1001, "invalid_filter"),
        ("metric_loss__lt=1", "invalid_filter"),
        ("metrics=1", "invalid_filter"),
        ("metric=accuracy", "invalid_filter"),
        ("&".join(f"metric:m{n}=1" for n in range(11)), "invalid_filter"),
    ],
)
def test_what_cannot_be_asked_is_refused(model: RegisteredModel, dave: APIClient, query: str, code: str) -> None:
    refused(dave.get(f"{VERSIONS}?{query}"), 400, code)


@pytest.mark.parametrize(
    "position",
    ["7", "0.5", "0.5 x", "nan 1", "inf 1", "1e999 1", "-- 1", "0.5 1;drop", "0.5 " + "9" * 30, ".. 1", "", "0.5  1"],
)
def test_cursor_that_was_made_up_is_not_found(
    cast: Cast, model: RegisteredModel, dave: APIClient, position: str
) -> None:
    version(cast, model, loss=0.5)
    for order in ("metric:loss", "-metric:loss"):
        refused(dave.get(VERSIONS, {"order_by": order, "cursor": cursor(position)}), 404, "not_found")
    refused(dave.get(VERSIONS, {"cursor": cursor("0.5 1")}), 404, "not_found")


def test_cursor_may_say_more_than_ours_do(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    made = version(cast, model, loss=0.5)
    odd = cursor(f"0.75 {made.pk}", r="1", o="99999999")
    assert numbers(dave, order_by="-metric:loss", cursor=odd) == [1]


@pytest.mark.parametrize(
    "name", ["val/loss@10", "a__b", "x'; DROP TABLE registry_metric; --", "été 100 %", "a:b", "lt"]
)
def test_metric_of_an_odd_name(cast: Cast, model: RegisteredModel, dave: APIClient, name: str) -> None:
    version(cast, model, **{name: 0.25})
    version(cast, model, **{name: 0.75})
    assert numbers(dave, order_by=f"metric:{name}") == [1, 2]
    assert numbers(dave, **{f"metric:{name}__lt": "0.5"}) == [1]
    assert numbers(dave, **{f"metric:{name}__eq": "0.75"}) == [2]
    assert dave.get(f"{BASE}/best/", {"metric": name}).json()["number"] == 2
    assert dave.get(f"{BASE}/metrics/", {"name": name, "points": 2}).json()["total"] == 2


# --- Filters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"metric:loss__lt": "0.3"}, [2, 1]),
        ({"metric:loss__lte": "3e-1"}, [3, 2, 1]),
        ({"metric:loss__gt": "+.3"}, [4]),
        ({"metric:loss__gte": "0.30"}, [4, 3]),
        ({"metric:loss": "0.3"}, [3]),
        ({"metric:loss__eq": "0.3"}, [3]),
        ({"metric:loss__ne": "0.3"}, [4, 2, 1]),
        ({"metric:loss__gt": "0.15", "metric:accuracy__gt": "0.5"}, [4, 2]),
        ({"metric:loss__gt": ["0.15", "0.25"]}, [4, 3]),
        ({"metric:loss__gt": "0.15", "author": "alice"}, [3]),
        ({"metric:loss__gt": "0.15", "author": "nobody"}, []),
        ({"metric:loss__gt": "0.15", "branch": "wide"}, [4, 2]),
        ({"metric:note": "good"}, [4]),
        ({"metric:note__ne": "good"}, [3]),
        ({"metric:note": "go%"}, []),
        ({"metric:note": "nan"}, []),
        ({"metric:note__lt": "3"}, []),
        ({"metric:nothing__lt": "3"}, []),
        ({"metric:loss__lt": "0.3", "order_by": "number"}, [1, 2]),
        ({"metric:loss__lt": "0.35", "order_by": "-metric:accuracy"}, [2, 1, 3]),
        ({"author": "bob", "order_by": "-metric:loss"}, [4, 2, 1]),
        ({"branch": "wide", "order_by": "metric:loss"}, [1, 2, 4]),
        ({"branch": "wide", "order_by": "number"}, [1, 2, 4]),
        ({"order_by": "created_at"}, [1, 2, 3, 4, 5]),
        ({"order_by": "-created_at"}, [5, 4, 3, 2, 1]),
    ],
    ids=str,
)
def test_filters_and_orders(
    cast: Cast, model: RegisteredModel, dave: APIClient, query: dict[str, Any], expected: list[int]
) -> None:
    version(cast, model, loss=0.1, accuracy=0.5)
    version(cast, model, branch="wide", loss=0.2, accuracy=0.75)
    version(cast, model, "alice", loss=0.3, accuracy=0.25, note="bad")
    version(cast, model, branch="wide", loss=0.4, accuracy=0.75, note="good")
    version(cast, model, "alice")
    assert numbers(dave, **query) == expected


def test_only_the_latest_value_counts(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    made = version(cast, model)
    log_metrics(actor=cast.bob, version=made, measured=[Measured("loss", 0.9, 1), Measured("loss", 0.1, 2)])
    assert numbers(dave, **{"metric:loss__gt": "0.5"}) == []
    assert numbers(dave, **{"metric:loss__lt": "0.5"}) == [1]


def test_metrics_of_other_models_do_not_count(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    other = cast.model("other")
    publish(cast.bob, other, {"a": b"1"}, metrics=[Measured("loss", 0.1)])
    version(cast, model, loss=0.5)
    assert numbers(dave, order_by="metric:loss") == [1]
    assert numbers(dave, **{"metric:loss__lt": "0.3"}) == []
    assert dave.get(f"{BASE}/best/?metric=loss&goal=min").json()["metrics"] == {"loss": 0.5}


def test_filter_that_leaves_many(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    first = version(cast, model, loss=1.0)
    more(first, FEW + 60)
    every = [number for page in pages(dave, f"{VERSIONS}?metric:loss__gt=0&page_size=200") for number in page]
    assert [found["number"] for found in every] == list(range(FEW + 61, 0, -1))
    ranked = pages(dave, f"{VERSIONS}?metric:loss__gt=0&metric:loss__ne=7&order_by=metric:loss&page_size=200")
    assert [found["number"] for page in ranked for found in page] == [n for n in range(1, FEW + 62) if n != 7]


def test_a_filter_takes_as_many_queries_whether_it_leaves_few_or_many(
    cast: Cast, model: RegisteredModel, dave: APIClient
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert len(numbers(dave, **{"metric:loss__gt": "0", "metric:loss__lte": "9999", "author": "bob"})) > 1
        return len(captured)

    first = version(cast, model, loss=1.0)
    version(cast, model, loss=2.0)
    few = count()
    more(first, FEW)
    assert count() == few


def test_the_narrowest_of_several_filters_is_searched(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    first = version(cast, model, loss=1.0)
    version(cast, model, "alice", loss=0.5)
    more(first, FEW + 60)
    assert numbers(dave, **{"metric:loss__gt": "0", "metric:loss__lt": "4", "author": "alice"}) == [2]
    assert numbers(dave, **{"metric:loss__gt": "0", "author": "alice", "order_by": "-metric:loss"}) == [2]
    assert numbers(dave, **{"metric:loss__gt": "0", "metric:loss__lt": "4", "order_by": "metric:loss"}) == [2, 1, 3]


def more(first: Version, count: int, loss: Any = float) -> None:
    """More versions than there is time to publish; `loss`: a number, a text or None by their number."""
    model = first.model
    start = model.versions.latest("number").number + 1
    rows = [
        Version(
            **{name: getattr(first, name) for name in ("model", "tree_id", "author", "author_name", "branch")},
            number=number,
            digest=f"{number:064x}",
            created_at=first.created_at,
        )
        for number in range(start, start + count)
    ]
    made = Version.objects.bulk_create(rows)
    found = [(one, loss(one.number)) for one in made]
    Metric.objects.bulk_create(
        latest(Measured("loss", value).row(one, first.author)) for one, value in found if value is not None
    )


def latest(metric: Metric) -> Metric:
    metric.latest = True
    return metric


# --- Pages by a metric


def test_versions_by_a_metric_in_pages(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    for accuracy in (0.5, 0.9, 0.5, -0.0, 0.5, 0.0, 1e-300, -2.5e10):
        version(cast, model, accuracy=accuracy)
    version(cast, model)
    version(cast, model, accuracy="a text")
    best_first = [2, 5, 3, 1, 7, 6, 4, 8]
    for size in (1, 2, 3, 8):
        down = pages(dave, f"{VERSIONS}?order_by=-metric:accuracy&page_size={size}")
        assert [found["number"] for page in down for found in page] == best_first
        up = pages(dave, f"{VERSIONS}?order_by=metric:accuracy&page_size={size}")
        assert [found["number"] for page in up for found in page] == best_first[::-1]
        assert {len(page) for page in down[:-1]} <= {size}


def test_page_by_a_metric_is_the_same_json(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    version(cast, model, loss=0.5)
    listed = dave.get(VERSIONS).json()
    assert dave.get(VERSIONS, {"order_by": "metric:loss"}).json() == listed | {"previous": None}
    assert dave.get(f"{VERSIONS}1/").json() == listed["results"][0] | {"derived_from": []}


def test_trashed_versions_are_nowhere(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    for loss in (0.1, 0.2, 0.3):
        version(cast, model, loss=loss, **({"gone": 1.0} if loss == 0.1 else {}))
    Version.objects.filter(number__in=[1, 3]).update(trashed_at=timezone.now())
    for query in ({"order_by": "metric:loss"}, {"metric:loss__gt": "0"}, {"branch": "main"}, {"order_by": "number"}):
        assert numbers(dave, **query) == [2]
    assert dave.get(f"{BASE}/best/?metric=loss").json()["number"] == 2
    assert [row["version"] for row in dave.get(f"{BASE}/metrics/?name=loss").json()["results"]] == [2]
    assert dave.get(f"{BASE}/metrics/?name=loss&points=9").json()["points"] == [{"version": 2, "value": 0.2}]
    assert [(row["name"], row["version"]) for row in dave.get(f"{BASE}/metrics/").json()["results"]] == [("loss", 2)]


# --- One metric over all versions


@pytest.mark.parametrize("most", [2, 4, 5, 40, 398, 10_000])
@pytest.mark.parametrize(
    "shape",
    [
        lambda n: n % 3,  # ties everywhere
        lambda n: 1.0,
        lambda n: n * 1.1,
        lambda n: -n / 7,
        lambda n: (n * 7919 % 1009) / 1009 if n % 50 else (1e300, -1e300, 0.0, -0.0, 5e-324)[n % 5],
        lambda n: "a text" if n % 2 else n * 31 % 17 + 0.5,
        lambda n: None if 60 < n < 900 else n * 31 % 17 + 0.5,  # whole stretches without the metric
    ],
    ids=["three values", "one value", "up", "down", "spikes", "texts between", "a gap"],
)
def test_one_metric_over_many_versions_is_what_thinning_one_by_one_gives(
    cast: Cast, model: RegisteredModel, most: int, shape: Any
) -> None:
    first = version(cast, model)
    publish(cast.bob, cast.model("other"), {"a": b"1"}, metrics=[Measured("loss", 99.0)])  # ids are not numbers
    more(first, 999, shape)
    gone = [2, 3, 500, 1000, *range(700, 730)]
    Version.objects.filter(model=model, number__in=gone).update(trashed_at=timezone.now())
    there = Metric.objects.filter(model=model, name="loss", latest=True, value__isnull=False)
    there = there.exclude(version__number__in=gone).order_by("version_id")
    points = [(row.version_id, row.value) for row in there]
    expected = thin(points, first=points[0][0], last=points[-1][0], most=most)
    number_of = dict(model.versions.values_list("pk", "number"))
    found = Metric.objects.over_versions(model, "loss", most=most)
    whole = points if len(points) <= most else expected.points
    assert list(found.points) == [(number_of[pk], value) for pk, value in whole]
    assert found.total == len(points)


def test_one_metric_over_no_and_over_one_version(cast: Cast, model: RegisteredModel) -> None:
    assert Metric.objects.over_versions(model, "loss", most=2).total == 0
    version(cast, model, loss="a text")
    assert Metric.objects.over_versions(model, "loss", most=2).points == []
    version(cast, model, loss=0.25)
    assert Metric.objects.over_versions(model, "loss", most=2).points == [(2, 0.25)]


def test_postgresql_knows_how_few_stretches_there_are_and_reads_their_versions_once(
    cast: Cast, model: RegisteredModel
) -> None:
    """Else it takes the looks into the index that follow for so many that it compiles them first, for half a second."""
    if connection.vendor != "postgresql":
        pytest.skip("about PostgreSQL's planner")
    more(version(cast, model), 3000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        said = {"model": model.pk, "name": "loss", "first": 1, "span": 3001, "stretches": 100}
        cursor.execute(f"EXPLAIN (FORMAT JSON) {STRETCHES}", said)
        plan = cursor.fetchone()[0][0]["Plan"]
    assert plan["Plan Rows"] <= 100
    assert len([part for part in parts_of(plan) if "Group Key" in part]) == 1


def parts_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(part for below in plan.get("Plans", ()) for part in parts_of(below))]


# --- The best


def test_best_version(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    for number, accuracy in enumerate((0.25, 0.75, 0.25, 0.75, 0.5), 1):
        version(cast, model, "alice" if number == 4 else "bob", accuracy=accuracy, size=float(number))

    def best(query: str) -> int:
        number: int = dave.get(f"{BASE}/best/?metric=accuracy&{query}").json()["number"]
        return number

    assert dave.get(f"{BASE}/best/?metric=accuracy").json() == dave.get(f"{VERSIONS}4/").json()
    assert (best("goal=max"), best("goal=min")) == (4, 3)
    assert best("author=bob") == 2
    assert best("metric:size__lt=4") == 2
    assert best("branch=main&goal=min&metric:size__lt=3") == 1


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("metric=nothing", 404, "no_such_metric"),
        ("metric=note", 404, "no_such_metric"),
        ("metric=loss&metric:loss__gt=5", 404, "no_such_metric"),
        ("metric=loss&author=nobody", 404, "no_such_metric"),
        ("metric=loss&branch=nothing", 404, "not_found"),
        ("", 400, "invalid_order"),
        ("metric=", 400, "invalid_order"),
        ("metric=loss&goal=best", 400, "invalid_order"),
        ("metric=loss&metric:loss__lt=x", 400, "invalid_filter"),
        ("metric=loss&metrics=1", 400, "invalid_filter"),
    ],
)
def test_no_best_version(
    cast: Cast, model: RegisteredModel, dave: APIClient, query: str, status: int, code: str
) -> None:
    version(cast, model, loss=0.5, note="good")
    refused(dave.get(f"{BASE}/best/?{query}"), status, code)


# --- Series


def series(client: APIClient, points: int | str, name: str = "loss") -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"{VERSIONS}1/metrics/", {"name": name, "points": points}).json()
    return answer


def test_short_series_is_whole(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    made = version(cast, model, loss=0.125)
    values = [Measured("loss", 0.5, 3), Measured("loss", 0.75, -1), Measured("loss", "diverged", 2)]
    log_metrics(actor=cast.bob, version=made, measured=[*values, Measured("other", 1, 1)])
    points = [{"step": -1, "value": 0.75}, {"step": 3, "value": 0.5}]
    assert series(dave, 2) == {"name": "loss", "total": 2, "value": 0.125, "points": points}
    assert series(dave, 9, "nothing") == {"name": "nothing", "total": 0, "value": None, "points": []}


@pytest.mark.parametrize("most", [2, 3, 4, 5, 10, 99])
def test_long_series_keeps_its_ends_and_its_spikes(
    cast: Cast, model: RegisteredModel, dave: APIClient, most: int
) -> None:
    made = version(cast, model)
    values = {step: 0.5 + (step % 7) / 100 for step in range(-500, 500)} | {123: 9.0, -321: -9.0}
    log_metrics(
        actor=cast.bob, version=made, measured=[Measured("loss", value, step) for step, value in values.items()]
    )
    answer = series(dave, most)
    found = [(point["step"], point["value"]) for point in answer["points"]]
    assert answer["total"] == 1000
    assert len(found) <= most
    assert found == sorted(set(found))
    assert set(found) <= set(values.items())
    assert (found[0], found[-1]) == ((-500, values[-500]), (499, values[499]))
    if most >= 4:
        assert {(123, 9.0), (-321, -9.0)} <= set(found)
    if most >= 10:
        assert len(found) > most / 2


def test_series_over_all_whole_numbers(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    made = version(cast, model)
    steps = [-(2**63 - 1), -1, 0, 1, 2, 3, 2**63 - 1]
    log_metrics(actor=cast.bob, version=made, measured=[Measured("loss", step % 5, step) for step in steps])
    found = [point["step"] for point in series(dave, 6)["points"]]
    assert (found[0], found[-1]) == (steps[0], steps[-1])
    assert len(found) <= 6


def test_one_name_among_many_values_in_pages(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    made = version(cast, model)
    long, short = ([Measured(name, n, n) for n in range(count)] for name, count in (("long", FEW + 5), ("short", 5)))
    log_metrics(actor=cast.bob, version=made, measured=[*long[:50], *short[::-1], *long[50:]])
    found = pages(dave, f"{VERSIONS}1/metrics/?name=short&page_size=2")
    assert [[row["step"] for row in page] for page in found] == [[4, 3], [2, 1], [0]]
    found = pages(dave, f"{VERSIONS}1/metrics/?name=long&page_size=200")
    assert [row["step"] for page in found for row in page] == list(range(FEW + 5))


@pytest.mark.parametrize("points", ["0", "1", "10001", "-5", "x", "", "1e3", "²", "9" * 400])
def test_number_of_points_that_is_none(model: RegisteredModel, cast: Cast, dave: APIClient, points: str) -> None:
    version(cast, model)
    refused(dave.get(f"{VERSIONS}1/metrics/", {"name": "a", "points": points}), 400, "invalid_points")
    refused(dave.get(f"{BASE}/metrics/", {"name": "a", "points": points}), 400, "invalid_points")


def test_points_are_of_one_metric(model: RegisteredModel, cast: Cast, dave: APIClient) -> None:
    version(cast, model)
    refused(dave.get(f"{VERSIONS}1/metrics/?points=9"), 400, "invalid_points")
    refused(dave.get(f"{BASE}/metrics/?points=9"), 400, "invalid_points")


# --- Over all versions


def test_one_metric_over_all_versions(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    version(cast, model, loss=0.5)
    version(cast, model)
    third = version(cast, model, loss="diverged")
    fourth = version(cast, model, other=1.0)
    log_metrics(actor=cast.bob, version=fourth, measured=[Measured("loss", 0.25, 10), Measured("loss", 0.75, 9)])
    assert third.number == 3
    expected = [
        {"version": 4, "value": 0.25, "step": 10, "created_at": JUST_NOW},
        {"version": 3, "text": "diverged", "step": None, "created_at": JUST_NOW},
        {"version": 1, "value": 0.5, "step": None, "created_at": JUST_NOW},
    ]
    for size in (1, 2, 50):
        found = pages(dave, f"{BASE}/metrics/?name=loss&page_size={size}")
        assert [row for page in found for row in page] == expected
    points = [{"version": 1, "value": 0.5}, {"version": 4, "value": 0.25}]
    assert dave.get(f"{BASE}/metrics/?name=loss&points=2").json() == {"name": "loss", "total": 2, "points": points}
    refused(dave.get(f"{BASE}/metrics/?name=loss&cursor={cursor('x')}"), 404, "not_found")


def test_one_metric_over_many_versions_made_short(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    more(version(cast, model, loss=1.0), 60)
    answer = dave.get(f"{BASE}/metrics/?name=loss&points=10").json()
    found = [(point["version"], point["value"]) for point in answer["points"]]
    assert (answer["total"], found[0], found[-1]) == (61, (1, 1.0), (61, 61.0))
    assert len(found) <= 10


def test_names_of_a_model(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    version(cast, model, b=0.5, a="text")
    version(cast, model, b=0.75, c=3.0)
    rows = [
        {"name": "a", "version": 1, "text": "text", "step": None, "created_at": JUST_NOW},
        {"name": "b", "version": 2, "value": 0.75, "step": None, "created_at": JUST_NOW},
        {"name": "c", "version": 2, "value": 3.0, "step": None, "created_at": JUST_NOW},
    ]
    page = {"count": 3, "next": None, "previous": None, "results": rows}
    assert dave.get(f"{BASE}/metrics/").json() == page


def test_model_without_metrics_has_no_names(model: RegisteredModel, dave: APIClient) -> None:
    assert dave.get(f"{BASE}/metrics/").json()["results"] == []
    assert dave.get(f"{BASE}/metrics/?name=loss").json()["results"] == []


def test_version_has_metrics_of_so_many_names(cast: Cast, model: RegisteredModel) -> None:
    made = version(cast, model, a=1.0)
    names = [Measured(f"m{n}", n) for n in range(metrics.MOST_NAMES - 1)]
    log_metrics(actor=cast.bob, version=made, measured=names)
    with pytest.raises(Invalid) as refusal:
        log_metrics(actor=cast.bob, version=made, measured=[Measured("one too many", 1)])
    assert refusal.value.code == "too_many_metrics"
    assert log_metrics(actor=cast.bob, version=made, measured=[Measured("a", 5, 1), Measured("m1", 5, 1)]) == 2


@pytest.mark.parametrize(
    "address",
    [
        f"{VERSIONS}?order_by=-metric:loss",
        f"{VERSIONS}?order_by=-metric:loss&metric:loss__gt=0&author=bob",
        f"{VERSIONS}?metric:loss__gt=0",
        f"{BASE}/best/?metric=loss",
        f"{BASE}/metrics/",
        f"{BASE}/metrics/?name=loss",
    ],
)
def test_queries_do_not_grow_with_the_versions(
    cast: Cast, model: RegisteredModel, dave: APIClient, address: str
) -> None:
    for n in range(2):
        version(cast, model, loss=float(n + 1))

    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert dave.get(address).status_code == 200
        return len(captured)

    few = count()
    for n in range(8):
        version(cast, model, loss=float(n + 1), other=1.0)
    assert count() == few <= 9
