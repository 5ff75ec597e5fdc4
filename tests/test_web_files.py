"""The pages of single files: each is shown as what it is, within bounds, and nothing that users wrote is ever active."""

from __future__ import annotations

import html
import io
import json
import re
import shlex
from urllib.parse import urlsplit

import numpy
import pytest
from django.test import Client

from registry.models import Event, Version
from registry.services import viewing
from registry.storage import delete_blob
from tests.cast import Cast, publish
from tests.model_files import gguf, safetensors

pytestmark = pytest.mark.django_db
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63f8cfc0f01f0005000201"
    "7dd0e50000000049454e44ae426082"
)
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def dave(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.dave)
    return client


def shown(dave: Client, cast: Cast, path: str, content: bytes, query: str = ""):
    """Publish one file, and open its page."""
    version = publish(cast.alice, _model(cast), {path: content})
    answer = dave.get(f"/vision/classifier/versions/{version.number}/files/{path}{query}")
    assert answer.status_code == 200
    return answer


def _model(cast: Cast):
    return cast.project.models.first() or cast.model()


def raw(dave: Client, cast: Cast, path: str, content: bytes):
    version = publish(cast.alice, _model(cast), {path: content})
    return dave.get(f"/vision/classifier/versions/{version.number}/raw/{path}")


# --- Hostile first


@pytest.mark.parametrize("path", ["a.txt", "a.py", "a.md", "README.md", "a.json", "a.csv", "a.svg", "a.html", "a"])
def test_scripts_in_a_file_are_text(cast, dave, path) -> None:
    content = json.dumps({EVIL: EVIL}) if path == "a.json" else f"name\n{EVIL}\n" if path == "a.csv" else EVIL
    page = shown(dave, cast, path, content.encode()).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "alert" in page


@pytest.mark.parametrize("path", ["a.html", "a.svg", "a.xml", "a.js", "a.xhtml", "a"])
def test_raw_text_is_plain_and_sandboxed(cast, dave, path) -> None:
    answer = raw(dave, cast, path, f"<svg xmlns='http://www.w3.org/2000/svg'>{EVIL}</svg>".encode())
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"].startswith("inline")


def test_what_is_neither_text_nor_picture_is_downloaded(cast, dave) -> None:
    answer = raw(dave, cast, "a.pdf", b"%PDF-1.7\0\xff")
    assert (answer.status_code, answer.url) == (302, "/v1/projects/vision/models/classifier/versions/1/files/a.pdf")
    assert dave.get(answer.url)["Content-Disposition"].startswith("attachment")


def test_a_picture_that_is_a_page_too_stays_a_picture(cast, dave) -> None:
    answer = raw(dave, cast, "a.html", b"GIF89a<html><script>alert(1)</script>")
    assert answer["Content-Type"] == "image/gif"
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        ("a.safetensors", b"\xff" * 8 + b"{}", "cannot be read"),
        ("a.gguf", b"GGUF" + b"\xff" * 100, "cannot be read"),
        ("a.npy", b"\x93NUMPY\x01\x00\xff\xff", "cannot be read"),
        ("a.parquet", b"PAR1 no table PAR1", "cannot be read as a table"),
        ("a.csv", b"a,b\n1,2,3\n", "cannot be read as a table"),
        ("a.csv", b'a,b\n"never closed', "cannot be read as a table"),
        ("a.csv", b"a,a\n1,2\n", "two columns have the same name"),
        ("a.json", b'{"a": 1, "a": 2}', "no JSON that can be put in order"),
        ("a.json", b"[" * 200_000, "no JSON that can be put in order"),
        ("a.json", b"{", "no JSON that can be put in order"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_shown_as_it_is(cast, dave, path, content, problem) -> None:
    answer = shown(dave, cast, path, content)
    assert problem in answer.content.decode()
    assert answer.context["view"].kind in ("text", "binary")


def test_a_long_text_is_shown_to_its_beginning(cast, dave) -> None:
    answer = shown(dave, cast, "a.log", b"x" * (viewing.MOST_TEXT + 1))
    assert len(answer.context["view"].text) == viewing.MOST_TEXT
    assert "Only the beginning is shown" in answer.content.decode()
    many = shown(dave, cast, "b.log", b"\n" * 100_000)
    assert many.context["view"].text.count("\n") < viewing.MOST_LINES


def test_a_character_cut_in_two_is_left_out(cast, dave) -> None:
    answer = shown(dave, cast, "a.txt", b"x" + "ä".encode() * viewing.MOST_TEXT)
    assert "\ufffd" not in answer.context["view"].text


@pytest.mark.parametrize("query", ["?from=-1", "?from=x", "?from=99999999999", "?from=10000"])
def test_a_row_that_is_none_is_refused(cast, dave, query) -> None:
    publish(cast.alice, _model(cast), {"a.csv": b"n\n" + b"1\n" * 20})
    assert dave.get(f"/vision/classifier/versions/1/files/a.csv{query}").status_code == 400


def test_lost_bytes_are_said(cast, dave) -> None:
    version = publish(cast.alice, _model(cast), {"a.txt": b"soon gone"})
    delete_blob(version.model.occurrences.get(path="a.txt").digest)
    page = dave.get("/vision/classifier/versions/1/files/a.txt")
    assert page.status_code == 200
    assert "damaged or missing" in page.content.decode()


@pytest.mark.parametrize("path", ["nothing.txt", "a.txt/below", "%00", "..", "a.txt%0a"])
def test_a_path_that_is_not_there_is_not_found(cast, dave, path) -> None:
    publish(cast.alice, _model(cast), {"a.txt": b"1"})
    assert dave.get(f"/vision/classifier/versions/1/files/{path}").status_code == 404
    assert dave.get(f"/vision/classifier/versions/1/raw/{path}").status_code == 404


# --- As what it is


def test_text_is_coloured_with_numbered_lines(cast, dave) -> None:
    page = shown(dave, cast, "train.py", b"import lmvp\n\nx = 1\n").content.decode()
    assert '<span class="kn">import</span>' in page
    assert 'id="L3"' in page
    assert 'id="L4"' not in page


def test_json_is_put_in_order_and_shown_as_it_is_on_request(cast, dave) -> None:
    content = b'{"b":[1,2],"a":"\xc3\xa4"}'
    assert (
        shown(dave, cast, "a.json", content).context["view"].text == '{\n  "b": [\n    1,\n    2\n  ],\n  "a": "ä"\n}'
    )
    assert shown(dave, cast, "b.json", content, "?plain").context["view"].text == content.decode()


def test_markdown_is_rendered_and_its_pictures_are_the_versions_own(cast, dave) -> None:
    publish(cast.alice, _model(cast), {"docs/plot.png": PNG, "docs/a.md": b"# Plot\n\n![it](plot.png)\n"})
    page = dave.get("/vision/classifier/versions/latest/files/docs/a.md").content.decode()
    assert 'src="/vision/classifier/versions/1/raw/docs/plot.png"' in page
    assert dave.get("/vision/classifier/versions/1/raw/docs/plot.png")["Content-Type"] == "image/png"


def test_csv_comes_in_pages_of_rows(cast, dave) -> None:
    content = b"n,name\n" + b"".join(b"%d,row %d\n" % (n, n) for n in range(120))
    first = shown(dave, cast, "a.csv", content)
    view = first.context["view"]
    assert (view.columns, view.rows[0], len(view.rows), view.more) == (["n", "name"], ["0", "row 0"], 50, True)
    last = dave.get("/vision/classifier/versions/1/files/a.csv?from=100").context["view"]
    assert (last.rows[0], len(last.rows), last.more) == (["100", "row 100"], 20, False)


def test_parquet_is_shown_as_a_table(cast, dave) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    written = io.BytesIO()
    parquet.write_table(pyarrow.table({"x": [1, 2], "y": ["a", None]}), written)
    view = shown(dave, cast, "a.parquet", written.getvalue()).context["view"]
    assert (view.columns, view.rows) == (["x", "y"], [["1", "a"], ["2", ""]])


def test_a_models_header_is_a_table_with_its_parameters(cast, dave) -> None:
    content = safetensors({"layer.weight": ("F32", [3, 4], b"\0" * 48), "layer.bias": ("F32", [3], b"\0" * 12)})
    answer = shown(dave, cast, "model.safetensors", content)
    page = answer.content.decode()
    assert answer.context["view"].header.parameters == 15
    assert "3 × 4" in page
    assert "<strong>15</strong> parameters in 2 tensors" in page


def test_numpy_and_gguf_are_read_too(cast, dave) -> None:
    array = io.BytesIO()
    numpy.save(array, numpy.zeros((2, 5), "float32"))
    answer = shown(dave, cast, "a.npy", array.getvalue())
    assert answer.context["view"].header.parameters == 10
    assert '<td class="mono">float32</td>' in answer.content.decode()
    assert shown(dave, cast, "a.gguf", gguf()).context["view"].kind == "tensors"


def test_many_tensors_come_in_pages(cast, dave) -> None:
    content = safetensors({f"t{n:04}": ("U8", [1], b"1") for n in range(250)})
    assert len(shown(dave, cast, "a.safetensors", content).context["view"].tensors) == 100
    last = dave.get("/vision/classifier/versions/1/files/a.safetensors?from=200").context["view"]
    assert ([tensor.name for tensor in last.tensors][-1], len(last.tensors), last.more) == ("t0249", 50, False)


def test_a_picture_is_shown_from_its_own_address(cast, dave) -> None:
    page = shown(dave, cast, "plot.png", PNG).content.decode()
    assert '<img src="/vision/classifier/versions/1/raw/plot.png"' in page


def test_other_bytes_are_shown_as_such(cast, dave) -> None:
    page = shown(dave, cast, "weights.bin", bytes(range(256))).content.decode()
    assert "00 01 02 03" in page


def test_the_page_tells_which_versions_brought_the_path(cast, dave) -> None:
    for n in range(3):
        publish(cast.alice, _model(cast), {"a.txt": b"%d" % n, "b.txt": b"same"}, message=f"try {n}")
    page = dave.get("/vision/classifier/versions/2/files/a.txt")
    assert [one.first_version.number for one, _ in page.context["others"]] == [3, 2, 1]
    assert [
        one.first_version.number
        for one, _ in dave.get(page.request["PATH_INFO"].replace("a.txt", "b.txt")).context["others"]
    ] == [1]


def test_a_directory_leads_to_the_browser(cast, dave) -> None:
    publish(cast.alice, _model(cast), {"deep/a.txt": b"1"})
    answer = dave.get("/vision/classifier/versions/1/files/deep")
    assert (answer.status_code, answer.url) == (302, "/vision/classifier/versions/1/tree/deep")


def test_looking_into_a_private_file_is_told_once_an_hour(cast, dave) -> None:
    publish(cast.alice, _model(cast), {"a.txt": b"1"})
    for _ in range(2):
        dave.get("/vision/classifier/versions/1/files/a.txt")
        dave.get("/vision/classifier/versions/1/raw/a.txt")
    assert Event.objects.filter(action="version.downloaded", actor=cast.dave).count() == 1
    assert Version.objects.count() == 1


def test_the_number_of_queries_does_not_grow_with_the_versions(cast, dave, django_assert_max_num_queries) -> None:
    for n in range(15):
        publish(cast.alice, _model(cast), {"a.txt": b"%d" % n})
    with django_assert_max_num_queries(16):
        dave.get("/vision/classifier/versions/3/files/a.txt")


def test_a_file_is_got_with_the_command_on_its_page(dave: Client, cast: Cast):
    page = shown(dave, cast, "it's here/-a b.bin", b"bytes").content.decode()

    command = html.unescape(re.search(r'aria-label="Download with curl"><code>(.*?)</code>', page)[1])
    curl, *options, address = shlex.split(command)
    assert (curl, options) == ("curl", ["-f", "-H", "Authorization: Bearer $LMVP_TOKEN", "-o", "./-a b.bin"])
    assert b"".join(dave.get(urlsplit(address).path)) == b"bytes"
