"""The pages of a project's lineage trees: roots by hierarchy, one artifact with what stands around it."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.test import Client

from registry import storage
from registry.models import Artifact
from registry.services.artifacts import record_artifact
from registry.services.hierarchies import create_hierarchy
from registry.services.projects import create_project
from registry.services.recordings import Content, Recording
from registry.services.registered_models import create_model
from tests.cast import Cast, publish, send
from tests.reading import text_of

pytestmark = pytest.mark.django_db

ROOTS = "/vision/-/artifacts/"
BAD = '<script>alert("x")</script>'
FRAME = "application/vnd.chapkit.dataframe+json"


@pytest.fixture
def hierarchy(cast: Cast):
    labels = {"0": "experiment", "1": "model", "2": "predictions"}
    return create_hierarchy(actor=cast.bob, project=cast.project, name="ml_pipeline", level_labels=labels)


def record(cast: Cast, data: dict[str, Any], parent: Artifact | None = None, **more: Any) -> Artifact:
    place = {"parent_id": parent.pk} if parent else {"project": "vision", "hierarchy": more.pop("hierarchy", None)}
    return record_artifact(actor=cast.bob, recording=Recording(data=data, **place, **more))


def run(status: str = "success", **more: Any) -> dict[str, Any]:
    about = {"status": status, "config_id": "hidden-64", "started_at": "2026-03-01T09:00:00Z", **more}
    return {"type": "ml_training", "metadata": about}


def shown(user, address: str, status: int = 200) -> str:
    client = Client()
    client.force_login(user)
    response = client.get(address)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def test_a_project_without_trees_says_how_the_first_one_is_recorded(cast: Cast) -> None:
    text = text_of(shown(cast.dave, ROOTS))
    assert "No lineage trees here yet" in text
    assert "http://testserver/v1/artifacts/" in text
    assert '"project": "vision"' in text
    assert "Recording takes the role contributor." in text
    assert "Recording takes" not in text_of(shown(cast.bob, ROOTS))


def test_roots_are_listed_by_hierarchy(cast: Cast, hierarchy) -> None:
    root = record(cast, {"name": "Digits, autumn"}, hierarchy="ml_pipeline")
    record(cast, run(), root)
    record(cast, {"name": "free"})
    text = text_of(shown(cast.dave, ROOTS))
    assert "experiment → model → predictions" in text
    assert "experiment Digits, autumn" in text
    assert "level 0 free" in text
    assert "hidden-64" not in text
    chosen = text_of(shown(cast.dave, f"{ROOTS}?hierarchy=ml_pipeline"))
    assert "Digits, autumn" in chosen
    assert "free" not in chosen
    shown(cast.dave, f"{ROOTS}?hierarchy=nothing", 404)


def test_many_roots_come_by_pages(cast: Cast) -> None:
    for n in range(60):
        record(cast, {"name": f"root-{n:02}"})
    page = shown(cast.dave, ROOTS)
    assert "root-59" in page
    assert "root-09" not in page
    older = html.unescape(re.search(r'rel="next" href="([^"]+)"', page)[1])
    second = shown(cast.dave, f"{ROOTS}{older}")
    assert "root-09" in second
    assert "root-10" not in second
    newer = html.unescape(re.search(r'rel="prev" href="([^"]+)"', second)[1])
    assert "root-59" in shown(cast.dave, f"{ROOTS}{newer}")


@pytest.mark.parametrize("key", ["x", "1", "0" * 26 + "0", "8" + "Z" * 25, "'; --", "ſ" * 26])
def test_a_page_that_is_none_is_refused(cast: Cast, key: str) -> None:
    record(cast, {})
    assert "There is no page before" in text_of(shown(cast.dave, f"{ROOTS}?before={key}", 400))


def test_a_run_is_shown_as_what_it_is(cast: Cast, hierarchy) -> None:
    publish(cast.alice, cast.model(), {"weights.bin": b"1"}, message="first")
    root = record(cast, {"name": "Digits"}, hierarchy="ml_pipeline")
    data = run(completed_at="2026-03-01T12:02:00Z", duration_seconds=10920, gpu="A100")
    model = record(cast, data, root, version="vision/classifier@1")
    page = shown(cast.dave, f"{ROOTS}{model.pk}/")
    text = text_of(page)
    for words in (
        "Training run success",
        "Config hidden-64",
        "2026-03-01 09:00:00 UTC",
        "3 h 2 min",
        "gpu A100",
        "Level 1 of 3: experiment → model → predictions",
        "ml_pipeline experiment Digits",
        "Version vision/classifier v1",
    ):
        assert words in text, words
    assert f'href="/v1/artifacts/{model.pk}/"' in page
    assert f'href="/vision/-/artifacts/{root.pk}/"' in page
    assert "/vision/classifier/versions/1/" in page


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "generic", "metadata": [1]},
        {"type": None},
        {"name": 3, "title": ["x"]},
        {"content": None},
        {"content": {"columns": 1, "data": 2}, "content_type": FRAME},
        {"content": [[1], {"a": 1}], "content_type": "text/csv"},
        {"content": "x" * 30_000},
        {"content": 0},
        {"content": {}, "content_type": 7},
        {BAD: {BAD: [BAD]}, "name": BAD, "content": {"columns": [BAD], "data": [[BAD]]}},
        {"deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": [1, {"h": None}]}}}}}}}},
        {str(n): n for n in range(900)},
        {"name": "n" * 10_000},
        {"text": "😀 \u202e"},
    ],
)
def test_any_data_have_a_page(cast: Cast, data: dict[str, Any]) -> None:
    made = record(cast, data)
    for address in (f"{ROOTS}{made.pk}/", ROOTS):
        assert "<script>alert" not in shown(cast.dave, address)


def test_odd_metadata_of_a_run_have_a_page(cast: Cast) -> None:
    made = record(cast, run(BAD, config_id=BAD, duration_seconds=1e300, other=BAD))
    assert "<script>alert" not in shown(cast.dave, f"{ROOTS}{made.pk}/")


def test_an_inline_table_is_shown_as_one(cast: Cast) -> None:
    content = {"columns": ["city", "rain"], "data": [["Oslo", 1.5], ["Bergen", None]] * 30}
    made = record(cast, {"content": content, "content_type": FRAME})
    page = shown(cast.dave, f"{ROOTS}{made.pk}/")
    assert '<th scope="col">city</th>' in page
    assert page.count("<td>Oslo</td>") == 10
    assert "The first 20 rows." in page


@pytest.mark.parametrize(
    ("media_type", "content", "words"),
    [
        ("text/csv", b"city,rain\nOslo,110.5\n", "1 Oslo 110.5"),
        ("text/csv", b"city\n\xff\n", "It cannot be shown as a table"),
        ("application/vnd.apache.parquet", b"no parquet", "It cannot be shown as a table"),
        ("text/markdown", b"# Signing in", "# Signing in"),
        ("text/plain", b"x" * 30_000, "Only the beginning."),
        ("application/json", b'{"a": {"b": 1}}', "a b 1"),
        ("application/json", b"{", "This is not the JSON that its media type promises"),
        ("application/zip", b"PK", "It is not shown here."),
        ("text/html", BAD.encode(), BAD),
        ("application/zip", b"", "It is empty."),
    ],
)
def test_bytes_are_shown_as_what_they_are(cast: Cast, media_type: str, content: bytes, words: str) -> None:
    sha256 = send(cast.bob, cast.model(), content)
    made = record(cast, {"name": "bytes"}, content=Content(sha256, media_type))
    page = shown(cast.dave, f"{ROOTS}{made.pk}/")
    assert words in text_of(page) or words in html.unescape(page)
    assert "<script>alert" not in page
    assert f'href="/v1/artifacts/{made.pk}/$download"' in page


def test_bytes_that_are_lost_are_told_so(cast: Cast) -> None:
    sha256 = send(cast.bob, cast.model(), b"text")
    made = record(cast, {"name": "bytes"}, content=Content(sha256, "text/plain"))
    storage.path_of(sha256).unlink()
    assert "The bytes are damaged or gone." in text_of(shown(cast.dave, f"{ROOTS}{made.pk}/"))


def test_a_tree_is_shown_some_levels_down(cast: Cast) -> None:
    chain = [record(cast, {"name": "level-0"})]
    for n in range(1, 7):
        chain.append(record(cast, {"name": f"level-{n}"}, chain[-1]))
    page = shown(cast.dave, f"{ROOTS}{chain[0].pk}/")
    assert "level-3" in page
    assert "level-4" not in page
    assert f'href="{ROOTS}{chain[3].pk}/#below"' in page
    deep = text_of(shown(cast.dave, f"{ROOTS}{chain[6].pk}/"))
    assert "level 0 level-0 level 1 level-1 level 2 level-2" in deep
    assert "Nothing stands below it." in deep


def test_a_wide_tree_is_cut_and_says_so(cast: Cast) -> None:
    root = record(cast, {"name": "root"})
    for n in range(203):
        record(cast, {"name": f"child-{n}"}, root)
    page = shown(cast.dave, f"{ROOTS}{root.pk}/")
    assert page.count(">child-") == 200
    assert "Only the first 200 are shown" in page


def test_queries_do_not_grow_with_the_tree(cast: Cast, hierarchy, django_assert_max_num_queries) -> None:
    publish(cast.alice, cast.model(), {"weights.bin": b"1"}, message="first")
    root = record(cast, {"name": "root"}, hierarchy="ml_pipeline")
    for _ in range(4):
        model = record(cast, run(), root, version="vision/classifier@1")
        for _ in range(3):
            record(cast, {"name": "p"}, model)
    client = Client()
    client.force_login(cast.dave)
    with django_assert_max_num_queries(9):
        assert client.get(f"{ROOTS}{root.pk}/").status_code == 200
    with django_assert_max_num_queries(8):
        assert client.get(ROOTS).status_code == 200


def test_an_artifact_of_another_project_is_not_here(cast: Cast) -> None:
    made = record(cast, {"name": "x"})
    create_project(actor=cast.alice, name="other")
    shown(cast.alice, f"/other/-/artifacts/{made.pk}/", 404)
    shown(cast.charlie, f"{ROOTS}{made.pk}/", 404)
    for name in ("nothing", "0" * 26, made.pk[:-1], "%00"):
        shown(cast.alice, f"{ROOTS}{name}/", 404)
    shown(cast.alice, f"{ROOTS}{made.pk.lower()}/")


def test_a_version_that_one_may_not_see_is_not_named(cast: Cast) -> None:
    secret = create_project(actor=cast.alice, name="secret")
    publish(cast.alice, create_model(actor=cast.alice, project=secret, name="base"), {"a": b"1"})
    recording = Recording(data={"name": "x"}, project="vision", version="secret/base@1")
    made = record_artifact(actor=cast.alice, recording=recording)
    assert "secret" not in shown(cast.dave, f"{ROOTS}{made.pk}/")
    assert "secret" not in shown(cast.dave, ROOTS)
    assert "secret/base v1" in shown(cast.alice, f"{ROOTS}{made.pk}/")


def test_the_data_are_there_as_json_too(cast: Cast) -> None:
    data = {"b": 1, "a": [1.50, "é"]}
    made = record(cast, data)
    raw = re.search(r'aria-label="The data as JSON"><code>(.*?)</code>', shown(cast.dave, f"{ROOTS}{made.pk}/"), re.S)
    assert json.loads(html.unescape(raw[1])) == data
