"""One file of two versions by HTTP: its lines as a diff, its tensors by header and bytes, and what is neither."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest

from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, client_of, publish, send
from tests.matchers import refused
from tests.model_files import described, npy, safetensors

BASE = "/v1/projects/vision/models/classifier/compare"


def told(cast: Cast, path: str, query: str = "", *, between: str = "1...2") -> dict[str, Any]:
    response = client_of(cast.dave).get(f"{BASE}/{between}/files/{path}{query}")
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def two(cast: Cast, before: dict[str, bytes], after: dict[str, bytes]) -> None:
    model = cast.model()
    publish(cast.bob, model, before)
    publish(cast.bob, model, after, base="empty")


def at(content: bytes, mode: str = "100644") -> dict[str, object]:
    return {"digest": hashlib.sha256(content).hexdigest(), "size": len(content), "mode": mode}


def test_changed_text(cast: Cast) -> None:
    before, after = "a\nä\nc\n".encode(), "a\nö\nc\nd".encode()
    two(cast, {"src/träin.py": before}, {"src/träin.py": after})
    assert told(cast, "src/träin.py") == {
        "path": "src/träin.py",
        "former_path": None,
        "before": at(before),
        "after": at(after),
        "kind": "text",
        "diff": "--- a/src/träin.py\n+++ b/src/träin.py\n@@ -1,3 +1,4 @@\n a\n-ä\n+ö\n c\n+d\n\\ No newline at end of file\n",
        "additions": 2,
        "deletions": 1,
    }
    back = told(cast, "src/träin.py", between="latest...v1")
    assert (back["additions"], back["deletions"]) == (1, 2)


def test_text_that_came_and_text_that_went(cast: Cast) -> None:
    two(cast, {"went": b"a\n", "kept": b""}, {"came": b"b\n", "kept": b""})
    came, went = told(cast, "came"), told(cast, "went")
    assert (came["before"], came["after"]) == (None, at(b"b\n"))
    assert came["diff"] == "--- /dev/null\n+++ b/came\n@@ -0,0 +1 @@\n+b\n"
    assert (went["before"], went["after"]) == (at(b"a\n"), None)
    assert went["diff"] == "--- a/went\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"


def test_renamed_text(cast: Cast) -> None:
    two(cast, {"old/name": b"a\n", "x": b"1"}, {"name": b"a\n", "x": b"2"})
    found = told(cast, "name")
    assert (found["former_path"], found["before"], found["after"]) == ("old/name", at(b"a\n"), at(b"a\n"))
    assert (found["kind"], found["diff"], found["additions"]) == ("text", "", 0)


def test_unchanged_text_and_changed_mode(cast: Cast) -> None:
    model = cast.model()
    digest = send(cast.bob, model, b"a\n")
    for mode in ("100644", "100755"):
        files = [File("run", digest, mode)]
        publish_version(actor=cast.bob, model=model, publication=Publication(files=files))
    found = told(cast, "run")
    assert (found["before"], found["after"], found["diff"]) == (at(b"a\n"), at(b"a\n", "100755"), "")


def test_file_that_became_a_directory(cast: Cast) -> None:
    two(cast, {"a": b"1\n"}, {"a/b": b"2\n"})
    assert told(cast, "a")["after"] is None
    assert told(cast, "a/b")["before"] is None


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"a\0b", "binary"),
        (b"\xff\xfe", "binary"),
        (b"x" * 512 * 1024, "text"),
        (b"x" * (512 * 1024 + 1), "too_large"),
        (b"x" + "ä".encode() * 300_000, "too_large"),
        (b"\0" * (512 * 1024 + 1), "binary"),
        (b"\n" * 20_000, "text"),
        (b"\n" * 20_001, "too_large"),
        (b"safetensors, they say", "text"),
    ],
    ids=range(9),
)
@pytest.mark.parametrize("turned", [False, True])
def test_kinds_of_files(cast: Cast, content: bytes, kind: str, turned: bool) -> None:
    path = "file.safetensors"
    both = [{path: b"small\n"}, {path: content}]
    two(cast, *(both[::-1] if turned else both))
    assert told(cast, path)["kind"] == kind


def test_thousands_of_shuffled_lines_are_a_diff_too(cast: Cast) -> None:
    lines = [f"{n % 700}\n" for n in range(20_000)]
    texts = ["".join(random.Random(seed).sample(lines, len(lines))).encode() for seed in (1, 2)]
    two(cast, {"f": texts[0]}, {"f": texts[1]})
    found = told(cast, "f")
    assert found["kind"] == "text"
    assert found["additions"] == found["deletions"] > 0


BEFORE = safetensors(
    {
        "same": ("F32", [2], b"12345678"),
        "bytes": ("F32", [2], b"abcdefgh"),
        "shape": ("F32", [4], bytes(16)),
        "dtype": ("F32", [1], bytes(4)),
        "gone": ("U8", [1], b"1"),
    }
)
AFTER = safetensors(
    {
        "fresh": ("BF16", [], b"12"),
        "dtype": ("I32", [1], bytes(4)),
        "shape": ("F32", [2, 2], bytes(16)),
        "bytes": ("F32", [2], b"abcdefgH"),
        "same": ("F32", [2], b"12345678"),
    }
)
CHANGED = [
    {
        "name": "dtype",
        "differs": ["dtype"],
        "before": {"dtype": "F32", "shape": [1]},
        "after": {"dtype": "I32", "shape": [1]},
    },
    {
        "name": "shape",
        "differs": ["shape"],
        "before": {"dtype": "F32", "shape": [4]},
        "after": {"dtype": "F32", "shape": [2, 2]},
    },
]


def test_tensors_are_told_apart(cast: Cast) -> None:
    two(cast, {"w.safetensors": BEFORE}, {"w.safetensors": AFTER})
    same_type = {"dtype": "F32", "shape": [2]}
    assert told(cast, "w.safetensors") == {
        "path": "w.safetensors",
        "former_path": None,
        "before": at(BEFORE),
        "after": at(AFTER),
        "kind": "tensors",
        "format": "safetensors",
        "bytes_compared": True,
        "tensors": {
            "added": [{"name": "fresh", "dtype": "BF16", "shape": []}],
            "removed": [{"name": "gone", "dtype": "U8", "shape": [1]}],
            "changed": [
                {"name": "bytes", "differs": ["bytes"], "before": same_type, "after": same_type},
                *CHANGED,
            ],
            "count": {"added": 1, "removed": 1, "changed": 3, "unchanged": 1, "not_compared": 0},
        },
    }


def test_headers_alone_when_asked(cast: Cast) -> None:
    two(cast, {"w.safetensors": BEFORE}, {"w.safetensors": AFTER})
    found = told(cast, "w.safetensors", "?bytes=false")
    assert found["bytes_compared"] is False
    assert found["tensors"]["changed"] == CHANGED
    assert found["tensors"]["count"] == {"added": 1, "removed": 1, "changed": 2, "unchanged": 0, "not_compared": 2}
    assert told(cast, "w.safetensors", "?bytes=true")["bytes_compared"] is True


def test_same_bytes_are_not_compared_again(cast: Cast) -> None:
    two(cast, {"w.safetensors": BEFORE, "x": b"1"}, {"renamed.safetensors": BEFORE, "x": b"2"})
    found = told(cast, "renamed.safetensors", "?bytes=false")
    assert found["former_path"] == "w.safetensors"
    assert (found["bytes_compared"], found["tensors"]["count"]["unchanged"]) == (True, 5)


def test_tensors_that_came_and_went_with_their_file(cast: Cast) -> None:
    two(cast, {"a": b"1"}, {"a": b"1", "w.safetensors": BEFORE})
    came = told(cast, "w.safetensors")["tensors"]["count"]
    went = told(cast, "w.safetensors", between="2...1")["tensors"]["count"]
    assert came == {"added": 5, "removed": 0, "changed": 0, "unchanged": 0, "not_compared": 0}
    assert went == {"added": 0, "removed": 5, "changed": 0, "unchanged": 0, "not_compared": 0}


def test_arrays_of_numpy_are_compared_too(cast: Cast) -> None:
    two(cast, {"a.npy": npy(described(), b"12345678")}, {"a.npy": npy(described(), b"12345679")})
    found = told(cast, "a.npy")
    assert (found["kind"], found["format"], found["tensors"]["count"]["changed"]) == ("tensors", "npy", 1)


def test_many_tensors_are_counted_and_the_first_listed(cast: Cast) -> None:
    many = {f"t{n}": ("U8", [1], b"1") for n in range(1500)}
    two(cast, {"w.safetensors": safetensors({})}, {"w.safetensors": safetensors(many)})
    found = told(cast, "w.safetensors")["tensors"]
    assert (len(found["added"]), found["count"]["added"]) == (1000, 1500)


@pytest.mark.parametrize("said", ["", "1", "yes", "True"])
def test_bytes_is_true_or_false(cast: Cast, said: str) -> None:
    two(cast, {"a": b"1"}, {"a": b"2"})
    response = client_of(cast.dave).get(f"{BASE}/1...2/files/a?bytes={said}")
    assert response.status_code == (400 if said else 200)


@pytest.mark.parametrize("path", ["nothing", "d", "d/../a", "a/x", ""])
def test_path_that_neither_version_has_as_a_file(cast: Cast, path: str) -> None:
    two(cast, {"a": b"1", "d/x": b"1"}, {"a": b"2", "d/x": b"2"})
    refused(client_of(cast.dave).get(f"{BASE}/1...2/files/{path}"), 404, "not_found")


def test_who_sees_no_model_sees_no_difference(cast: Cast) -> None:
    two(cast, {"a": b"1"}, {"a": b"2"})
    refused(client_of(cast.charlie).get(f"{BASE}/1...2/files/a"), 404, "not_found")
    refused(client_of(None).get(f"{BASE}/1...2/files/a"), 401, "not_authenticated")
    refused(client_of(cast.dave).get(f"{BASE}/1...9/files/a"), 404, "not_found")
