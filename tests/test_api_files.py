"""Files by HTTP: whole, in ranges, under conditions, and a whole version as one archive."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import zipfile
from typing import Any

import pytest

from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, client_of, publish, send
from tests.matchers import refused

BASE = "/v1/projects/vision/models/classifier/versions/1"
CONTENT = bytes(range(256)) * 40  # 10,240 bytes
SHA = hashlib.sha256(CONTENT).hexdigest()
ETAG = f'"{SHA}"'


@pytest.fixture
def version(cast: Cast) -> None:
    publish(cast.bob, cast.model(), {"deep/wäights.bin": CONTENT, "empty": b""})


def get(cast: Cast, path: str = "deep/wäights.bin", *, method: str = "GET", **headers: str) -> Any:
    return client_of(cast.dave).generic(method, f"{BASE}/files/{path}", headers=headers)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def check_headers(response: Any) -> None:
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert response["ETag"] == ETAG
    assert response["Accept-Ranges"] == "bytes"
    assert response["Digest"] == f"sha-256={digest}"
    assert response["Repr-Digest"] == f"sha-256=:{digest}:"
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''w%C3%A4ights.bin"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]


def test_whole_file(cast: Cast, version: None) -> None:
    response = get(cast)
    assert (response.status_code, body(response)) == (200, CONTENT)
    assert response["Content-Length"] == str(len(CONTENT))
    assert response["Content-Type"] == "application/octet-stream"
    check_headers(response)


def test_head_of_a_file(cast: Cast, version: None) -> None:
    response = get(cast, method="HEAD")
    assert (response.status_code, body(response)) == (200, b"")
    assert response["Content-Length"] == str(len(CONTENT))
    check_headers(response)


def test_empty_file(cast: Cast, version: None) -> None:
    response = get(cast, "empty")
    assert (response.status_code, body(response), response["Content-Length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=100-", 100, 10_239),
        ("bytes=10239-", 10_239, 10_239),
        ("bytes=-1", 10_239, 10_239),
        ("bytes=-100", 10_140, 10_239),
        ("bytes=-99999", 0, 10_239),
        ("bytes=5000-99999", 5000, 10_239),
        ("bytes=0-99999999999999999999", 0, 10_239),
    ],
)
def test_one_range(cast: Cast, version: None, wanted: str, first: int, last: int) -> None:
    response = get(cast, Range=wanted)
    assert (response.status_code, body(response)) == (206, CONTENT[first : last + 1])
    assert response["Content-Range"] == f"bytes {first}-{last}/10240"
    assert response["Content-Length"] == str(last - first + 1)
    check_headers(response)


def test_halves_make_the_whole(cast: Cast, version: None) -> None:
    halves = [body(get(cast, Range=wanted)) for wanted in ("bytes=0-5119", "bytes=5120-")]
    assert hashlib.sha256(b"".join(halves)).hexdigest() == SHA


@pytest.mark.parametrize("wanted", ["bytes=10240-", "bytes=10240-20000", "bytes=99999999-", "bytes=-0"])
def test_range_behind_the_end(cast: Cast, version: None, wanted: str) -> None:
    response = get(cast, Range=wanted)
    assert response["Content-Range"] == "bytes */10240"
    refused(response, 416, "range_not_satisfiable")


@pytest.mark.parametrize("wanted", ["bytes=0-", "bytes=-5", "bytes=0-0"])
def test_range_of_an_empty_file(cast: Cast, version: None, wanted: str) -> None:
    response = get(cast, "empty", Range=wanted)
    assert response.status_code == 416
    assert response["Content-Range"] == "bytes */0"


@pytest.mark.parametrize(
    "wanted",
    [
        *(
            "bytes=99-0",
            "bytes=0-1,5-6",
            "bytes=-",
            "bytes=",
            "bytes",
            "lines=0-5",
            "bytes=a-b",
            "bytes=--1",
            "",
            "0-5",
        ),
        *("bytes=0-" + "9" * 5000, "bytes=" + "9" * 5000 + "-", "bytes=-" + "9" * 5000),
    ],
    ids=lambda value: value[:16],
)
def test_odd_ranges_are_the_whole(cast: Cast, version: None, wanted: str) -> None:
    response = get(cast, Range=wanted)
    assert (response.status_code, body(response)) == (200, CONTENT)


@pytest.mark.parametrize("tags", [ETAG, f'"x", {ETAG}', "*", f"W/{ETAG}"])
def test_unchanged_file_is_not_sent_again(cast: Cast, version: None, tags: str) -> None:
    response = get(cast, **{"If-None-Match": tags})
    assert (response.status_code, body(response), response["ETag"]) == (304, b"", ETAG)


def test_other_tag_gets_the_file(cast: Cast, version: None) -> None:
    assert get(cast, **{"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(("tag", "status"), [(ETAG, 206), ('"other"', 200), (f"W/{ETAG}", 200), ("Tue, 1 Jan", 200)])
def test_range_only_of_the_same_bytes(cast: Cast, version: None, tag: str, status: int) -> None:
    response = get(cast, **{"Range": "bytes=0-9", "If-Range": tag})
    assert (response.status_code, len(body(response))) == (status, 10 if status == 206 else len(CONTENT))


def test_other_file_than_expected_is_not_sent(cast: Cast, version: None) -> None:
    refused(get(cast, **{"If-Match": '"other"'}), 412, "precondition_failed")


@pytest.mark.parametrize("path", ["nothing", "deep", "deep/nothing", "empty/x", "..", "deep/../empty", "deep//x", ""])
def test_path_that_is_no_file(cast: Cast, version: None, path: str) -> None:
    refused(get(cast, path), 404, "not_found")


def test_format_in_the_query_is_no_matter_of_files(cast: Cast, version: None) -> None:
    assert body(client_of(cast.dave).get(f"{BASE}/files/empty?format=json")) == b""


# --- Archives

FILES = {
    "README.md": (b"# hello\n", "100644"),
    "run me.sh": (b"#!/bin/sh\n", "100755"),
    "daten/größe übermäßig.txt": ("ä".encode() * 700, "100644"),
    "日本語/モデル.bin": (bytes(range(256)), "100644"),
    "empty": (b"", "100644"),
    "x" * 120 + "/" + "y" * 130 + ".bin": (b"long", "100755"),
    "ü" * 100 + "/" + "z" * 100: (b"longer", "100644"),
    "512": (b"b" * 512, "100644"),
    "a-large/one": (b"0123456789" * 300_000, "100644"),
}


@pytest.fixture
def archived(cast: Cast) -> None:
    model = cast.model()
    files = [File(path, send(cast.bob, model, content), mode) for path, (content, mode) in FILES.items()]
    publish_version(actor=cast.bob, model=model, publication=Publication(files=files))


def archive(cast: Cast, form: str) -> io.BytesIO:
    response = client_of(cast.dave).get(f"{BASE}/archive/?format={form}")
    assert response.status_code == 200
    assert response["Content-Disposition"] == f'attachment; filename="vision-classifier-v1.{form}"'
    return io.BytesIO(body(response))


def test_zip_holds_the_content(cast: Cast, archived: None) -> None:
    with zipfile.ZipFile(archive(cast, "zip")) as found:
        assert found.testzip() is None
        assert {
            info.filename: (found.read(info), f"{info.external_attr >> 16:o}") for info in found.infolist()
        } == FILES


def test_tar_holds_the_content(cast: Cast, archived: None) -> None:
    with tarfile.open(fileobj=archive(cast, "tar")) as found:
        members = {member.name: member for member in found.getmembers()}
        assert {
            name: (found.extractfile(member).read(), f"100{member.mode:o}")  # type: ignore[union-attr]
            for name, member in members.items()
        } == FILES


@pytest.mark.parametrize("tool", ["tar", "zip"])
def test_ordinary_tools_unpack_it(cast: Cast, archived: None, tool: str, tmp_path: Any) -> None:
    program = {"tar": ["tar", "-xf"], "zip": ["unzip", "-q"]}[tool]
    if not shutil.which(program[0]):
        pytest.skip(f"needs {program[0]}")
    (tmp_path / "archive").write_bytes(archive(cast, tool).read())
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run([*program, "../archive"], cwd=out, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    found = {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert found == {path: content for path, (content, _) in FILES.items()}
    assert (out / "run me.sh").stat().st_mode & 0o111
    assert not (out / "README.md").stat().st_mode & 0o111


def test_zip_is_what_one_gets_without_asking(cast: Cast, version: None) -> None:
    response = client_of(cast.dave).get(f"{BASE}/archive/", headers={"Accept": "text/html"})
    assert (response["Content-Type"], body(response)[:2]) == ("application/zip", b"PK")


@pytest.mark.parametrize("form", ["rar", "json", "", "ZIP"])
def test_archive_of_another_form(cast: Cast, version: None, form: str) -> None:
    refused(client_of(cast.dave).get(f"{BASE}/archive/?format={form}"), 400, "invalid_format")
