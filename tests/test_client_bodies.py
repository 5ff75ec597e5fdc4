"""Bodies that the client hands out are the bytes that the server announced, or an error; and answers that make no sense are told."""

from __future__ import annotations

import hashlib

import pytest

from lmvp.client import errors
from lmvp.client.api import Client
from tests.test_client_strangers import DIGEST, MODEL, PROJECT, Stranger, sends, sends_json

GOOD = b"weights"
ETAG = f'"{hashlib.sha256(GOOD).hexdigest()}"'
FILE = f"{MODEL}versions/1/files/weights.bin"
ARCHIVE = f"{MODEL}versions/1/archive/"


@pytest.fixture
def server():
    made = Stranger()
    yield made
    made.close()


@pytest.fixture
def client(server, tmp_path, monkeypatch) -> Client:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    return Client(server.url, token="lmvp_x")


def test_a_file_is_checked_against_its_digest(server, client):
    server.routes["GET", FILE] = sends(GOOD, ETag=ETAG)
    assert client.read_file("vision/digits", "weights.bin", revision=1) == GOOD
    for lie in (b"other", b"weights!", b""):
        server.routes["GET", FILE] = sends(lie, ETag=ETAG)
        with pytest.raises(errors.IntegrityError, match="Nothing was kept"):
            client.read_file("vision/digits", "weights.bin", revision=1)


def test_a_damaged_artifact_leaves_the_file_that_stood_there(server, client, tmp_path):
    server.routes["GET", "/v1/artifacts/01K2/$download/"] = sends(b"other", ETag=ETAG)
    target = tmp_path / "mine.bin"
    target.write_bytes(b"mine")
    with pytest.raises(errors.IntegrityError):
        client.download_artifact("01K2", target)
    assert target.read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.bin"]


def test_an_archive_that_breaks_off_leaves_nothing(server, client, tmp_path):
    def breaks(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/zip")
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"PK")
        handler.close_connection = True

    server.routes["GET", ARCHIVE] = breaks
    with pytest.raises(errors.ConnectionFailed):
        client.download_archive("vision/digits", tmp_path / "it.zip", revision=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [{"name": None}, {"created_at": "soon"}, {"role": 4}, {"personal": 1}])
def test_an_answer_of_another_shape_is_told(server, client, change):
    server.routes["GET", "/v1/projects/vision/"] = sends_json({**PROJECT, **change})
    with pytest.raises(errors.NotLMVPServer, match="does not understand"):
        client.project("vision")
    server.routes["GET", "/v1/projects/"] = sends_json({"next": None, "results": [{**PROJECT, **change}]})
    with pytest.raises(errors.NotLMVPServer):
        client.projects()


def test_a_missing_field_is_told_and_another_one_is_not(server, client):
    server.routes["GET", "/v1/projects/vision/"] = sends_json({k: v for k, v in PROJECT.items() if k != "visibility"})
    with pytest.raises(errors.NotLMVPServer, match="visibility"):
        client.project("vision")
    server.routes["GET", "/v1/projects/vision/"] = sends_json({**PROJECT, "stars": DIGEST})
    assert client.project("vision").name == "vision"
