"""The page of results and what is shown while one types: what is found, what is refused, and what stays hidden."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from registry.services.projects import create_project, update_project
from registry.services.registered_models import create_model
from tests.cast import Cast, publish
from tests.test_web_projects import words_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(cast: Cast) -> Any:
    """vision/resnet-50 with two versions and files; a project of charlie's where the same words stand."""
    update_project(actor=cast.alice, project=cast.project, description="Seeing for the nightly robots")
    model = create_model(actor=cast.alice, project=cast.project, name="resnet-50", description="Deep residuals")
    files = {"model/weights.safetensors": b"1", "Daten/Größe 東京.csv": b"333"}
    publish(cast.bob, model, files, message="Wider hidden layer\n\nbody")
    publish(cast.alice, model, {"tokenizer.json": b"4444"}, message="Fixed the hidden bug")
    hidden = create_project(actor=cast.charlie, name="elsewhere")
    publish(cast.charlie, create_model(actor=cast.charlie, project=hidden, name="resnet"), {"weights.bin": b"9"})
    return model


def visit(user: Any, *, status: int = 200, **said: Any) -> Any:
    client = Client()
    if user:
        client.force_login(user)
    response = client.get("/search/", said)
    assert response.status_code == status
    return response


def test_each_type_is_shown_with_what_tells_it_apart(cast: Cast, library: Any) -> None:
    assert "resnet-50 in vision Deep residuals model" in words_of(visit(cast.dave, q="residuals"))
    assert "vision Seeing for the nightly robots project" in words_of(visit(cast.dave, q="robots"))
    version = library.versions.get(number=1)
    page = visit(cast.dave, q="wider")
    assert "v1 in vision/resnet-50 Wider hidden layer version b bob just now " + version.digest[:10] in words_of(page)
    assert 'href="/vision/resnet-50/versions/1/"' in page.content.decode()
    assert "model/weights.safetensors in vision/resnet-50 v1 file 1 byte" in words_of(visit(cast.dave, q="safetensors"))


def test_only_what_one_may_see_is_found(cast: Cast, library: Any) -> None:
    assert "elsewhere" not in words_of(visit(cast.dave, q="resnet"))
    page = words_of(visit(None, q="resnet"))
    assert "Nothing that you may see has “resnet”" in page
    assert "Sign in to search" in page


def test_a_type_a_project_or_a_model_narrows_it(cast: Cast, library: Any) -> None:
    assert visit(cast.dave, q="hidden", type="file").context["results"] == []
    assert len(visit(cast.dave, q="hidden", type="version").context["results"]) == 2
    page = visit(cast.dave, q="hidden", project="vision", model="resnet-50")
    assert len(page.context["results"]) == 2
    assert "Only in resnet-50" in words_of(page)
    visit(cast.dave, q="hidden", project="elsewhere", status=404)
    assert visit(None, q="hidden", project="elsewhere", status=302).url.startswith("/login/?next=")


def test_nothing_asked_for_shows_how_to_ask(cast: Cast) -> None:
    for said in ({}, {"q": ""}, {"q": "   "}):
        assert "How to look" in words_of(visit(cast.dave, **said))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"q": "!!! ..."}, "Say what to look for"),
        ({"q": "x" * 10_000}, "200 characters at most"),
        ({"q": "words", "type": "<script>"}, "nothing of the type"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_beside_the_box(cast: Cast, said: dict[str, str], words: str) -> None:
    page = visit(cast.dave, status=400, **said)
    assert words in words_of(page)
    assert b"<script>" not in page.content


@pytest.mark.parametrize("q", ["<script>alert(1)</script>", "'; drop table", '% _ \\ "', "a" * 200, "東京", "“open"])
def test_hostile_words_find_nothing_and_harm_nothing(cast: Cast, library: Any, q: str) -> None:
    client = Client()
    client.force_login(cast.dave)
    for more in ({}, {"fragment": "1"}):
        response = client.get("/search/", {"q": q} | more)
        assert response.status_code in (200, 400)
        assert b"<script>alert" not in response.content


def test_nul_and_pages_that_are_none_are_refused(cast: Cast, library: Any) -> None:
    visit(cast.dave, q="a\0b", status=404)
    visit(cast.dave, q="hidden", page="minus one", status=400)
    assert visit(cast.dave, q="hidden", page="9" * 18).context["results"] == []


def test_results_come_by_pages_without_a_count(cast: Cast) -> None:
    model = cast.model()
    for number in range(30):
        publish(cast.bob, model, {"w": b"%d" % number}, message=f"trial {number}")
    first = visit(cast.dave, q="trial", type="version")
    assert len(first.context["results"]) == 25
    assert 'href="?q=trial&amp;type=version&amp;page=2"' in first.content.decode()
    second = visit(cast.dave, q="trial", type="version", page="2")
    assert [found["name"] for found in second.context["results"]] == ["v5", "v4", "v3", "v2", "v1"]
    assert 'start="26"' in second.content.decode()


def test_while_one_types_options_come_without_a_page(cast: Cast, library: Any) -> None:
    response = visit(cast.dave, q="hid", fragment="1")
    content = response.content.decode()
    assert "<html" not in content
    assert content.count('role="option"') == 3  # two versions, and the way to all results
    assert 'data-address="/vision/resnet-50/versions/2/"' in content
    assert 'data-address="/search/?q=hid"' in content
    nothing = visit(cast.dave, q="zzzz", fragment="1").content.decode()
    assert "Nothing found for “zzzz”" in nothing
    assert visit(cast.dave, q="!!", fragment="1").content.strip() == b""


def test_searching_asks_as_often_for_many_as_for_few(cast: Cast, django_assert_num_queries) -> None:
    client = Client()
    client.force_login(cast.dave)
    model = cast.model("trial")
    publish(cast.bob, model, {"trial-0": b"0"}, message="trial 0")
    client.get("/search/?q=trial")
    with CaptureQueriesContext(connection) as few:
        client.get("/search/?q=trial")
    for number in range(12):
        publish(cast.bob, cast.model(f"trial-{number}"), {f"trial-{number}": b"0"}, message=f"trial {number}")
    with django_assert_num_queries(len(few)):
        client.get("/search/?q=trial")


def test_the_twin_says_the_same_as_json(cast: Cast, library: Any) -> None:
    page = visit(cast.dave, q="hidden", type="version")
    assert 'href="/v1/search/?q=hidden&amp;type=version"' in page.content.decode()
