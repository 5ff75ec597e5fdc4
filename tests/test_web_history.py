"""The pages of a model's history: what is listed, sorted, filtered and compared, the graph, and the metrics over versions."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from registry.models import Metric, Ref, RegisteredModel, Version
from registry.services import merging
from registry.services.metrics import Measured
from registry.services.registered_models import update_model
from registry.web.graph import ROWS as GRAPH_ROWS
from tests.cast import Cast, publish
from tests.test_version_lists import longer

pytestmark = pytest.mark.django_db

MODEL = "/vision/classifier/"
VERSIONS, GRAPH, METRICS = f"{MODEL}versions/", f"{MODEL}graph/", f"{MODEL}metrics/"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def dave(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.dave)
    return client


def version(cast: Cast, model: RegisteredModel, by: str = "bob", **more: Any) -> Version:
    values = more.pop("metrics", {})
    measured = [Measured(name, value) for name, value in values.items()]
    content = str(model.versions.count()).encode()
    return publish(getattr(cast, by), model, {"a": content}, metrics=measured, **more)


def trials(cast: Cast, model: RegisteredModel, *losses: float, **more: Any) -> None:
    for loss in losses:
        version(cast, model, metrics={"loss": loss}, **more)


def page(client: Client, address: str, status: int = 200, **query: Any) -> str:
    response = client.get(address, query)
    assert response.status_code == status, response.content.decode()[-3000:]
    return response.content.decode()


def text(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def numbers(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'name="selected" value="(\d+)"', page)]


def link(page: str, words: str) -> str:
    found = re.search(rf'<a[^>]*href="([^"]*)"[^>]*>(?:<[^>]*>)*\s*{re.escape(words)}(?![a-z])', page)
    assert found, f"no link “{words}”"
    return html.unescape(found[1])


# --- What nobody should send


@pytest.mark.parametrize("address", [VERSIONS, GRAPH, METRICS])
def test_what_users_write_is_text(cast: Cast, model: RegisteredModel, dave: Client, address: str) -> None:
    metadata = {EVIL: EVIL, "</script>": 1, "lr": 0.1}
    for number in range(2):
        version(
            cast,
            model,
            message=f"{EVIL}{'x' * 5000}\n\n{EVIL}{number}",
            metrics={EVIL: 0.5 + number, "</script><b>": "<i>"},
            metadata=metadata | {"lr": number},
        )
    shown = page(dave, address, metric=EVIL)
    assert EVIL not in shown
    assert "alert(1)" in shown
    assert "<i>" not in shown


@pytest.mark.parametrize(
    ("address", "query"),
    [
        (VERSIONS, "order_by=digest"),
        (VERSIONS, "order_by=metric:"),
        (VERSIONS, "metric:loss__less=1"),
        (VERSIONS, "metric:loss__lt=x"),
        (VERSIONS, "metrics=1"),
        (VERSIONS, "before=x"),
        (VERSIONS, "before=1&order_by=metric:loss&from=x"),
        (VERSIONS, "branch=main&from=99"),
        (GRAPH, "before=-1"),
        (METRICS, "after=%F0"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_words(
    cast: Cast, model: RegisteredModel, dave: Client, address: str, query: str
) -> None:
    trials(cast, model, 0.5)
    response = dave.get(f"{address}?{query}")
    assert response.status_code == 400
    assert "That did not work" in text(response.content.decode())


@pytest.mark.parametrize("address", [VERSIONS, METRICS])
def test_unknown_branches_and_nul_are_not_found(cast: Cast, model: RegisteredModel, dave: Client, address: str) -> None:
    trials(cast, model, 0.5)
    assert "no branch" in page(dave, address, 404, branch="nothing")
    page(dave, address, 404, branch="ma\0in")
    page(dave, address, 404, metric="\0")


@pytest.mark.parametrize("address", [VERSIONS, GRAPH, METRICS])
def test_metric_names_of_any_length_do_no_harm(cast: Cast, model: RegisteredModel, dave: Client, address: str) -> None:
    trials(cast, model, 0.5)
    page(dave, address, metric="y" * 3000)
    page(dave, address, metric=[f"m{n}" for n in range(500)], axis=["a"] * 500)
    dave.get(address, {"selected": ["9" * 5000, "9" * 9, "²"]})


@pytest.mark.parametrize("address", ["versions/", "graph/", "metrics/"])
def test_former_names_lead_to_the_page(cast: Cast, model: RegisteredModel, dave: Client, address: str) -> None:
    trials(cast, model, 0.5)
    update_model(actor=cast.alice, model=model, name="sorter")
    response = dave.get(f"{MODEL}{address}?metric=loss")
    assert (response.status_code, response["Location"]) == (301, f"/vision/sorter/{address}?metric=loss")


# --- The table


def test_history_tells_what_each_version_is(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 0.5)
    version(cast, model, "alice", message="Wider\n\nTwice as wide.", metrics={"loss": 0.25}, alias="production")
    Version.objects.filter(number=1).update(deprecated="wrong labels")
    shown = page(dave, VERSIONS)
    said = text(shown)
    assert numbers(shown) == [2, 1]
    for words in ("v2", "Wider", "Twice as wide.", "alice", "production", "main", "deprecated", "1 byte"):
        assert words in said, words
    assert 'title="wrong labels"' in shown
    assert "0.25 ▼ down by 0.25" in said
    assert f'href="{VERSIONS}2/"' in shown


def test_changes_are_against_the_first_parent(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 1.0)
    trials(cast, model, 5.0, branch="wide")
    trials(cast, model, 1.0, 3.0)
    merging.merge(actor=cast.bob, model=model, source="wide", target="main", resolve={"a": "source"})
    said = text(page(dave, VERSIONS))
    assert "merges v4 and v2" in said
    assert "3 ▲ up by 2" in said
    assert "1 = the same as before" in said
    assert "5 ▲ up by 4" in said


def test_columns_are_the_newest_names_or_the_chosen_ones(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    version(cast, model, metrics={"old": 1.0})
    version(cast, model, metrics={"a": 1.0, "b": 2.0, "note": "fine"})

    def columns(**query: Any) -> list[str]:
        found = re.findall(
            r'<th scope="col" class="number metric"[^>]*><a[^>]*title="([^"]*)"', page(dave, VERSIONS, **query)
        )
        return [html.unescape(name) for name in found]

    assert columns() == ["a", "b", "note"]
    assert columns(metric=["old", "note", "old"]) == ["old", "note"]
    assert columns(metric=[f"m{n}" for n in range(20)]) == [f"m{n}" for n in range(8)]
    assert "fine" in text(page(dave, VERSIONS))


def test_headings_sort_and_say_so(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 0.2, 0.1, 0.3)
    shown = page(dave, VERSIONS)
    assert shown.count("aria-sort") == shown.count('aria-sort="descending"') == 1
    shown = page(dave, VERSIONS + link(shown, "loss"))
    assert numbers(shown) == [3, 1, 2]
    shown = page(dave, VERSIONS + link(shown, "loss"))
    assert numbers(shown) == [2, 1, 3]
    assert 'aria-sort="ascending"' in shown
    shown = page(dave, VERSIONS + link(page(dave, VERSIONS), "Version"))
    assert numbers(shown) == [1, 2, 3]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"branch": "wide"}, [[5, 3], [1]]),
        ({"author": "alice"}, [[5]]),
        ({"metric:loss__lt": "0.25"}, [[2, 1]]),
        ({"order_by": "number"}, [[1, 2], [3, 4], [5]]),
        ({"order_by": "metric:loss"}, [[1, 2], [3, 4], [5]]),
        ({"order_by": "-metric:loss", "branch": "main"}, [[4, 2], [1]]),
        ({}, [[5, 4], [3, 2], [1]]),
    ],
)
def test_pages_lead_on_and_back(
    cast: Cast, model: RegisteredModel, dave: Client, monkeypatch, query: dict[str, str], expected: list[list[int]]
) -> None:
    monkeypatch.setattr("registry.web.history.ROWS", 2)
    trials(cast, model, 0.1, 0.2)
    Ref.objects.create(model=model, kind="branch", name="wide", version=model.versions.get(number=1))
    trials(cast, model, 0.3, branch="wide")
    trials(cast, model, 0.4)
    trials(cast, model, 0.5, branch="wide", by="alice")
    shown = page(dave, VERSIONS, **query)
    found = [numbers(shown)]
    while 'rel="next"' in shown:
        address = html.unescape(re.search(r'rel="next" href="([^"]*)"', shown)[1])
        shown = page(dave, VERSIONS + address)
        found.append(numbers(shown))
    assert found == expected
    if len(found) > 1:
        back = html.unescape(re.search(r'rel="prev" href="([^"]*)"', shown)[1])
        assert numbers(page(dave, VERSIONS + back)) in (expected[-2], expected[0])


def test_a_condition_is_added_and_taken_away_again(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 0.1, 0.2, 0.3)
    form = {"condition-name": "loss", "condition-operator": "gte", "condition-value": " 0.2 "}
    response = dave.get(VERSIONS, {"metric": "loss", "order_by": "number", "before": "3", **form})
    assert response["Location"] == f"{VERSIONS}?metric=loss&order_by=number&metric%3Aloss__gte=0.2"
    shown = page(dave, response["Location"])
    assert numbers(shown) == [2, 3]
    assert "loss ≥ 0.2" in text(shown)
    without = re.search(r'<a href="([^"]*)"><svg.*?Take the filter', shown)
    assert numbers(page(dave, VERSIONS + html.unescape(without[1]))) == [1, 2, 3]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (("loss", "lt", "small"), "no finite number"),
        (("", "lt", "1"), "Give the name of a metric and a value."),
        (("loss", "lt", ""), "Give the name of a metric and a value."),
        (("loss", "like", "1"), "is none of"),
        (("x" * 300, "lt", "1"), "1 to 200 characters"),
    ],
)
def test_a_condition_that_is_none_is_refused_beside_the_field(
    cast: Cast, model: RegisteredModel, dave: Client, form: tuple[str, str, str], said: str
) -> None:
    trials(cast, model, 0.1)
    query = dict(zip(("condition-name", "condition-operator", "condition-value"), form, strict=True))
    shown = page(dave, VERSIONS, **query)
    assert said in text(shown)
    assert numbers(shown) == [1]


def test_ticked_versions_are_compared(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 0.1, 0.2, 0.3)
    response = dave.get(VERSIONS, {"selected": ["3", "1", "3", "x"], "order_by": "number"})
    assert response["Location"] == f"{MODEL}compare/?versions=1,3"
    response = dave.get(VERSIONS, {"selected": ["3"], "order_by": "number"}, follow=True)
    assert response.redirect_chain == [(f"{VERSIONS}?order_by=number", 302)]
    assert "Tick 2 to 20 versions" in text(response.content.decode())


def test_empty_states_say_the_next_step(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    bob = Client()
    bob.force_login(cast.bob)
    for address in (VERSIONS, GRAPH, METRICS):
        assert "No versions yet" in page(dave, address)
        assert "lmvp publish vision/classifier" in page(bob, address)
    version(cast, model)
    assert "No metrics yet" in page(dave, VERSIONS)
    said = text(page(dave, METRICS))
    for words in ("lmvp.log_metrics", "lmvp log vision/classifier@latest", "curl -H", "/versions/latest/metrics/"):
        assert words in said
    assert "No version is like this" in page(dave, VERSIONS, author="nobody")
    trials(cast, model, 0.5)
    assert "No version has “f1”" in text(page(dave, METRICS, metric="f1"))


def test_trashed_versions_are_in_no_list_and_without_words_in_the_graph(
    cast: Cast, model: RegisteredModel, dave: Client
) -> None:
    for number in range(3):
        version(cast, model, message=f"secret{number}", metrics={"loss": number + 1.0})
    Version.objects.filter(number=2).update(trashed_at=timezone.now())
    assert numbers(page(dave, VERSIONS)) == [3, 1]
    for address in (VERSIONS, GRAPH, METRICS):
        assert "secret1" not in page(dave, address)
    assert "v2, in the trash" in page(dave, GRAPH)
    assert [point[0] for point in chart(page(dave, METRICS))["series"][0]["points"]] == [1, 3]


# --- The graph


def test_graph_draws_a_merge_and_names_the_parents(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 1.0)
    trials(cast, model, 5.0, branch="wide")
    trials(cast, model, 1.0)
    merging.merge(actor=cast.bob, model=model, source="wide", target="main", resolve={"a": "source"})
    shown = page(dave, GRAPH)
    assert re.findall(r'<li id="v(\d+)"', shown) == ["4", "3", "2", "1"]
    said = text(shown)
    assert "Merges v3 and v2" in said
    assert "A first version" in said
    assert "M14 22C14 33 28 33 28 44" in shown  # from the merge to its second parent's lane
    assert "M28 0C28 11 14 11 14 22" in shown  # and that one's way back to where it began


def test_graph_goes_on_over_pages(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 1.0)
    head = longer(model, GRAPH_ROWS + 300)
    shown = page(dave, GRAPH)
    assert shown.count("<li id=") == GRAPH_ROWS
    older = page(dave, GRAPH + html.unescape(re.search(r'rel="next" href="([^"]*)"', shown)[1]))
    first = re.search(r'<li id="v(\d+)".*?</li>', older, re.DOTALL)
    assert int(first[1]) == head.number - GRAPH_ROWS
    assert "M14 0V22" in first[0]  # the line comes in from the page before
    assert "dashed" in text(older)
    assert "Goes on with" not in text(older)


def test_graph_says_where_a_line_goes_on_that_began_far_above(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 1.0)
    head = longer(model, 400)
    link = Version.parent_links.rel.related_model
    link.objects.create(version=head, parent=model.versions.get(number=3), position=1)
    shown = page(dave, GRAPH, before=40)
    row = re.search(r'<li id="v3".*?</li>', shown, re.DOTALL)[0]
    assert f"Goes on with v{head.number}" in text(row)
    assert "cut" in row


# --- Metrics over versions


def chart(page: str, which: int = 0) -> Any:
    return json.loads(re.findall(r'<script type="application/json">(.*?)</script>', page)[which])


def test_a_metric_over_all_versions(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 0.3, 0.1)
    version(cast, model, metrics={"other": 1.0})
    trials(cast, model, 0.2)
    shown = page(dave, METRICS, metric="loss")
    data = chart(shown)
    assert (data["kind"], data["y"], data["address"]) == ("lines", "loss", f"{VERSIONS}{{x}}/")
    assert data["series"] == [{"name": "loss", "points": [[1, 0.3], [2, 0.1], [4, 0.2]]}]
    said = text(shown)
    assert "Highest 0.3 in v1" in said
    assert "Lowest 0.1 in v2" in said
    assert "loss of 3 versions" in said
    assert re.findall(r'<th scope="row"><a[^>]*>v(\d+)', shown) == ["4", "2", "1"]


def test_several_metrics_each_have_a_chart_and_a_column(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    version(cast, model, metrics={"loss": 0.5, "f1": 0.75, "note": "good"})
    shown = page(dave, METRICS, metric=["loss", "f1", "note", "more"])
    assert [chart(shown, which)["y"] for which in (0, 1)] == ["loss", "f1"]
    assert "v1 0.5 highest 0.75 good" in text(shown)


def test_a_branch_alone(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 0.3)
    trials(cast, model, 0.1, branch="wide")
    trials(cast, model, 0.2)
    shown = page(dave, METRICS, branch="wide")
    assert chart(shown)["series"][0]["points"] == [[1, 0.3], [2, 0.1]]
    assert "Lowest 0.1 in v2" in text(shown)
    assert re.findall(r'<th scope="row"><a[^>]*>v(\d+)', shown) == ["2", "1"]
    main = page(dave, METRICS, branch="main")
    assert "Lowest 0.2 in v3" in text(main)


def test_parameters_stand_against_the_metric(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    for number, rate in enumerate((0.1, 0.01, 0.1)):
        metadata = {"lr": rate, "net": {"wide": bool(number)}, "same": 1, "list": [1], "huge": 10**400, "nothing": None}
        version(cast, model, metadata=metadata, metrics={"loss": number + 1.0})
    shown = page(dave, METRICS)
    data = chart(shown, 1)
    assert data["kind"] == "parallel"
    assert data["names"] == ["v3", "v2", "v1"]
    assert data["axes"] == [
        {"name": "lr", "values": [0.1, 0.01, 0.1]},
        {"name": "net.wide", "values": ["true", "true", "false"]},
        {"name": "loss", "values": [3.0, 2.0, 1.0]},
    ]
    assert "v2 0.01 true 2" in text(shown)
    chosen = chart(page(dave, METRICS, axis=["same", "unknown"]), 1)
    assert [axis["name"] for axis in chosen["axes"]] == ["same", "loss"]


def test_long_histories_are_thinned_as_by_the_api(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    trials(cast, model, 1.0)
    longer(model, 1500)
    rows = model.versions.exclude(number=1)
    Metric.objects.bulk_create(
        Metric(version=one, model=model, name="loss", value=one.number * 7919 % 101, latest=True, author=cast.bob)
        for one in rows
    )
    Version.objects.filter(number__in=[2, 700, 701]).update(trashed_at=timezone.now())
    whole = Metric.objects.latest_of(model, "loss")
    ids = dict(model.versions.values_list("pk", "number"))
    for most in (2, 3, 4, 5, 50, 400, 1498, 2000):
        expected = whole.series("version_id", most=most)
        found = Metric.objects.over_versions(model, "loss", most=most)
        assert found.total == expected.total == 1498
        assert list(found.points) == [(ids[one], value) for one, value in expected.points]
    assert "1,498 versions; 400 of them drawn" in re.sub(r"; \d+ of", "; 400 of", text(page(dave, METRICS)))


def test_only_the_first_of_long_charts_comes_with_the_page(cast: Cast, model: RegisteredModel, dave: Client) -> None:
    version(cast, model, metrics={"loss": 1.0, "f1": 9.0, "accuracy": 0.75})
    longer(model, 1000)
    Metric.objects.bulk_create(
        Metric(version=one, model=model, name=name, value=one.number % 7, latest=True, author=cast.bob)
        for one in model.versions.exclude(number=1)
        for name in ("loss", "f1")
    )
    shown = page(dave, METRICS, metric=["loss", "f1", "accuracy"])
    assert len(chart(shown)["series"][0]["points"]) > 100
    assert chart(shown, 1)["series"] == [{"name": "f1", "points": []}]
    assert chart(shown, 2)["series"] == [{"name": "accuracy", "points": [[1, 0.75]]}]
    last = model.versions.latest("number").number // 7 * 7
    assert f"f1 Highest 9 in v1 Lowest 0 in v{last}" in text(shown)
    fetched = dave.get(chart(shown, 1)["source"]).json()
    whole = chart(page(dave, METRICS, metric="f1"))["series"][0]["points"]
    assert [[one["version"], one["value"]] for one in fetched["points"]] == whole


def test_ends_of_a_thinned_chart_are_the_newest_versions_with_them(
    cast: Cast, model: RegisteredModel, dave: Client
) -> None:
    trials(cast, model, 1.0)
    longer(model, 1000)
    rows = model.versions.exclude(number=1)
    Metric.objects.bulk_create(
        Metric(version=one, model=model, name="loss", value=one.number % 4, latest=True, author=cast.bob)
        for one in rows
    )
    newest = model.versions.latest("number").number
    highest, lowest = (next(n for n in range(newest, 0, -1) if n % 4 == value) for value in (3, 0))
    Version.objects.filter(number=highest).update(trashed_at=timezone.now())
    said = text(page(dave, METRICS))
    assert f"Highest 3 in v{highest - 4}" in said
    assert f"Lowest 0 in v{lowest}" in said


# --- At size


@pytest.mark.parametrize(
    ("address", "most"),
    [
        (VERSIONS, 11),
        (f"{VERSIONS}?branch=main", 14),
        (f"{VERSIONS}?order_by=-metric:loss&metric=loss&metric=f1", 12),
        (f"{VERSIONS}?metric:loss__gt=0&author=bob", 13),
        (GRAPH, 10),
        (METRICS, 21),
        (f"{METRICS}?branch=main", 14),
    ],
)
def test_queries_do_not_grow_with_the_versions(
    cast: Cast, model: RegisteredModel, dave: Client, address: str, most: int
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert dave.get(address).status_code == 200
        return len(captured)

    def grow(few: int) -> None:
        for number in range(few):
            metadata = {"lr": number / 10}
            version(
                cast,
                model,
                branch="main",
                metadata=metadata,
                metrics={"loss": number + 1.0, "f1": 0.5},
                tag=f"t{model.versions.count()}",
            )

    grow(3)
    few = count()
    grow(9)
    assert count() == few <= most
