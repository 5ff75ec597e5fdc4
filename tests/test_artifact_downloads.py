"""The content of artifacts by HTTP: bytes as they are, JSON, and tables in the form that the caller accepts."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from registry import frames
from registry.models import Artifact, Project, Visibility
from registry.parquet import from_parquet
from registry.services import artifacts
from registry.services.projects import update_project
from registry.services.recordings import Recording
from tests.cast import Cast, client_of
from tests.matchers import refused

FRAME = "application/vnd.chapkit.dataframe+json"
PARQUET = "application/vnd.apache.parquet"
TABLE = b'name,rainfall,sunny\r\nOslo,110.0,true\r\n"Bergen, west",0.10,\r\n'
RECORDS = [
    {"name": "Oslo", "rainfall": 110.0, "sunny": "true"},
    {"name": "Bergen, west", "rainfall": 0.1, "sunny": None},
]


def inline(cast: Cast, content: Any, content_type: Any = None) -> Artifact:
    data = {"content": content} | ({"content_type": content_type} if content_type else {})
    return artifacts.record_artifact(actor=cast.bob, recording=Recording(data=data, project="vision"))


def kept(cast: Cast, content: bytes, content_type: str) -> str:
    """Record an artifact with bytes; return its id."""
    form = {"project": "vision", "data": "{}", "content": SimpleUploadedFile("a", content, content_type)}
    answer = client_of(cast.bob).post("/v1/artifacts/", form, format="multipart")
    assert answer.status_code == 201, answer.json()
    return answer.json()["id"]


def get(cast: Cast, artifact: str, *, method: str = "GET", **headers: str) -> Any:
    return client_of(cast.dave).generic(method, f"/v1/artifacts/{artifact}/$download", headers=headers)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def check_file(response: Any, artifact: str, content_type: str, extension: str) -> None:
    assert response.status_code == 200
    assert response["Content-Type"] == content_type
    assert response["Content-Disposition"] == f"attachment; filename=artifact_{artifact}.{extension}"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert "Accept" in response["Vary"]


# --- What cannot be given


def test_artifact_without_content(cast: Cast) -> None:
    for data in ({}, {"content": None}):
        made = artifacts.record_artifact(actor=cast.bob, recording=Recording(data=data, project="vision"))
        refused(get(cast, made.pk), 404, "no_content")


def test_outsider_learns_nothing(cast: Cast) -> None:
    made = kept(cast, b"secret", "text/plain")
    for client, status in ((client_of(cast.charlie), 404), (client_of(None), 401)):
        assert client.get(f"/v1/artifacts/{made}/$download").status_code == status
    update_project(actor=cast.alice, project=cast.project, visibility=Visibility.PUBLIC)
    assert body(client_of(None).get(f"/v1/artifacts/{made}/$download")) == b"secret"
    Project.objects.filter(pk=cast.project.pk).update(trashed_at=cast.project.created_at)
    refused(get(cast, made), 404, "not_found")


@pytest.mark.parametrize("accepted", ["image/png", "text/html", "application/xml;q=0.9", "text/csv;q=0", "nonsense"])
def test_form_that_is_not_there(cast: Cast, accepted: str) -> None:
    error = refused(get(cast, kept(cast, TABLE, "text/csv"), Accept=accepted), 406, "not_acceptable")
    assert FRAME in error["message"]
    refused(get(cast, kept(cast, b"PK", "application/zip"), Accept=accepted), 406, "not_acceptable")
    refused(get(cast, inline(cast, RECORDS, FRAME).pk, Accept=accepted), 406, "not_acceptable")
    refused(get(cast, inline(cast, {"n": 1}).pk, Accept=accepted), 406, "not_acceptable")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"a,a\n1,2\n",
        b'"open',
        b"x" * (2**20 + 1),
        b",".join(str(n).encode() for n in range(10_001)),
    ],
    ids=["no UTF-8", "same names", "open quote", "endless line", "columns"],
)
def test_bytes_that_are_no_csv_are_given_as_they_are_alone(cast: Cast, content: bytes) -> None:
    made = kept(cast, content, "text/csv")
    refused(get(cast, made, Accept=FRAME), 406, "conversion_not_available")
    assert body(get(cast, made, Accept="text/csv")) == content


@pytest.mark.parametrize(
    "rows",
    [b"1,2,3\n", b"\xff,1\n", b'1,"2\n', b'"' + b"x\n" * 200_000, b"1," + b"x" * (2**20 + 1), b'"a\n",' * 1_500_000],
    ids=["too many cells", "no UTF-8", "open quote", "endless cell", "endless line", "endless row"],
)
def test_fault_further_down_breaks_off(cast: Cast, rows: bytes) -> None:
    response = get(cast, kept(cast, b"a,b\n" + b"1,2\n" * 5000 + rows, "text/csv"), Accept=FRAME)
    assert response.status_code == 200
    with pytest.raises(frames.NoTable):
        body(response)


@pytest.mark.parametrize(
    "content",
    [
        "text",
        5,
        [1, 2],
        {"columns": ["a"]},
        {"columns": ["a"], "data": [[1, 2]]},
        {"columns": ["a"], "data": [1]},
        {"columns": ["a"], "data": 1},
        {"columns": ["a", "a"], "data": []},
        {"columns": [1], "data": [[1]]},
        {"columns": "ab", "data": [[1, 2]]},
    ],
    ids=str,
)
def test_inline_content_that_is_no_table(cast: Cast, content: Any) -> None:
    refused(get(cast, inline(cast, content, FRAME).pk), 406, "conversion_not_available")


# --- Bytes


@pytest.mark.parametrize(
    ("content_type", "extension"),
    [
        ("application/zip", "zip"),
        ("image/png", "png"),
        ("text/html", "html"),
        ("text/csv", "csv"),
        ("application/json", "json"),
        (FRAME, "json"),
        (PARQUET, "parquet"),
        ("application/x-unheard-of", "bin"),
    ],
)
def test_bytes_come_as_they_were_sent(cast: Cast, content_type: str, extension: str) -> None:
    content = bytes(range(256)) * 40
    made = kept(cast, content, content_type)
    response = get(cast, made)
    check_file(response, made, content_type, extension)
    assert response["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert response["Content-Length"] == str(len(content))
    assert body(response) == content
    for accepted in ("*/*", "", content_type.partition(";")[0], "application/octet-stream", "text/html, */*;q=0.1"):
        assert body(get(cast, made, Accept=accepted)) == content


def test_content_type_that_was_named_with_a_digest_comes_whole(cast: Cast) -> None:
    digest = client_of(cast.bob).get(f"/v1/artifacts/{kept(cast, TABLE, 'text/csv')}/").json()["content"]["sha256"]
    named = {"sha256": digest, "content_type": "text/csv; charset=utf-8"}
    made = client_of(cast.bob).post("/v1/artifacts/", {"project": "vision", "data": {}, "content": named}).json()
    check_file(get(cast, made["id"]), made["id"], "text/csv; charset=utf-8", "csv")
    assert json.loads(body(get(cast, made["id"], Accept=FRAME))) == RECORDS


def test_part_of_the_bytes_and_not_again(cast: Cast) -> None:
    made = kept(cast, b"0123456789", "application/zip")
    part = get(cast, made, Range="bytes=2-4")
    assert (part.status_code, part["Content-Range"], body(part)) == (206, "bytes 2-4/10", b"234")
    assert part["Content-Disposition"] == f"attachment; filename=artifact_{made}.zip"
    assert refused(get(cast, made, Range="bytes=10-"), 416, "range_not_satisfiable")
    unchanged = get(cast, made, **{"If-None-Match": part["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    head = get(cast, made, method="HEAD")
    assert (head.status_code, head["Content-Length"], body(head)) == (200, "10", b"")


# --- Tables


@pytest.mark.parametrize("accepted", [FRAME, "application/json"])
def test_csv_comes_as_records(cast: Cast, accepted: str) -> None:
    made = kept(cast, TABLE, "text/csv")
    response = get(cast, made, Accept=accepted)
    check_file(response, made, accepted, "json")
    text = body(response)
    assert json.loads(text) == RECORDS
    assert b"0.10," in text, "a number keeps its spelling"


def test_csv_comes_as_it_is_kept(cast: Cast) -> None:
    made = kept(cast, TABLE, "text/csv")
    response = get(cast, made)
    check_file(response, made, "text/csv", "csv")
    assert body(response) == TABLE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-1", -1),
        ("1.50", 1.5),
        ("-2.5e-3", -0.0025),
        ("999999999999999", 999999999999999),
        ("1000000000000000", "1000000000000000"),
        ("007", "007"),
        ("+5", "+5"),
        (".5", ".5"),
        ("5.", "5."),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("٣", "٣"),
        (" 1", " 1"),
        ("true", "true"),
        ("=1+1", "=1+1"),
        ("", None),
    ],
)
def test_cell_is_a_number_where_every_reader_agrees(text: str, value: Any) -> None:
    table = frames.from_csv(io.BytesIO(f"a,b\n{text},\n".encode()))
    (record,) = json.loads(b"".join(frames.to_json(table)))
    assert record == {"a": value, "b": None}
    assert type(record["a"]) is type(value)


def test_odd_but_good_csv() -> None:
    text = '\ufeffa,"b ""quoted"""\r\n\r\n"two\nlines"\r\n1,2'
    table = frames.from_csv(io.BytesIO(text.encode()))
    assert json.loads(b"".join(frames.to_json(table))) == [
        {"a": "two\nlines", 'b "quoted"': None},
        {"a": 1, 'b "quoted"': 2},
    ]


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"a,b"])
def test_csv_without_rows_is_no_record(cast: Cast, content: bytes) -> None:
    assert body(get(cast, kept(cast, content, "text/csv"), Accept=FRAME)) == b"[]"


def test_large_csv_is_converted_in_pieces(cast: Cast) -> None:
    content = b"n,square\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(50_000))
    response = get(cast, kept(cast, content, "text/csv"), Accept=FRAME)
    pieces = list(response.streaming_content)
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 2**17
    found = json.loads(b"".join(pieces))
    assert (len(found), found[-1]) == (50_000, {"n": 49_999, "square": 49_999**2})


INLINE = [
    {"columns": ["z", "a"], "data": [[1.5, "x,y"], [None, "=1"]]},
    [{"z": 1.5, "a": "x,y"}, {"z": None, "a": "=1"}],
]


@pytest.mark.parametrize("content", INLINE, ids=["columns", "records"])
def test_inline_table_comes_as_records_or_csv(cast: Cast, content: Any) -> None:
    made = inline(cast, content, FRAME).pk
    response = get(cast, made)
    check_file(response, made, FRAME, "json")
    assert json.loads(response.content) == INLINE[1]
    as_csv = get(cast, made, Accept="text/csv, application/json;q=0.5")
    check_file(as_csv, made, "text/csv; charset=utf-8", "csv")
    assert as_csv.content == b'z,a\r\n1.5,"x,y"\r\n,=1\r\n', "in the order of its columns, and unaltered"


def test_inline_table_that_says_csv_comes_as_csv_first(cast: Cast) -> None:
    made = inline(cast, INLINE[0], "text/csv").pk
    assert get(cast, made).content.startswith(b"z,a\r\n")
    assert json.loads(get(cast, made, Accept=FRAME).content) == INLINE[1]


def test_records_with_different_keys_have_all_of_them(cast: Cast) -> None:
    made = inline(cast, [{"a": 1}, {"b": {"c": [True]}}], FRAME).pk
    assert json.loads(get(cast, made).content) == [{"a": 1, "b": None}, {"a": None, "b": {"c": [True]}}]
    rows = list(csv.reader(get(cast, made, Accept="text/csv").content.decode().splitlines()))
    assert rows == [["a", "b"], ["1", ""], ["", '{"c": [true]}']]


# --- Other content of the data


@pytest.mark.parametrize("content", [{"n": 1}, [1, 2], 0, False, "text", "", {"columns": ["a"], "data": [[1]]}])
def test_json_content(cast: Cast, content: Any) -> None:
    made = inline(cast, content).pk
    response = get(cast, made)
    check_file(response, made, "application/json", "json")
    assert json.loads(response.content) == content


def test_content_under_a_json_type_of_its_own(cast: Cast) -> None:
    made = inline(cast, {"type": "FeatureCollection"}, "application/geo+json").pk
    check_file(get(cast, made), made, "application/geo+json", "json")


@pytest.mark.parametrize(
    ("content_type", "extension"), [("text/plain", "txt"), ("text/csv", "csv"), ("text/html", "html")]
)
def test_text_content(cast: Cast, content_type: str, extension: str) -> None:
    made = inline(cast, "a,ü\n1,2\n", content_type).pk
    response = get(cast, made)
    check_file(response, made, f"{content_type}; charset=utf-8", extension)
    assert response.content == "a,ü\n1,2\n".encode()


@pytest.mark.parametrize("content_type", ["image/png\r\nX-Evil: 1", 5, "nonsense", ["text/csv"], "application/zip"])
def test_content_type_of_free_data_never_becomes_a_header_that_it_is_not(cast: Cast, content_type: Any) -> None:
    response = get(cast, inline(cast, {"n": 1}, content_type).pk)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert "X-Evil" not in response


# --- Parquet


@pytest.fixture
def parquet() -> bytes:
    pyarrow = pytest.importorskip(
        "pyarrow", reason="Parquet is converted where pyarrow is installed: pip install pyarrow"
    )
    from pyarrow import parquet

    columns = {
        "n": [1, 2, None],
        "x": [0.5, float("nan"), float("inf")],
        "t": ["a", "ü", None],
        "raw": [b"\x00", None, b"ab"],
        "day": pyarrow.array([0, 1, None], pyarrow.date32()),
        "list": [[1], [], None],
    }
    written = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), written, row_group_size=2)
    return written.getvalue()


PARQUET_RECORDS = [
    {"n": 1, "x": 0.5, "t": "a", "raw": "AA==", "day": "1970-01-01", "list": [1]},
    {"n": 2, "x": None, "t": "ü", "raw": None, "day": "1970-01-02", "list": []},
    {"n": None, "x": None, "t": None, "raw": "YWI=", "day": None, "list": None},
]


@pytest.mark.parametrize("content_type", [PARQUET, "application/x-parquet"])
def test_parquet_comes_as_records_or_csv(cast: Cast, parquet: bytes, content_type: str) -> None:
    made = kept(cast, parquet, content_type)
    assert body(get(cast, made)) == body(get(cast, made, Accept=content_type)) == parquet
    response = get(cast, made, Accept=FRAME)
    check_file(response, made, FRAME, "json")
    assert json.loads(body(response)) == PARQUET_RECORDS
    as_csv = get(cast, made, Accept="text/csv")
    check_file(as_csv, made, "text/csv; charset=utf-8", "csv")
    rows = list(csv.DictReader(io.StringIO(body(as_csv).decode())))
    assert rows[0] == {"n": "1", "x": "0.5", "t": "a", "raw": "AA==", "day": "1970-01-01", "list": "[1]"}


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 100 + b"PAR1", b"a,b\n1,2\n"], ids=repr)
def test_bytes_that_are_no_parquet(cast: Cast, content: bytes) -> None:
    made = kept(cast, content, PARQUET)
    refused(get(cast, made, Accept=FRAME), 406, "conversion_not_available")
    assert body(get(cast, made)) == content


def test_parquet_whose_first_rows_cannot_be_read(cast: Cast, parquet: bytes) -> None:
    broken = parquet[:4] + bytes(len(parquet[4:200])) + parquet[200:]
    refused(get(cast, kept(cast, broken, PARQUET), Accept=FRAME), 406, "conversion_not_available")


def test_parquet_that_breaks_off_in_the_middle(cast: Cast) -> None:
    file = io.BytesIO()
    written = pytest.importorskip("pyarrow.parquet")
    written.write_table(written.core.pa.table({"n": range(3000)}), file, row_group_size=1000)
    second = written.ParquetFile(file).metadata.row_group(1).column(0).dictionary_page_offset
    broken = file.getvalue()[:second] + bytes(200) + file.getvalue()[second + 200 :]
    response = get(cast, kept(cast, broken, PARQUET), Accept=FRAME)
    assert response.status_code == 200
    with pytest.raises(frames.NoTable):
        body(response)


def test_row_group_that_would_not_fit_is_not_read(parquet: bytes) -> None:
    with pytest.raises(frames.NoTable, match="row group"):
        from_parquet(io.BytesIO(parquet), most_group_bytes=10)
