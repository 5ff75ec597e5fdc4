"""Bytes that the store has lost: every door that would read them says so, and how they are healed."""

from __future__ import annotations

import pytest

from registry import storage
from registry.models import Blob
from tests.cast import Cast, client_of, publish, send

VERSIONS = "/v1/projects/vision/models/classifier/"


@pytest.mark.parametrize(
    "door",
    ["versions/2/files/README.md", "versions/2/inspect/README.md", "versions/2/card/", "compare/1...2/files/README.md"],
)
def test_file_that_is_lost_is_said_to_be(cast: Cast, door: str) -> None:
    model = cast.model()
    for text in (b"# Seeing", b"# Seeing more"):
        publish(cast.bob, model, {"README.md": text})
    lose_all()
    answer = client_of(cast.dave).get(VERSIONS + door)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "blob_damaged")


def test_content_of_an_artifact_that_is_lost_is_said_to_be(cast: Cast) -> None:
    digest = send(cast.bob, cast.model(), b"a,b\n1,2\n")
    content = {"sha256": digest, "content_type": "text/csv"}
    body = {"project": "vision", "data": {}, "content": content}
    artifact = client_of(cast.bob).post("/v1/artifacts/", body).json()
    lose_all()
    for accepted in ("*/*", "application/json"):
        answer = client_of(cast.dave).get(f"/v1/artifacts/{artifact['id']}/$download", headers={"Accept": accepted})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "blob_damaged")


def lose_all() -> None:
    for blob in Blob.objects.all():
        storage.delete_blob(blob.pk)
