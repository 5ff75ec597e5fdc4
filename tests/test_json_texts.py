"""JSON on pages is as it was written, line by line; what JSON we emit every reader takes: no NaN, no Infinity."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from registry import json_texts
from registry.services.artifacts import record_artifact
from registry.services.metrics import Measured
from registry.services.recordings import Content, Recording
from tests.cast import Cast, client_of, publish, send

WITHIN = {"most": 10_000, "most_lines": 100}


def strict(text: str | bytes) -> Any:
    def refuse(said: str) -> None:
        raise AssertionError(f"{said} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    "said", ["NaN", "Infinity", "-Infinity", "[NaN]", '{"a": Infinity}', '{"a": 1, "a": 1}', "{", ""]
)
def test_what_is_no_json_is_none(said: str) -> None:
    for look in (json_texts.check, json_texts.read):
        with pytest.raises(ValueError):  # noqa: PT011  # the reader's own words
            look(said)


@pytest.mark.parametrize("said", ["1e999", "-1e999", "[1e999]"])
def test_a_number_that_would_be_infinite_is_json_but_no_value(said: str) -> None:
    json_texts.check(said)
    with pytest.raises(ValueError, match="too large"):
        json_texts.read(said)


def test_values_stand_as_they_are_spelled() -> None:
    said = r'{"a":[1e999,-0.10,1E+05,12345678901234567890.5],"\u00e4\"\\":"\ud800 {[,:]}","b":{ },"c":[ ],"d":[[],{}]}'
    expected = r"""{
  "a": [
    1e999,
    -0.10,
    1E+05,
    12345678901234567890.5
  ],
  "\u00e4\"\\": "\ud800 {[,:]}",
  "b": {},
  "c": [],
  "d": [
    [],
    {}
  ]
}"""
    assert json_texts.in_order(said, **WITHIN) == (expected, False)


@pytest.mark.parametrize(
    "value", [1, "a", None, [], {}, [[[]]], [1, [2, {"a": []}], "b"], {"a": {"b": [1, {}]}, "c": 2}]
)
def test_the_order_is_pythons(value: Any) -> None:
    assert json_texts.in_order(json.dumps(value), **WITHIN) == (json.dumps(value, indent=2), False)


def test_what_is_long_is_cut() -> None:
    text, cut = json_texts.in_order("[" * 300 + "]" * 300, **WITHIN)
    assert cut
    assert len(text) <= WITHIN["most"]
    text, cut = json_texts.in_order(json.dumps(list(range(1000))), **WITHIN)
    assert cut
    assert text.count("\n") < WITHIN["most_lines"]


# --- At the doors


HUGE = b'{"rate": 1e999, "other": -1e999, "kept": 0.10}'


@pytest.mark.django_db
def test_a_file_with_a_number_too_large_is_shown_as_it_was_written(cast: Cast) -> None:
    publish(cast.alice, cast.model(), {"a.json": HUGE, "nan.json": b'{"a": NaN}'})
    dave = Client()
    dave.force_login(cast.dave)
    view = dave.get("/vision/classifier/versions/1/files/a.json").context["view"]
    assert (view.kind, view.text.split("\n")[1:-1]) == (
        "json",
        ['  "rate": 1e999,', '  "other": -1e999,', '  "kept": 0.10'],
    )
    page = dave.get("/vision/classifier/versions/1/files/nan.json")
    assert (page.context["view"].kind, page.context["view"].text) == ("text", '{"a": NaN}')
    assert "NaN is no number of JSON" in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("content", [HUGE, b'{"a": NaN}', b"[Infinity]", b"[[[[[[[[1e999]]]]]]]]"])
def test_content_of_an_artifact_is_shown_as_it_was_written(cast: Cast, content: bytes) -> None:
    said = Content(send(cast.alice, cast.model(), content), "application/json")
    made = record_artifact(actor=cast.alice, recording=Recording(data={}, project="vision", content=said))
    dave = Client()
    dave.force_login(cast.dave)
    preview = dave.get(f"/vision/-/artifacts/{made.pk}/").context["preview"]
    assert preview.text == content.decode()
    assert preview.problem


@pytest.mark.django_db
def test_extremes_reach_every_answer_as_json(cast: Cast) -> None:
    """What is computed from the largest numbers there are may not be infinite: deltas, charts, strips."""
    model = cast.model()
    for n, value in enumerate([1.7e308, -1.7e308, 5e-324]):
        steps = [Measured("loss", value * (-1) ** step, step) for step in range(4)]
        more = {"metrics": [*steps, Measured("accuracy", value)], "metadata": {"rate": value, "n": n}}
        publish(cast.alice, model, {"a.txt": b"%d" % n}, message=str(n), **more)
    record_artifact(actor=cast.alice, recording=Recording(data={"a": [1.7e308, -5e-324]}, project="vision"))
    api, base = client_of(cast.alice), "/v1/projects/vision/models/classifier"
    answers = [
        f"{base}/versions/",
        f"{base}/versions/2/",
        f"{base}/versions/2/metrics/",
        f"{base}/compare/1...2/",
        f"{base}/compare/?versions=1,2,3",
        "/v1/artifacts/?project=vision",
        "/v1/projects/vision/events/",
    ]
    for address in answers:
        answer = api.get(address)
        assert answer.status_code == 200, address
        strict(answer.content)
    browser, place = Client(), "/vision/classifier"
    browser.force_login(cast.dave)
    charts = 0
    for address in (
        f"{place}/metrics/?metric=loss&metric=accuracy&axis=rate&axis=n&against=accuracy",
        f"{place}/versions/2/",
        f"{place}/compare/?versions=1,2,3&metric=loss&against=accuracy",
        "/vision/-/metrics/",
    ):
        page = browser.get(address)
        assert page.status_code == 200, address
        for script in re.findall(
            r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page.content.decode(), re.S
        ):
            strict(script)
            charts += 1
    assert charts >= 3
