"""Whatever stands in a file or in what people write, a page shows it within bounds, and as words alone."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from registry.services.artifacts import record_artifact
from registry.services.metrics import Measured
from registry.services.recordings import Content, Recording
from tests.cast import publish, send

pytestmark = pytest.mark.django_db

SCRIPT = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
MOST_OF_A_PAGE = 4 * 2**20  # bytes


@pytest.fixture
def client(cast) -> Client:
    client = Client()
    client.force_login(cast.alice)
    return client


FILES = {
    "surrogate.json": rb'{"a": "\ud800"}',
    "surrogate_key.json": rb'{"\udfff": 1}',
    "deep.json": b"[" * 100 + b"1" + b"]" * 100,
    "deeper.json": b"[" * 5000 + b"]" * 5000,
    "bomb.json": b"[" * 400 + b"1," * 100_000 + b"1" + b"]" * 400,
    "large.json": b"[" + b"1," * 100_000 + b"1]",
    "wide.csv": ",".join(f"column{n}" for n in range(10_000)).encode() + b"\n" + b"1," * 9_999 + b"1\n",
    "surrogate.md": b'---\na: "\\ud800"\n---\n# &#xD800; &#0;\n',
    "script.md": f"---\ntitle: {json.dumps(SCRIPT)}\n---\n# {SCRIPT}\n[a](javascript:alert(1)) <svg/onload=alert(1)>".encode(),
    "script.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "script.json": json.dumps({SCRIPT: SCRIPT}).encode(),
    "script.csv": f'"{SCRIPT.replace(chr(34), chr(34) * 2)}"\n1\n'.encode(),
    "line.txt": b"a" * 300_000,
    "lines.txt": b"\n" * 300_000,
    "nested.md": (b"> " * 5000) + b"\n" + b"*" * 20_000 + b"[" * 20_000,
    "rtl.txt": "\u202egnp.exe\U0001f4a3e\u0301\u0000".encode()[:-1],
    "dates.parquet": b"PAR1 and nothing",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_shown_within_bounds(cast, client: Client, name: str) -> None:
    model = cast.model()
    publish(cast.alice, model, {name: FILES[name], "README.md": FILES[name]})
    for address in (
        f"versions/1/files/{name}",
        "",
        "versions/1/",
        "versions/1/tree/",
        f"versions/1/files/{name}?plain=1",
    ):
        response = client.get(f"/vision/classifier/{address}")
        assert response.status_code == 200, address
        assert len(response.content) < MOST_OF_A_PAGE, (address, len(response.content))
        assert b"<script>alert" not in response.content
        assert b"<img src=x" not in response.content
        assert b'javascript:alert(1)"' not in response.content


@pytest.mark.parametrize("name", FILES)
def test_a_change_of_a_file_is_shown_within_bounds(cast, client: Client, name: str) -> None:
    model = cast.model()
    publish(cast.alice, model, {name: b"a\n", "README.md": b"a"})
    publish(cast.alice, model, {name: FILES[name], "README.md": b"b"})
    for address in ("compare/1...2/", f"compare/1...2/files/{name}"):
        response = client.get(f"/vision/classifier/{address}")
        assert response.status_code == 200, address
        assert len(response.content) < MOST_OF_A_PAGE, (address, len(response.content))
        assert b"<script>alert" not in response.content


ARTIFACTS = [
    {"name": SCRIPT, "label": SCRIPT, "type": "generic", SCRIPT: SCRIPT},
    {"name": "\u202e" + "\U0001f4a3" * 5000},
    {"a": json.loads("[" * 90 + "1" + "]" * 90)},
    {"a": json.loads("[" * 90 + "1," * 30_000 + "1" + "]" * 90)},
    {
        "type": "ml_training",
        "metadata": {
            "status": "done",
            "config_id": "c",
            "started_at": "0001-01-01T00:00:00+14:00",
            "completed_at": "9999-12-31T23:59:59-14:00",
            "duration_seconds": 1e308,
        },
    },
    {"type": "ml_training", "metadata": {"status": "done", "config_id": "c", "duration_seconds": 10**300}},
    {"content": [{"a": SCRIPT, "b": [[[[1]]]]}] * 3},
    {"content": {"columns": ["a"] * 1, "data": [[10**200]]}},
    {"content": 10**3000},
]


@pytest.mark.parametrize("data", ARTIFACTS, ids=range(len(ARTIFACTS)))
def test_an_artifact_is_shown_within_bounds(cast, client: Client, data) -> None:
    found = record_artifact(actor=cast.alice, recording=Recording(data=data, project="vision"))
    for address in ("/vision/-/artifacts/", f"/vision/-/artifacts/{found.pk}/"):
        response = client.get(address)
        assert response.status_code == 200
        assert len(response.content) < MOST_OF_A_PAGE, len(response.content)
        assert b"<script>alert" not in response.content
        assert b"<img src=x" not in response.content


CONTENTS = {
    "application/json": [b'["\\ud800"]', b"[" * 900 + b"]" * 900, b"[NaN, 1e999, " + b"9" * 4000 + b"]", b"[" * 9000],
    "text/html": [SCRIPT.encode()],
    "image/svg+xml": [FILES["script.svg"]],
    "text/csv": [FILES["wide.csv"], FILES["script.csv"], b"a\n" + b'"' + b"x" * 2_000_000],
    "application/vnd.apache.parquet": [b"PAR1 and nothing"],
}


@pytest.mark.parametrize("media_type", CONTENTS)
def test_the_content_of_an_artifact_is_shown_within_bounds(cast, client: Client, media_type: str) -> None:
    model = cast.model()
    for content in CONTENTS[media_type]:
        said = Content(send(cast.alice, model, content), media_type)
        recording = Recording(data={}, project="vision", content=said)
        found = record_artifact(actor=cast.alice, recording=recording)
        response = client.get(f"/vision/-/artifacts/{found.pk}/")
        assert response.status_code == 200
        assert len(response.content) < MOST_OF_A_PAGE, len(response.content)
        assert b"<script>alert" not in response.content
        assert b"<img src=x" not in response.content


def test_what_people_write_is_words(cast, client: Client) -> None:
    model = cast.model()
    deep = json.loads("[" * 50 + "1" + "]" * 50)
    metadata = {SCRIPT: SCRIPT, "deep": deep, "wide": list(range(5000)), "a/b.c": {"": ""}}
    measured = [Measured(SCRIPT, 0.5, step) for step in range(5)] + [Measured("t", SCRIPT), Measured("huge", 1e308)]
    measured += [Measured(f"m{n}", -1e308) for n in range(300)]
    for n in range(3):
        more = {"metrics": measured, "metadata": metadata | {"n": n, "lr": [1e308, -1e308, 0][n]}}
        publish(cast.alice, model, {"a.txt": b"%d" % n}, message=SCRIPT + "a" * 9000, **more)
    for address in (
        "/",
        "/vision/",
        "/vision/-/metrics/",
        "/vision/-/activity/",
        "/search/?q=script",
        "/search/?q=script&fragment=1",
        "/vision/classifier/",
        "/vision/classifier/versions/",
        "/vision/classifier/versions/?metric=huge&metric=" + "m1&order_by=-metric:huge",
        "/vision/classifier/graph/",
        "/vision/classifier/metrics/",
        "/vision/classifier/metrics/?metric=huge&metric=m1&axis=lr&axis=n&against=huge",
        "/vision/classifier/versions/1/",
        "/vision/classifier/compare/",
        "/vision/classifier/compare/1...2/",
        "/vision/classifier/compare/?versions=1,2,3",
        "/vision/classifier/compare/?versions=1,2,3&metric=huge&against=huge",
        "/vision/classifier/refs/",
        "/vision/classifier/refs/branch/main/",
    ):
        response = client.get(address)
        assert response.status_code == 200, address
        assert len(response.content) < MOST_OF_A_PAGE, (address, len(response.content))
        assert b"<script>alert" not in response.content, address
        assert b"<img src=x" not in response.content, address
        assert b"style=" not in response.content
        assert "'unsafe" not in response["Content-Security-Policy"]
