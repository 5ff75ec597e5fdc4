"""The first page of a model: its card, files, names and figures, and the way to a first version."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from registry.models import Event, RegisteredModel, Version, Visibility
from registry.services.deprecation import deprecate_version
from registry.services.metrics import Measured
from registry.services.projects import update_project
from registry.services.refs import Move, create_ref, set_ref
from registry.services.registered_models import create_model, update_model
from registry.storage import key_of
from tests.cast import Cast, publish
from tests.reading import browser_of, text_of

pytestmark = pytest.mark.django_db
HOME = "/vision/classifier/"
EVIL = "<script>alert(1)</script>"
CARD = b"""---
license: mit
tags: [digits, "<b>bold</b>"]
datasets: vision/mnist
---
# Digits

See [how](docs/how.md), <script>alert(1)</script>.
"""


def get(user, address: str = HOME, status: int = 200):
    response = browser_of(user).get(address)
    assert response.status_code == status, response
    return response


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    """Three versions; production is the first."""
    model = cast.model()
    publish(
        cast.alice, model, {"README.md": CARD, "docs/how.md": b"#", "w.bin": b"1"}, message="first", alias="production"
    )
    publish(cast.bob, model, {"w.bin": b"22"}, message="second\n\nmore")
    publish(cast.alice, model, {"data/a.csv": b"a"}, message="third")
    return model


def test_the_page_of_a_model(cast, model) -> None:
    response = get(cast.dave)
    page, text = response.content.decode(), text_of(response)
    assert '<h2 id="text-digits">Digits</h2>' in page
    assert '<a href="/vision/classifier/versions/main/files/docs/how.md">how</a>' in page
    assert "<script>alert" not in page
    assert "<b>bold" not in page
    assert "License mit Datasets vision/mnist Tags digits <b>bold</b>" in text
    assert "production v1" in text
    assert "ago by alice" in text or "just now by alice" in text
    assert re.search(r"docs \(directory\) v1 first", text)
    assert re.search(r"data \(directory\) v3 third", text)
    assert re.search(r"w\.bin v2 second .* 2 bytes", text)
    assert "1 branch" in text
    assert 'href="/v1/projects/vision/models/classifier"' in page or "/v1/projects/vision/models/classifier/" in page


def test_what_is_downloaded_is_production_where_that_is_there(cast, model) -> None:
    text = text_of(get(cast.dave))
    assert 'lmvp.download("vision/classifier", revision="production")' in text
    assert "production, now v1" in text
    assert "lmvp download vision/classifier@production" in text
    assert (
        '$LMVP_TOKEN" "http://testserver/v1/projects/vision/models/classifier/versions/production/archive/?format=tar"'
        in text
    )
    assert 'revision="2")' in text_of(get(cast.dave, f"{HOME}?revision=2"))


def test_the_snippets_name_the_server_as_it_is_reached(cast, model, settings) -> None:
    assert 'server="http://testserver"' in text_of(get(cast.dave))
    settings.LMVP_URL = "https://testserver"  # behind a proxy that ends TLS
    assert 'server="https://testserver"' in text_of(get(cast.dave))


def test_a_public_model_needs_no_token(cast, model) -> None:
    update_project(actor=cast.alice, project=cast.project, visibility=Visibility.PUBLIC)
    response = Client().get(HOME)
    assert "LMVP_TOKEN" not in text_of(response)
    assert response.status_code == 200


def test_another_revision_is_shown_with_its_files(cast, model) -> None:
    response = get(cast.dave, f"{HOME}?revision=production")
    text = text_of(response)
    assert "This is production, v1. To the newest version" in text
    assert "data (directory)" not in text
    assert "/versions/production/tree/docs" in response.content.decode()
    assert "format=json" in response.content.decode()


@pytest.mark.parametrize("revision", ["nope", "99", "0" * 64, "x" * 10_000, EVIL, "a b", "999999999999"])
def test_an_unknown_revision_is_told(cast, model, revision: str) -> None:
    response = browser_of(cast.dave).get(HOME, {"revision": revision})
    assert response.status_code == 404
    assert EVIL not in response.content.decode()


def test_nul_is_the_name_of_nothing(cast, model) -> None:
    assert browser_of(cast.dave).get(f"{HOME}?revision=%00").status_code == 404


def test_hostile_words_are_words(cast) -> None:
    model = create_model(actor=cast.alice, project=cast.project, name="classifier", description=EVIL * 20)
    version = publish(
        cast.alice,
        model,
        {f"{EVIL[:-9]}.txt": b"1", "ä b#?.txt": b"2"},
        message=EVIL + "x" * 9_900,
        alias="production",
    )
    set_ref(actor=cast.alice, model=model, move=Move("alias", "production", "1", comment=f'"{EVIL}'))
    deprecate_version(actor=cast.alice, version=version, reason=f'"{EVIL}')
    response = get(cast.dave)
    page = response.content.decode()
    assert "<script>" not in page
    assert "v1 is deprecated: &quot;&lt;script&gt;" in page
    assert "/versions/main/files/%C3%A4%20b%23%3F.txt" in page
    assert len(page) < 60_000


def test_a_former_name_leads_to_the_model(cast, model) -> None:
    update_model(actor=cast.alice, model=model, name="digits")
    response = browser_of(cast.dave).get(f"{HOME}?revision=1")
    assert (response.status_code, response.url) == (301, "/vision/digits/?revision=1")


@pytest.mark.parametrize("kind", ["model", "dataset", "config"])
def test_an_empty_model_says_how_to_publish(cast, kind: str) -> None:
    create_model(actor=cast.alice, project=cast.project, name="classifier", kind=kind)
    text = text_of(get(cast.bob))
    assert "Publish the first version" in text
    assert 'lmvp.publish("vision/classifier", "' in text
    assert "lmvp publish vision/classifier" in text
    assert "http://testserver/v1/projects/vision/models/classifier/versions/" in text
    assert ("accuracy" in text) == (kind == "model")
    assert "Publish the first version" not in text_of(get(cast.dave))
    assert f"This {kind} was made" in text_of(get(cast.dave))


def test_a_model_whose_default_branch_has_no_version_shows_the_newest(cast) -> None:
    publish(cast.alice, cast.model(), {"w.bin": b"1"}, message="aside", branch="other")
    text = text_of(get(cast.dave))
    assert "aside" in text
    assert "lmvp download vision/classifier@1" in text


def test_a_model_without_a_card_says_what_one_is(cast) -> None:
    publish(cast.alice, cast.model(), {"w.bin": b"1", "readme/README.md": b"# no"})
    assert "No card yet" in text_of(get(cast.dave))


def test_front_matter_that_cannot_be_read_is_told(cast) -> None:
    publish(cast.alice, cast.model(), {"README.md": b"---\na: &a 1\n---\n# hi\n"})
    assert "anchors and aliases are not read" in text_of(get(cast.dave))


@pytest.mark.parametrize("license", ["[[[1]]]", "{a: b}", "null", "''", "[" + "x, " * 500 + "y]", "x" * 5000])
def test_odd_front_matter_does_no_harm(cast, license: str) -> None:
    publish(cast.alice, cast.model(), {"README.md": f"---\nlicense: {license}\n---\n# hi\n".encode()})
    assert len(get(cast.dave).content) < 60_000


def test_a_card_whose_bytes_are_lost_leaves_the_page(cast, model, settings) -> None:
    digest = re.search(
        r'"digest":"(\w+)"',
        browser_of(cast.dave).get("/v1/projects/vision/models/classifier/versions/3/card/").content.decode(),
    )
    (settings.LMVP_DATA_DIR / "blobs" / key_of(digest[1])).unlink()
    assert "damaged or missing" in text_of(get(cast.dave))


def test_reading_a_private_card_is_told_once(cast, model) -> None:
    get(cast.dave)
    get(cast.dave)
    told = Event.objects.filter(action="version.downloaded")
    assert [(event.actor.username, event.subject) for event in told] == [("dave", "vision/classifier v3")]


def test_what_it_was_made_from_is_named(cast, model) -> None:
    dataset = create_model(actor=cast.alice, project=cast.project, name="mnist", kind="dataset")
    publish(cast.alice, dataset, {"a": b"1"})
    publish(cast.alice, model, {"w.bin": b"3"}, derived_from=["vision/mnist@1"])
    assert "Made from vision/mnist v1" in text_of(get(cast.dave))


def test_a_newest_version_without_metrics_shows_those_of_the_newest_that_has_some(cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"}, metrics=[Measured("loss", 0.5)])
    publish(cast.bob, model, {"a": b"2"}, metrics=[Measured("loss", 0.25)], branch="wide")
    assert "Metrics of v1 loss 0.5" in text_of(get(cast.dave))  # the default branch has its own
    publish(cast.bob, model, {"a": b"3"}, branch="main")
    page = get(cast.dave)
    assert "Metrics of v2 The newest that has some; v3 has none. loss 0.25" in text_of(page)
    assert f'Metrics of <a href="{HOME}versions/2/">v2</a>' in page.content.decode()
    Version.objects.filter(number=2).update(trashed_at=timezone.now())
    assert "Metrics of v1 The newest that has some; v3 has none. loss 0.5" in text_of(get(cast.dave))
    assert "Metrics of v3 None logged." in text_of(get(cast.dave, f"{HOME}?revision=3"))
    Version.objects.filter(number=1).update(trashed_at=timezone.now())
    assert "Metrics of v3 None logged." in text_of(get(cast.dave))


def test_as_many_queries_for_much_as_for_little(cast, django_assert_num_queries) -> None:
    little = create_model(actor=cast.alice, project=cast.project, name="little")
    publish(cast.alice, little, {"README.md": b"#", "a": b"1"}, alias="production")
    much = create_model(actor=cast.alice, project=cast.project, name="much")
    for number in range(8):
        publish(cast.alice, much, {"README.md": b"#", **{f"d{number}/{n}": b"%d" % n for n in range(30)}})
    for number in range(12):
        create_ref(actor=cast.alice, model=much, move=Move("tag", f"t.{number}", "1"))
        create_ref(actor=cast.alice, model=much, move=Move("alias", f"a.{number}", str(number % 8 + 1)))
    set_ref(actor=cast.alice, model=much, move=Move("alias", "production", "8"))
    client = browser_of(cast.dave)
    for name in ("little", "much"):
        client.get(f"/vision/{name}/")  # tells the download
    with django_assert_num_queries(QUERIES):
        client.get("/vision/little/")
    with django_assert_num_queries(QUERIES):
        client.get("/vision/much/")


QUERIES = 20  # two for the metrics of an older version: this one has none
