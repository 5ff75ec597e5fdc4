"""Comparing two versions: only what differs is read, and renames are told from removals."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from registry import trees
from registry.models import Tree
from registry.services.metrics import Measured
from tests.cast import Cast, client_of, publish

BASE = "/v1/projects/vision/models/classifier"


def at(content: bytes, mode: str = "100644") -> dict[str, object]:
    return {"digest": hashlib.sha256(content).hexdigest(), "size": len(content), "mode": mode}


def test_files_metadata_and_metrics_are_told_apart(cast: Cast) -> None:
    model = cast.model()
    files = {"kept": b"0", "edited": b"1", "gone": b"2", "old/name": b"345"}
    metrics = [Measured("loss", 0.5), Measured("note", "first")]
    first = publish(cast.bob, model, files, metadata={"lr": 1, "dropped": True, "same": 1}, metrics=metrics)
    files = {"kept": b"0", "edited": b"11", "new/name": b"345", "fresh": b"6"}
    metrics = [Measured("loss", 0.25), Measured("accuracy", 0.9)]
    second = publish(cast.bob, model, files, base="empty", metadata={"lr": 2, "same": 1, "more": None}, metrics=metrics)
    response = client_of(cast.dave).get(f"{BASE}/compare/1...main")
    assert response.status_code == 200
    assert response.json() == {
        "base": {"number": 1, "digest": first.digest, "deprecated": None},
        "head": {"number": 2, "digest": second.digest, "deprecated": None},
        "files": {
            "added": [{"path": "fresh", "after": at(b"6")}],
            "removed": [{"path": "gone", "before": at(b"2")}],
            "changed": [{"path": "edited", "before": at(b"1"), "after": at(b"11")}],
            "renamed": [
                {"path": "new/name", "former_path": "old/name", "before": at(b"345"), "after": at(b"345")},
            ],
            "count": {"added": 1, "removed": 1, "changed": 1, "renamed": 1},
        },
        "metadata": {
            "added": {"more": None},
            "removed": {"dropped": True},
            "changed": {"lr": {"before": 1, "after": 2}},
        },
        "metrics": [
            {"name": "accuracy", "before": None, "after": 0.9, "delta": None},
            {"name": "loss", "before": 0.5, "after": 0.25, "delta": -0.25},
            {"name": "note", "before": "first", "after": None, "delta": None},
        ],
    }


def test_a_file_that_becomes_a_directory_is_removed_and_its_files_are_added(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1", "z": b"0"})
    publish(cast.bob, model, {"a/b": b"2", "z": b"0"}, base="empty")
    files = client_of(cast.dave).get(f"{BASE}/compare/1...2").json()["files"]
    assert [file["path"] for file in files["removed"]] == ["a"]
    assert [file["path"] for file in files["added"]] == ["a/b"]


def test_only_directories_that_differ_are_read(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {f"{d}/{n}": f"{d}{n}".encode() for d in "abcdef" for n in range(3)})
    publish(cast.bob, model, {"c/1": b"other"})
    base, head = model.versions.order_by("number")
    read: list[str] = []

    def load(digests: Collection[str]) -> dict[str, bytes]:
        read.extend(digests)
        return Tree.objects.contents_of(digests)

    (difference,) = trees.compare(load, base.tree_id, head.tree_id)
    assert (difference.path, difference.kind) == ("c/1", "changed")
    assert len(read) == 4, "both roots, and both states of c"


def test_comparing_with_a_version_that_is_not_there_is_404(cast: Cast) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})
    assert client_of(cast.dave).get(f"{BASE}/compare/1...9").status_code == 404
    assert client_of(cast.charlie).get(f"{BASE}/compare/1...1").status_code == 404
    assert client_of(None).get(f"{BASE}/compare/1...1").status_code == 401
