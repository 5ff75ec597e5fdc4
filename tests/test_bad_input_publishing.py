"""Publications that cannot be: each is refused by name, and leaves no version, no name, no metric and no file."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from registry.models import Ref, RegisteredModel, Version
from registry.services.refs import Move, set_ref
from tests.cast import PASSWORD, Cast, client_of, publish, send
from tests.matchers import nothing_left_behind, refused

BASE = "/v1/projects/vision/models/classifier"
JSON = "application/json"


@pytest.fixture
def sha(cast: Cast, model: RegisteredModel) -> str:
    """Bytes that bob has sent."""
    return send(cast.bob, model, b"hello")


def files_at(sha: str, *paths: str) -> list[dict[str, str]]:
    return [{"path": path, "sha256": sha} for path in paths]


def post(cast: Cast, body: Any, **headers: str) -> Any:
    return client_of(cast.bob).generic("POST", f"{BASE}/versions/", json.dumps(body), JSON, headers=headers)


# --- Paths

PATHS = [
    ("../secret", "invalid_path"),
    ("a/../../b", "invalid_path"),
    ("..", "invalid_path"),
    (".", "invalid_path"),
    ("./a", "invalid_path"),
    ("/etc/passwd", "invalid_path"),
    ("a//b", "invalid_path"),
    ("a/", "invalid_path"),
    ("a\\b", "invalid_path"),
    ("..\\a", "invalid_path"),
    ("a\nb", "invalid_path"),
    ("a\tb", "invalid_path"),
    ("a\x7fb", "invalid_path"),
    ("a\x85b", "invalid_path"),
    ("é" * 513, "invalid_path"),
    ("a/" * 512 + "a", "invalid_path"),
    ("a/" * 511 + "a", "invalid_path"),
    ("a\x00b", "invalid"),
    ("\ud800", "invalid"),
    ("", "invalid"),
    (None, "invalid"),
    (["a"], "invalid"),
]


@pytest.mark.parametrize(("path", "code"), PATHS, ids=ascii)
def test_path_that_is_none(cast: Cast, sha: str, path: Any, code: str) -> None:
    with nothing_left_behind():
        refused(post(cast, {"files": [{"path": path, "sha256": sha}]}), 400, code)


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a b/c d.txt",
        ".hidden",
        "...",
        "a..b",
        "日本語/モデル.bin",
        "-rf",
        "CON",
        "a:b*?",
        "é" * 512,
        " ",
        "a/" * 100 + "a",
    ],
)
def test_path_that_may_be_odd(cast: Cast, sha: str, path: str) -> None:
    response = post(cast, {"files": files_at(sha, path)})
    assert response.status_code == 201, response.json()
    download = client_of(cast.bob).get(f"{BASE}/versions/1/files/{path.replace('?', '%3F')}")
    assert b"".join(download.streaming_content) == b"hello"


TOGETHER = [
    (("a", "a"), "duplicate_path"),
    (("é", "e\u0301"), "duplicate_path"),
    (("dir/a", "dir/b", "dir/a"), "duplicate_path"),
    (("a", "A"), "case_conflict"),
    (("x/Weights.bin", "x/weights.BIN"), "case_conflict"),
    (("Dir/a", "dir/b"), "case_conflict"),
    (("É", "e\u0301"), "case_conflict"),
    (("straße", "STRASSE"), "case_conflict"),
    (("a", "a/b"), "path_conflict"),
    (("a/b/c", "a/b"), "path_conflict"),
]


@pytest.mark.parametrize(("paths", "code"), TOGETHER, ids=ascii)
def test_paths_that_cannot_be_together(cast: Cast, sha: str, paths: tuple[str, ...], code: str) -> None:
    with nothing_left_behind():
        error = refused(post(cast, {"files": files_at(sha, *paths)}), 400, code)
    assert error["fields"]["path"]


@pytest.mark.parametrize(
    ("there", "body", "code"),
    [
        ("a", {"put": ["A"]}, "case_conflict"),
        ("a", {"put": ["a/b"]}, "path_conflict"),
        ("a/b", {"put": ["a"]}, "path_conflict"),
        ("a/b", {"put": ["A/c"]}, "case_conflict"),
        ("é", {"put": ["É"]}, "case_conflict"),
        ("a", {"remove": ["b"]}, "no_such_path"),
        ("a", {"remove": ["a/b"]}, "path_conflict"),
        ("a", {"remove": ["../a"]}, "invalid_path"),
        ("a", {"remove": ["a"]}, "no_files"),
    ],
    ids=str,
)
def test_paths_that_cannot_be_with_the_parents(
    cast: Cast, model: RegisteredModel, there: str, body: dict[str, list[str]], code: str
) -> None:
    publish(cast.bob, model, {there: b"1"})
    sha = send(cast.bob, model, b"2")
    with nothing_left_behind():
        said = {"files": files_at(sha, *body.get("put", ())), "remove": body.get("remove", [])}
        refused(post(cast, said), 400, code)


def test_file_that_gives_way_to_a_directory_in_one_publication(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    sha = send(cast.bob, model, b"2")
    assert post(cast, {"files": files_at(sha, "a/b"), "remove": ["a"]}).status_code == 201


# --- Other parts of the body

FILES = "FILES"  # stands for a good list of files

BODIES = [
    ({}, "no_files"),
    ({"files": []}, "no_files"),
    ({"files": {"a": "b"}}, "invalid"),
    ({"files": [{"path": "a", "sha256": "abc"}]}, "invalid_digest"),
    ({"files": [{"path": "a", "sha256": "X" * 64}]}, "invalid_digest"),
    ({"files": [{"path": "a", "sha256": "0" * 64}]}, "unknown_blob"),
    ({"files": [{"path": "a"}]}, "invalid"),
    ({"files": FILES, "base": "nothing"}, "invalid"),
    ({"files": FILES, "message": "x" * 10_001}, "message_too_long"),
    ({"files": FILES, "message": "a\x00b"}, "invalid"),
    ({"files": FILES, "message": "\ud800"}, "invalid"),
    ({"files": FILES, "message": {"a": 1}}, "invalid"),
    ({"files": FILES, "parent": "7"}, "unknown_revision"),
    ({"files": FILES, "parent": "nothing"}, "unknown_revision"),
    ({"files": FILES, "branch": "a b"}, "invalid_name"),
    ({"files": FILES, "branch": "latest"}, "reserved_name"),
    ({"files": FILES, "branch": "x" * 101}, "invalid"),
    ({"files": FILES, "tag": "v3"}, "reserved_name"),
    ({"files": FILES, "alias": "deadbeef"}, "reserved_name"),
    ({"files": FILES, "alias": "../x"}, "invalid_name"),
    ({"files": FILES, "metadata": [1]}, "invalid"),
    ({"files": FILES, "metadata": "text"}, "invalid"),
    ({"files": FILES, "metadata": None}, "invalid"),
    ({"files": FILES, "metadata": {"x": "y" * 65_536}}, "metadata_too_large"),
    ({"files": FILES, "metadata": {"x": "é" * 32_768}}, "metadata_too_large"),
    ({"files": FILES, "metadata": {"x": "\ud800"}}, "invalid_metadata"),
    ({"files": FILES, "metadata": {"\udfff": 1}}, "invalid_metadata"),
    ({"files": FILES, "metrics": [{"name": "a"}]}, "invalid"),
    ({"files": FILES, "metrics": [{"name": "a", "value": 1, "text": "b"}]}, "invalid"),
    ({"files": FILES, "metrics": [{"name": "", "value": 1}]}, "invalid"),
    ({"files": FILES, "metrics": [{"name": "x" * 201, "value": 1}]}, "invalid"),
    ({"files": FILES, "metrics": [{"name": "a", "text": "x" * 1001}]}, "invalid"),
    ({"files": FILES, "metrics": [{"name": "a", "value": True}]}, "invalid"),
    ({"files": FILES, "metrics": [{"name": "a", "value": "0.5"}]}, "invalid"),
    ({"files": FILES, "metrics": [{"name": "a", "value": None}]}, "invalid"),
    ({"files": FILES, "metrics": [{"name": "a", "value": 10**400}]}, "not_finite"),
    ({"files": FILES, "metrics": [{"name": "a", "value": 1, "step": 2**63}]}, "invalid_metric"),
    ({"files": FILES, "metrics": [{"name": "a", "value": 1, "step": -(2**63)}]}, "invalid_metric"),
    ({"files": FILES, "metrics": [{"name": "a", "value": 1, "step": 0.5}]}, "invalid"),
    ({"files": FILES, "metrics": [{"name": "a", "value": 1}] * 10_001}, "too_many_metrics"),
]


@pytest.mark.parametrize(("body", "code"), BODIES, ids=lambda value: ascii(value)[:80])
def test_part_that_cannot_be_kept(cast: Cast, sha: str, body: dict[str, Any], code: str) -> None:
    if body.get("files") == FILES:
        body = body | {"files": files_at(sha, "a")}
    with nothing_left_behind():
        refused(post(cast, body), 400, code)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('"metadata": {"x": NaN}', "invalid_json"),
        ('"metadata": {"x": -Infinity}', "invalid_json"),
        ('"metadata": {"x": 1e999}', "invalid_metadata"),
        ('"metadata": {"x": "\\ud800"}', "invalid_metadata"),
        ('"metrics": [{"name": "a", "value": NaN}]', "invalid_json"),
        ('"metrics": [{"name": "a", "value": Infinity}]', "invalid_json"),
        ('"metrics": [{"name": "a", "value": 1e999}]', "not_finite"),
        ('"metrics": [{"name": "a", "value": -1e999}]', "not_finite"),
        ('"metrics": [{"name": "a", "value": %s}]' % ("9" * 5000), "invalid_json"),
    ],
)
def test_numbers_that_json_cannot_hold(cast: Cast, sha: str, text: str, code: str) -> None:
    body = f'{{"files": {json.dumps(files_at(sha, "a"))}, {text}}}'
    with nothing_left_behind():
        response = client_of(cast.bob).generic("POST", f"{BASE}/versions/", body, "application/json")
        refused(response, 400, code)


@pytest.mark.parametrize("value", [math.pi, 5e-324, -0.0, 2**53 + 1, 1e308])
def test_numbers_that_can_be_kept_come_back(cast: Cast, sha: str, value: float) -> None:
    response = post(cast, {"files": files_at(sha, "a"), "metrics": [{"name": "a", "value": value}]})
    assert response.status_code == 201, response.json()
    assert response.json()["metrics"] == {"a": float(value)}


@pytest.mark.parametrize(
    "metadata", [{"x": "a\x00b"}, {"é": "e\u0301"}, {"": None}, {"x": 10**300}, {"x": "y" * 65_500}]
)
def test_metadata_comes_back_as_it_was(cast: Cast, sha: str, metadata: dict[str, Any]) -> None:
    response = post(cast, {"files": files_at(sha, "a"), "metadata": metadata})
    assert response.status_code == 201, response.json()
    assert client_of(cast.bob).get(f"{BASE}/versions/1/").json()["metadata"] == metadata


@pytest.mark.parametrize("depth", [10, 90, 400, 900, 1500, 5000, 20_000])
def test_metadata_however_deep_is_kept_or_refused(cast: Cast, sha: str, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    body = f'{{"files": {json.dumps(files_at(sha, "a"))}, "metadata": {{"x": {deep}}}}}'
    response = client_of(cast.bob).generic("POST", f"{BASE}/versions/", body, "application/json")
    assert response.status_code == (201 if depth < 100 else 400), response.content
    assert Version.objects.count() == (response.status_code == 201)
    if response.status_code == 201:
        assert client_of(cast.bob).get(f"{BASE}/versions/1/").status_code == 200


# --- Heads and keys


def test_parent_that_is_not_the_head(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    second = publish(cast.bob, model, {"a": b"2"})
    sha = send(cast.bob, model, b"3")
    with nothing_left_behind():
        error = refused(post(cast, {"files": files_at(sha, "a"), "parent": "1"}), 409, "parent_moved")
    assert error["fields"] == {"head": {"number": 2, "digest": second.digest}}


def test_same_call_again_with_its_parent_is_the_same_version(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    body = {"files": files_at(send(cast.bob, model, b"2"), "a"), "parent": "1", "message": "two"}
    first = post(cast, body)
    with nothing_left_behind():
        second = post(cast, body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_same_key_and_body_are_the_same_version(cast: Cast, sha: str) -> None:
    body = {"files": files_at(sha, "a"), "metrics": [{"name": "x", "value": 1}], "tag": "one"}
    first = post(cast, body, **{"Idempotency-Key": "k1"})
    with nothing_left_behind():
        second = post(cast, body, **{"Idempotency-Key": "k1"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


@pytest.mark.parametrize(
    "other",
    [
        {"message": "x"},
        {"metadata": {"a": 1}},
        {"metrics": [{"name": "x", "value": 1}]},
        {"files": "OTHER"},
        {"tag": "x"},
        {"alias": "x"},
        {"base": "empty"},
    ],
    ids=str,
)
def test_same_key_with_another_body(cast: Cast, sha: str, other: dict[str, Any]) -> None:
    body = {"files": files_at(sha, "a")}
    assert post(cast, body, **{"Idempotency-Key": "k1"}).status_code == 201
    changed = body | (other if "files" not in other else {"files": files_at(sha, "b")})
    with nothing_left_behind():
        refused(post(cast, changed, **{"Idempotency-Key": "k1"}), 409, "idempotency_mismatch")


def test_key_is_of_one_actor(cast: Cast, model: RegisteredModel, sha: str) -> None:
    publish(cast.alice, model, {"z": b"hello"})
    body = {"files": files_at(sha, "a")}
    first = client_of(cast.bob).post(f"{BASE}/versions/", body, headers={"Idempotency-Key": "k1"})
    second = client_of(cast.carol).post(f"{BASE}/versions/", body, headers={"Idempotency-Key": "k1"})
    assert (first.json()["number"], second.json()["number"]) == (2, 3)


def test_key_that_is_too_long_is_no_other_key(cast: Cast, sha: str) -> None:
    for last in "ab":
        with nothing_left_behind():
            response = post(cast, {"files": files_at(sha, "a")}, **{"Idempotency-Key": "k" * 200 + last})
            refused(response, 400, "invalid_idempotency_key")


@pytest.mark.parametrize(("field", "code"), [("tag", "tag_exists"), ("alias", "name_taken"), ("branch", "name_taken")])
def test_name_that_is_taken_undoes_the_whole(cast: Cast, model: RegisteredModel, field: str, code: str) -> None:
    publish(cast.bob, model, {"a": b"1"}, tag="release")
    sha = send(cast.bob, model, b"2")
    body = {"files": files_at(sha, "b"), field: "release", "metrics": [{"name": "x", "value": 1}]}
    with nothing_left_behind():
        refused(post(cast, body), 409, code)
    assert Ref.objects.get(name="main").version.number == 1


def test_metric_that_contradicts_itself(cast: Cast, sha: str) -> None:
    values = [{"name": "x", "value": 1}, {"name": "x", "value": 2}]
    with nothing_left_behind():
        refused(post(cast, {"files": files_at(sha, "a"), "metrics": values}), 409, "metric_exists")


def test_former_name_of_a_version_is_free_after_deletion(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    set_ref(actor=cast.bob, model=model, move=Move("tag", "t", "1"))
    assert client_of(cast.bob).delete(f"{BASE}/tags/t/").status_code == 204
    assert client_of(cast.bob).put(f"{BASE}/aliases/t/", {"revision": "1"}).status_code == 201


# --- Forms

FORMS: list[tuple[dict[str, Any], str]] = [
    ({"metadata": "{not json"}, "invalid_json"),
    ({"metadata": "[1]"}, "invalid"),
    ({"metadata": '{"x": NaN}'}, "invalid_json"),
    ({"metadata": '{"x": 1e999}'}, "invalid_metadata"),
    ({"metadata": "[" * 100_000}, "invalid_json"),
    ({"metrics": "{not json"}, "invalid_json"),
    ({"metrics": '"text"'}, "invalid"),
    ({"metrics": '{"a": NaN}'}, "invalid_json"),
    ({"metrics": '{"a": true}'}, "invalid"),
    ({"metrics": '{"a": [1]}'}, "invalid"),
    ({"paths": ["a", "b"]}, "paths_do_not_match"),
    ({"paths": ["../a"]}, "invalid_path"),
    ({"paths": ["a\x00"]}, "invalid_path"),
    ({"tag": "v3"}, "reserved_name"),
    ({"base": "nothing"}, "invalid"),
    ({"message": "x" * 10_001}, "message_too_long"),
]


def form_with(more: dict[str, Any]) -> dict[str, Any]:
    return {"files": [SimpleUploadedFile("w.bin", b"from a form")], **more}


@pytest.mark.parametrize(("more", "code"), FORMS, ids=lambda value: ascii(value)[:60])
def test_form_that_cannot_be(cast: Cast, model: RegisteredModel, more: dict[str, Any], code: str) -> None:
    with nothing_left_behind():
        response = client_of(cast.bob).post(f"{BASE}/versions/", form_with(more), format="multipart")
        refused(response, 400, code)


def test_files_in_another_field(cast: Cast, model: RegisteredModel) -> None:
    form = {"file": SimpleUploadedFile("w.bin", b"x")}
    with nothing_left_behind():
        response = client_of(cast.bob).post(f"{BASE}/versions/", form, format="multipart")
        assert "files" in refused(response, 400, "unknown_field")["message"]


def test_form_without_files(cast: Cast, model: RegisteredModel) -> None:
    with nothing_left_behind():
        refused(client_of(cast.bob).post(f"{BASE}/versions/", {"message": "x"}, format="multipart"), 400, "no_files")


def test_form_with_too_many_files(cast: Cast, model: RegisteredModel) -> None:
    form = {"files": [SimpleUploadedFile("w", b"x")] * 1001}
    with nothing_left_behind():
        refused(client_of(cast.bob).post(f"{BASE}/versions/", form, format="multipart"), 400, "too_many_files")


def test_form_of_somebody_who_may_not(cast: Cast, model: RegisteredModel) -> None:
    for user, status, code in ((cast.dave, 403, "role_too_low"), (cast.charlie, 404, "not_found")):
        with nothing_left_behind():
            response = client_of(user).post(f"{BASE}/versions/", form_with({}), format="multipart")
            refused(response, status, code)


@pytest.mark.parametrize(("model_name", "status"), [("classifier", 403), ("nothing", 403)])
def test_form_from_a_foreign_site(cast: Cast, model: RegisteredModel, model_name: str, status: int) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies["csrftoken"] = "a" * 32
    assert browser.login(username=cast.bob.email, password=PASSWORD)
    with nothing_left_behind():
        response = browser.post(f"/v1/projects/vision/models/{model_name}/versions/", form_with({}))
        refused(response, status, "permission_denied")


def test_form_of_a_signed_in_browser_for_a_model_that_is_not_there(cast: Cast, model: RegisteredModel) -> None:
    browser = Client()
    assert browser.login(username=cast.bob.email, password=PASSWORD)
    with nothing_left_behind():
        refused(browser.post("/v1/projects/vision/models/nothing/versions/", form_with({})), 404, "not_found")


def test_form_that_is_cut_off(cast: Cast, model: RegisteredModel) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhalf of it'
    with nothing_left_behind():
        response = client_of(cast.bob).generic("POST", f"{BASE}/versions/", body, "multipart/form-data; boundary=x")
        refused(response, 400, "incomplete_form")


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", "text/csv", "", "/"])
def test_body_of_an_unknown_kind(cast: Cast, model: RegisteredModel, kind: str) -> None:
    with nothing_left_behind():
        response = client_of(cast.bob).generic("POST", f"{BASE}/versions/", b"abc", kind)
        assert response.status_code in (400, 415), response.content
        assert response.json()["error"]["code"] in ("invalid_json", "unsupported_media_type")
