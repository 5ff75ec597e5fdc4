"""Whatever stands in a file or in what people write, a page shows it within bounds, and as words alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from registry.services.artifacts import record_artifact
from registry.services.metrics import Measured
from registry.services.recordings import Content, Recording
from tests.cast import publish, send

pytestmark = pytest.mark.django_db

SCRIPT = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}"
UNESCAPED = (b"<script>alert", b"<img src=x", b'javascript:alert(1)"')
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


@pytest.fixture
def shelf(cast) -> dict[str, int]:
    """A version that brought each of the files, under its name and as README.md, behind one with harmless ones of all names."""
    model = cast.model()
    publish(cast.alice, model, dict.fromkeys([*FILES, "README.md"], b"a\n"))
    return {
        name: publish(cast.alice, model, {name: content, "README.md": content}).number
        for name, content in FILES.items()
    }


def faults(client: Client, address: str) -> list[tuple[str, object]]:
    """Return what is wrong with a page: how it is answered, how long it is, what of a stranger's stands in it unescaped."""
    return faults_of(client.get(address), address)


def faults_of(response: Any, address: str) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = [(address, words) for words in UNESCAPED if words in response.content]
    if response.status_code != 200:
        found.append((address, response.status_code))
    if len(response.content) >= MOST_OF_A_PAGE:
        found.append((address, len(response.content)))
    return found


def test_files_are_shown_within_bounds(shelf: dict[str, int], client: Client) -> None:
    found = []
    for name, number in shelf.items():
        version = f"/vision/classifier/versions/{number}"
        places = (f"/files/{name}", f"/files/{name}?plain=1", "/", "/tree/")
        addresses = [f"{version}{place}" for place in places] + [f"/vision/classifier/?revision={number}"]
        found += [fault for address in addresses for fault in faults(client, address)]
    assert found == []


def test_changes_of_files_are_shown_within_bounds(shelf: dict[str, int], client: Client) -> None:
    found = []
    for name, number in shelf.items():
        compared = f"/vision/classifier/compare/1...{number}/"
        for place in ("", f"files/{name}", "files/README.md"):
            found += faults(client, f"{compared}{place}")
    assert found == []


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


def test_artifacts_are_shown_within_bounds(cast, client: Client) -> None:
    kept = [record_artifact(actor=cast.alice, recording=Recording(data=data, project="vision")) for data in ARTIFACTS]
    addresses = ["/vision/-/artifacts/", *(f"/vision/-/artifacts/{one.pk}/" for one in kept)]
    assert [fault for address in addresses for fault in faults(client, address)] == []


CONTENTS = {
    "application/json": [b'["\\ud800"]', b"[" * 900 + b"]" * 900, b"[NaN, 1e999, " + b"9" * 4000 + b"]", b"[" * 9000],
    "text/html": [SCRIPT.encode()],
    "image/svg+xml": [FILES["script.svg"]],
    "text/csv": [FILES["wide.csv"], FILES["script.csv"], b"a\n" + b'"' + b"x" * 2_000_000],
    "application/vnd.apache.parquet": [b"PAR1 and nothing"],
}


def test_contents_of_artifacts_are_shown_within_bounds(cast, client: Client) -> None:
    model, found = cast.model(), []
    for content, media_type in ((one, media_type) for media_type, some in CONTENTS.items() for one in some):
        said = Content(send(cast.alice, model, content), media_type)
        kept = record_artifact(actor=cast.alice, recording=Recording(data={}, project="vision", content=said))
        found += faults(client, f"/vision/-/artifacts/{kept.pk}/")
    assert found == []


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
        assert faults_of(response, address) == []
        assert b"style=" not in response.content
        assert "'unsafe" not in response["Content-Security-Policy"]
