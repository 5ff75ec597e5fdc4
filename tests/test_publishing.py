"""Publishing, from bytes to a version and back."""

from __future__ import annotations

import hashlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from registry.errors import Conflict, Invalid
from registry.models import Blob, Occurrence, Ref, Version
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, client_of, publish, send

BASE = "/v1/projects/vision/models/classifier"


def test_bytes_come_back_as_they_were_put_in(cast: Cast) -> None:
    model, content = cast.model(), bytes(range(256)) * 5000
    publish(cast.bob, model, {"weights/a.bin": content, "README.md": b"# hello"})
    response = client_of(cast.dave).get(f"{BASE}/versions/latest/files/weights/a.bin")
    assert response.status_code == 200
    assert b"".join(response.streaming_content) == content
    assert response["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'


def test_second_version_keeps_the_parents_files_and_shares_its_trees(cast: Cast) -> None:
    model = cast.model()
    first = publish(cast.bob, model, {"a/x": b"1", "b/y": b"2"})
    second = publish(cast.bob, model, {"a/x": b"3"}, message="change x")
    assert second.number == 2
    assert [parent.pk for parent in second.parents] == [first.pk]
    rows = list(Occurrence.objects.filter(first_version=second).values_list("path", flat=True))
    assert sorted(rows) == ["a", "a/x"]
    assert Ref.objects.get(model=model, name="main").version == second


def test_unknown_blob_is_refused_and_listed(cast: Cast) -> None:
    model = cast.model()
    with pytest.raises(Invalid) as refused:
        publish_version(actor=cast.bob, model=model, publication=Publication(files=[File("a", "0" * 64)]))
    assert refused.value.code == "unknown_blob"
    assert refused.value.fields == {"files": ["a"]}
    assert not Version.objects.exists()


def test_stale_parent_is_a_conflict_with_the_head(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"})
    second = publish(cast.bob, model, {"a": b"2"})
    sha = send(cast.bob, model, b"3")
    with pytest.raises(Conflict) as refused:
        publish_version(actor=cast.bob, model=model, publication=Publication(files=[File("a", sha)], parent="1"))
    assert refused.value.fields == {"head": {"number": 2, "digest": second.digest}}


def test_form_publishes_a_file_in_one_call(cast: Cast) -> None:
    cast.model()
    form = {
        "files": [SimpleUploadedFile("w.bin", b"abc"), SimpleUploadedFile("r.md", b"# r")],
        "paths": ["deep/w.bin", ""],
        "message": "from a form",
        "metadata": '{"lr": 0.1}',
        "metrics": '{"accuracy": 0.5, "note": "first"}',
    }
    response = client_of(cast.bob).post(f"{BASE}/versions/", form, format="multipart")
    assert response.status_code == 201, response.json()
    answer = response.json()
    assert answer["metadata"] == {"lr": 0.1}
    assert answer["metrics"] == {"accuracy": 0.5, "note": "first"}
    assert answer["files"] == {"count": 2, "size": 6}
    assert Blob.objects.count() == 2
