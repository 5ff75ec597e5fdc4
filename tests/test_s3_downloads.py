"""Large files fetched from the store itself, where clients reach it: allowed and told by us, sent by the store."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from registry.models import Event, RegisteredModel
from registry.storage import key_of
from tests.cast import Cast, client_of, publish
from tests.http_client import alice_at
from tests.matchers import refused
from tests.s3 import S3
from tests.servers import empty_database, running_server
from tests.tars import digest_of

BYTES = os.urandom(2_000_000)
FILES = "/v1/projects/vision/models/classifier/versions/1/files/"


@pytest.fixture
def model(cast: Cast, in_bucket: S3, settings: Any) -> RegisteredModel:
    settings.S3_PUBLIC_ENDPOINT_URL = in_bucket.url.replace("127.0.0.1", "localhost")
    model = cast.model()
    publish(cast.bob, model, {"große Gewichte.bin": BYTES, "README.md": b"small"})
    return model


def fetch(location: str, **headers: str) -> tuple[int, Any, bytes]:
    with urllib.request.urlopen(urllib.request.Request(location, headers=headers)) as answer:
        return answer.status, answer.headers, answer.read()


def ask(cast: Cast, path: str = "große Gewichte.bin", **headers: str) -> Any:
    return client_of(cast.dave).get(FILES + path, headers=headers)


def test_a_large_file_is_fetched_from_the_store(cast: Cast, model: RegisteredModel) -> None:
    answer = ask(cast)
    assert (answer.status_code, answer["Cache-Control"]) == (302, "no-store")
    location = urlsplit(answer["Location"])
    assert location.hostname == "localhost"
    assert location.path == f"/models/{key_of(digest_of(BYTES))}"
    assert parse_qs(location.query)["X-Amz-Expires"] == ["3600"]
    status, headers, content = fetch(answer["Location"])
    assert (status, content) == (200, BYTES)
    assert headers["Content-Disposition"].startswith("attachment;")
    assert headers["Content-Type"] == "application/octet-stream"
    assert fetch(answer["Location"], Range="bytes=1000-1009")[2] == BYTES[1000:1010]
    assert Event.objects.filter(action="version.downloaded", actor=cast.dave).exists()


def test_only_who_may_see_it_is_sent_on(cast: Cast, model: RegisteredModel) -> None:
    refused(client_of(cast.charlie).get(FILES + "große Gewichte.bin"), 404, "not_found")
    refused(client_of(None).get(FILES + "große Gewichte.bin"), 401, "not_authenticated")


def test_small_files_heads_and_conditions_are_answered_here(cast: Cast, model: RegisteredModel) -> None:
    etag = f'"{digest_of(BYTES)}"'
    assert b"".join(ask(cast, "README.md").streaming_content) == b"small"
    assert ask(cast, **{"If-None-Match": etag}).status_code == 304
    part = ask(cast, **{"If-Range": etag, "Range": "bytes=0-9"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, BYTES[:10])
    assert ask(cast, **{"Range": "bytes=9000000-"}).status_code == 416
    assert client_of(cast.dave).head(FILES + "große Gewichte.bin").status_code == 200


def test_a_lost_file_is_said_here(cast: Cast, model: RegisteredModel, in_bucket: S3) -> None:
    (in_bucket.bucket / key_of(digest_of(BYTES))).unlink()
    refused(ask(cast), 503, "blob_damaged")


def test_the_client_follows(s3: S3, tmp_path: Path) -> None:
    import lmvp

    with empty_database() as database:
        env = {**database, **s3.env, "S3_PUBLIC_ENDPOINT_URL": s3.url.replace("127.0.0.1", "localhost")}
        with running_server(tmp_path, **env) as server:
            alice = alice_at(server, env)
            alice.publish("vision/classifier", {"weights": BYTES, "README.md": b"small"})
            status, _ = alice.call("GET", f"{FILES}weights")
            assert status == 302
            client = lmvp.Client(server.url, token=alice.token)
            local = client.download("vision/classifier")
            assert (local.path / "weights").read_bytes() == BYTES
