"""Looking into files by HTTP: headers of model files in pages, and the card of a version with its front matter."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.db import connection

from registry.models import Visibility
from registry.services.projects import update_project
from tests.cast import Cast, client_of, publish
from tests.matchers import refused
from tests.model_files import array, entry, gguf, safetensors, safetensors_of, text

BASE = "/v1/projects/vision/models/classifier/versions"
WEIGHTS = safetensors(
    {
        "hidden.weight": ("F32", [2, 3], b"h" * 24),
        "hidden.bias": ("F32", [2], b"b" * 8),
        "steps": ("I64", [], bytes(8)),
    },
    {"format": "pt"},
)


def get(cast: Cast, path: str, revision: str = "1", query: str = "") -> Any:
    return client_of(cast.dave).get(f"{BASE}/{revision}/inspect/{path}{query}")


def test_a_header_tells_tensors_types_and_metadata(cast: Cast) -> None:
    publish(cast.bob, cast.model(), {"deep/wäights.safetensors": WEIGHTS})
    response = get(cast, "deep/wäights.safetensors", "main")
    start = len(WEIGHTS) - 40
    assert response.status_code == 200
    assert response.json() == {
        "path": "deep/wäights.safetensors",
        "digest": hashlib.sha256(WEIGHTS).hexdigest(),
        "size": len(WEIGHTS),
        "format": "safetensors",
        "parameters": 9,
        "dtypes": {"F32": {"tensors": 2, "parameters": 8}, "I64": {"tensors": 1, "parameters": 1}},
        "tensors": {
            "count": 3,
            "offset": 0,
            "results": [
                {"name": name, "dtype": dtype, "shape": shape, "parameters": parameters, "begin": begin, "size": size}
                for name, dtype, shape, parameters, begin, size in [
                    ("hidden.weight", "F32", [2, 3], 6, start, 24),
                    ("hidden.bias", "F32", [2], 2, start + 24, 8),
                    ("steps", "I64", [], 1, start + 32, 8),
                ]
            ],
        },
        "metadata": {"format": "pt"},
        "metadata_cut": [],
    }


def test_a_tensor_is_one_range_of_the_file(cast: Cast) -> None:
    publish(cast.bob, cast.model(), {"w.safetensors": WEIGHTS})
    bias = get(cast, "w.safetensors").json()["tensors"]["results"][1]
    wanted = f"bytes={bias['begin']}-{bias['begin'] + bias['size'] - 1}"
    response = client_of(cast.dave).get(f"{BASE}/1/files/w.safetensors", headers={"Range": wanted})
    assert b"".join(response.streaming_content) == b"b" * 8


def test_tensors_come_in_pages(cast: Cast) -> None:
    content = safetensors({f"t{n:04}": ("U8", [1], b"1") for n in range(1500)})
    publish(cast.bob, cast.model(), {"w.safetensors": content})
    first = get(cast, "w.safetensors").json()
    assert (first["parameters"], first["tensors"]["count"], len(first["tensors"]["results"])) == (1500, 1500, 1000)
    rest = get(cast, "w.safetensors", query="?offset=1000").json()["tensors"]
    assert [one["name"] for one in rest["results"]] == [f"t{n:04}" for n in range(1000, 1500)]
    few = get(cast, "w.safetensors", query="?offset=7&limit=2").json()["tensors"]
    assert (few["offset"], [one["name"] for one in few["results"]]) == (7, ["t0007", "t0008"])
    assert get(cast, "w.safetensors", query="?limit=0").json()["tensors"]["results"] == []


@pytest.mark.parametrize(
    "query", ["offset=-1", "offset=x", "offset=1.5", "offset=100001", "limit=1001", "limit=٣", "limit=" + "9" * 5000]
)
def test_pages_that_cannot_be(cast: Cast, query: str) -> None:
    publish(cast.bob, cast.model(), {"w.safetensors": WEIGHTS})
    refused(get(cast, "w.safetensors", query=f"?{query}"), 400, "invalid")


def test_what_is_long_is_cut_and_named(cast: Cast) -> None:
    words = array(8, 1000, text("word") * 1000)
    content = gguf([entry("template", 8, text("x" * 100_000)), entry("tokens", 9, words)])
    publish(cast.bob, cast.model(), {"w.gguf": content})
    told = get(cast, "w.gguf").json()
    assert told["metadata_cut"] == ["template", "tokens"]
    assert len(told["metadata"]["template"]) == 8192
    assert told["metadata"]["tokens"] == {"type": "string", "count": 1000, "first": ["word"] * 16}


def test_a_header_that_lies_is_refused_with_what_is_wrong(cast: Cast) -> None:
    lying = safetensors_of({"a": {"dtype": "F32", "shape": [2**60], "data_offsets": [0, 4]}}, bytes(4))
    publish(cast.bob, cast.model(), {"w.safetensors": lying})
    error = refused(get(cast, "w.safetensors"), 400, "not_readable")
    assert error["message"] == (
        "The header of this safetensors file cannot be read: 'a' has 4 bytes, which do not fit its shape and dtype."
    )


def test_other_files_have_no_header(cast: Cast) -> None:
    publish(cast.bob, cast.model(), {"train.py": b"print()"})
    error = refused(get(cast, "train.py"), 400, "no_header")
    assert "safetensors, GGUF (.gguf), ONNX (.onnx) and NumPy (.npy, .npz)" in error["message"]


@pytest.mark.parametrize("path", ["nothing", "deep", "deep/../w.safetensors", "w.safetensors/x", ""])
def test_path_that_is_no_file(cast: Cast, path: str) -> None:
    publish(cast.bob, cast.model(), {"w.safetensors": WEIGHTS, "deep/x": b"1"})
    refused(get(cast, path), 404, "not_found")


@pytest.mark.parametrize("below", ["inspect/w.safetensors", "card/"])
def test_outsiders_learn_nothing(cast: Cast, below: str) -> None:
    publish(cast.bob, cast.model(), {"w.safetensors": WEIGHTS})
    assert client_of(None).get(f"{BASE}/1/{below}").status_code == 401
    hidden, missing = (client_of(cast.charlie).get(f"{BASE}/{revision}/{below}") for revision in ("1", "99"))
    assert (hidden.status_code, hidden.json()) == (missing.status_code, missing.json())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "below", ["versions/1/inspect/w.safetensors", "versions/1/card/", "compare/1...1/files/w.safetensors"]
)
def test_no_database_connection_is_held_while_bytes_are_read(postgresql: None, below: str) -> None:
    from tests.cast import make_cast

    cast = make_cast()
    publish(cast.bob, cast.model(), {"w.safetensors": WEIGHTS, "README.md": b"# hi"})
    client = client_of(cast.dave)
    response = client.get(f"/v1/projects/vision/models/classifier/{below}")
    assert response.status_code == 200
    assert connection.connection is None, "given back, and not asked for again"


# --- Cards

README = "---\nlicense: mit\ntags: [digits, small]\nreleased: 2026-08-01\n---\n# Reading digits\n"


def card(cast: Cast, content: bytes | str) -> dict[str, Any]:
    raw = content.encode() if isinstance(content, str) else content
    publish(cast.bob, cast.model(), {"README.md": raw})
    response = client_of(cast.dave).get(f"{BASE}/latest/card/")
    assert response.status_code == 200
    told: dict[str, Any] = response.json()
    assert (told.pop("path"), told.pop("digest"), told.pop("size")) == (
        "README.md",
        hashlib.sha256(raw).hexdigest(),
        len(raw),
    )
    return told


def test_a_card_is_its_text_and_its_front_matter(cast: Cast) -> None:
    assert card(cast, README) == {
        "text": "# Reading digits\n",
        "truncated": False,
        "metadata": {"license": "mit", "tags": ["digits", "small"], "released": "2026-08-01"},
        "problem": None,
    }


@pytest.mark.parametrize(
    "content",
    ["", "# hi\n", "---\nlicense: mit\n", "text\n---\na: 1\n---\n", "----\na: 1\n----\n", " ---\na: 1\n---\n"],
)
def test_a_card_without_front_matter_is_its_text(cast: Cast, content: str) -> None:
    assert card(cast, content) == {"text": content, "truncated": False, "metadata": {}, "problem": None}


def test_front_matter_as_windows_writes_it(cast: Cast) -> None:
    told = card(cast, "\ufeff---\r\nlicense: mit\r\n---\r\n# hi\r\n")
    assert (told["metadata"], told["text"]) == ({"license": "mit"}, "# hi\r\n")


BILLION = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [*{was}, *{was}]\n" for was, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "front",
    [
        BILLION,
        "a: &a 1",
        "a: &a\n  <<: *a",
        "a: !!python/object/apply:os.system [true]",
        "a: !!timestamp x",
        "a: !!binary aGk=",
        "- a",
        "just words",
        "a: [",
        "a: 2026-99-99",
        'a: "\\ud800"',
        "a: " + "9" * 5000,
        "a: 0x" + "f" * 5000,
        "a: " + "1:" * 30_000 + "1",
        "? [a]\n: 1",
        "[" * 60_000,
        "{" * 60_000,
        "? " * 30_000,
        "a:\n" + "".join(" " * n + "b:\n" for n in range(1, 300)),
        "a: " + "x" * 70_000,
        "a: \x07",
    ],
    ids=range(21),
)
def test_front_matter_that_is_not_read_stays_in_the_text(cast: Cast, front: str) -> None:
    content = f"---\n{front}\n---\n# hi\n"
    told = card(cast, content)
    assert told["problem"].startswith("The front matter")
    assert (told["text"], told["metadata"]) == (content, {})


def test_what_json_cannot_hold_is_a_text(cast: Cast) -> None:
    told = card(cast, "---\na: .nan\nb: -.inf\n1: 2026-08-01 10:00:00\nnull: ~\nc: 1e3\nd: 0.5\ne: yes\n---\n")
    assert told["metadata"] == {
        "a": "nan",
        "b": "-inf",
        "1": "2026-08-01T10:00:00",
        "None": None,
        "c": "1e3",
        "d": 0.5,
        "e": True,
    }


def test_a_long_card_is_cut_between_characters(cast: Cast) -> None:
    told = card(cast, "x" + "ä" * 300_000)
    assert (told["truncated"], told["text"]) == (True, "x" + "ä" * 262_143)


def test_a_card_that_is_no_text_is_shown_as_it_can_be(cast: Cast) -> None:
    assert card(cast, b"# h\xffi\0")["text"] == "# h\ufffdi\0"


@pytest.mark.parametrize(
    "files", [{"a": b"1"}, {"docs/README.md": b"# hi"}, {"readme.md": b"# hi"}, {"README.md/x": b"1"}]
)
def test_a_version_without_a_card(cast: Cast, files: dict[str, bytes]) -> None:
    publish(cast.bob, cast.model(), files)
    error = refused(client_of(cast.dave).get(f"{BASE}/1/card/"), 404, "no_card")
    assert "README.md" in error["message"]


def test_anybody_may_learn_that_a_public_version_has_no_card(cast: Cast) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})
    update_project(actor=cast.alice, project=cast.project, visibility=Visibility.PUBLIC)
    refused(client_of(None).get(f"{BASE}/1/card/"), 404, "no_card")
