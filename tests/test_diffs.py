"""Unified diffs that `patch` applies, soon whatever the lines are; and tensors compared by their bytes in pieces."""

from __future__ import annotations

import difflib
import io
import random
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from registry.diffs import tensors
from registry.diffs.tensors import Bytes
from registry.diffs.text import MAX_LINES, MAX_WORK, _Matching, lines_of, readable, unified
from registry.headers.reading import Tensor


def diff(before: str, after: str, *, former_path: str | None = "f", path: str | None = "f") -> str:
    return unified(lines_of(before), lines_of(after), former_path=former_path, path=path).diff


def test_a_change_stands_in_its_context() -> None:
    before = "".join(f"{n}\n" for n in range(20))
    found = unified(
        lines_of(before), lines_of(before.replace("9\n", "nine\n", 1).replace("18\n", "")), former_path="f", path="f"
    )
    assert found.diff == (
        "--- a/f\n+++ b/f\n"
        "@@ -7,7 +7,7 @@\n 6\n 7\n 8\n-9\n+nine\n 10\n 11\n 12\n"
        "@@ -16,5 +16,4 @@\n 15\n 16\n 17\n-18\n 19\n"
    )
    assert (found.additions, found.deletions) == (1, 2)


def test_no_difference_is_no_text() -> None:
    assert diff("a\n", "a\n") == diff("", "") == ""


def test_file_that_came_and_file_that_went() -> None:
    assert diff("", "a\nb\n", former_path=None) == "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n"
    assert diff("a\n", "", path=None) == "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"


def test_missing_newline_at_the_end_is_told() -> None:
    marker = "\\ No newline at end of file\n"
    assert diff("a\nb", "a\nb\n").endswith(f"@@ -1,2 +1,2 @@\n a\n-b\n{marker}+b\n")
    assert diff("a\nb", "c\nb").endswith(f"@@ -1,2 +1,2 @@\n-a\n+c\n b\n{marker}")


def test_a_moved_function_is_not_torn_apart() -> None:
    before = "def one():\n    return 1\n\n\ndef two():\n    return 2\n\n\n"
    found = diff(before, before + "def three():\n    return 3\n\n\n")
    assert [line for line in found.splitlines() if line.startswith("-")] == ["--- a/f"]


def test_only_a_newline_ends_a_line() -> None:
    assert lines_of("a\rb\u2028c\x0cd\r\ne") == ["a\rb\u2028c\x0cd\r\n", "e"]
    assert lines_of("") == []


@pytest.mark.parametrize(
    "raw", [b"\0", b"a\0b", b"\xff", "ü".encode()[:1], "ä".encode("latin-1"), "\ud800".encode(errors="surrogatepass")]
)
def test_what_is_no_text(raw: bytes) -> None:
    assert readable(raw) is None


@pytest.fixture(scope="module")
def patch() -> str:
    program = shutil.which("patch")
    if not program:
        pytest.skip("needs patch")
    return program


def apply(patch: str, place: Path, before: str, after: str, path: str = "f") -> None:
    """Assert that the real program makes `after` of `before` by our diff."""
    file = place / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(before.encode())
    found = diff(before, after, former_path=path, path=path)
    if found:
        subprocess.run([patch, "-p1", "-s", "-f", "-F0"], cwd=place, input=found.encode(), check=True)
    assert (file.read_bytes() if file.exists() else b"") == after.encode()


def test_patch_applies_it(patch: str, tmp_path: Path) -> None:
    chance = random.Random(3)
    for _ in range(150):
        words = chance.choice(["ab", "abcde", "abcdefghijklmnopqrstuvwxyz"])
        before = [chance.choice(words) for _ in range(chance.randrange(40))]
        after = list(before)
        for _ in range(chance.randrange(8)):
            place = chance.randrange(len(after) + 1)
            after[place : place + chance.randrange(3)] = [chance.choice(words)] * chance.randrange(3)
        texts = ["\n".join(lines) + chance.choice(["", "\n"] if lines else [""]) for lines in (before, after)]
        apply(patch, tmp_path, *texts)


@pytest.mark.parametrize("path", ["with space/and more.txt", "ä/日本.txt", "-p0", "a\u2028b"])
def test_patch_finds_the_file(patch: str, tmp_path: Path, path: str) -> None:
    apply(patch, tmp_path, "a\nb\r\nc", "a\nB\r\nc\n", path)


def test_patch_makes_and_deletes_files(patch: str, tmp_path: Path) -> None:
    for before, after, paths in (("", "a\nb", (None, "f")), ("a\nb", "", ("f", None))):
        found = diff(before, after, former_path=paths[0], path=paths[1])
        subprocess.run([patch, "-p1", "-s"], cwd=tmp_path, input=found.encode(), check=True)
        assert (tmp_path / "f").exists() == bool(after)


def test_as_few_lines_change_as_have_to() -> None:
    chance = random.Random(4)
    for _ in range(200):
        before, after = ([chance.choice("abc") + "\n" for _ in range(chance.randrange(20))] for _ in range(2))
        found = unified(before, after, former_path="f", path="f")
        best = sum(
            size for _, _, size in difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
        )
        assert len(before) - found.deletions == len(after) - found.additions
        assert len(before) - found.deletions >= best - 2


HOSTILE = {
    "all different": lambda n: f"line {n}\n",
    "all the same": lambda n: "line\n",
    "two kinds": lambda n: f"{n % 2}\n",
    "ten kinds": lambda n: f"{n % 10}\n",
    "each line twice": lambda n: f"{n // 2}\n",
    "hundreds of kinds": lambda n: f"{n % 500}\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_work_is_bounded_whatever_the_lines_are(kind: str) -> None:
    chance = random.Random(5)
    lines = [HOSTILE[kind](n) for n in range(MAX_LINES)]
    before, after = (chance.sample(lines, len(lines)) for _ in range(2))
    matching = _Matching(before, after)
    for i, j, length in matching.blocks():
        assert before[i : i + length] == after[j : j + length]
    assert matching._left > -MAX_WORK / 20, "the work went on when it was used up"


def test_turned_round_it_is_a_diff_all_the_same(patch: str, tmp_path: Path) -> None:
    lines = [f"{n}\n" for n in range(3000)]
    apply(patch, tmp_path, "".join(lines), "".join(lines[::-1]))


# --- Tensors


def stored(*contents: bytes) -> tuple[list[Tensor], bytes]:
    """Tensors a, b, c … one behind the other, of bytes."""
    raw = b"".join(contents)
    starts = [sum(map(len, contents[:n])) for n in range(len(contents))]
    told = [
        Tensor(chr(ord("a") + n), "U8", (len(content),), starts[n], len(content)) for n, content in enumerate(contents)
    ]
    return told, raw


def compared(
    before: tuple[list[Tensor], bytes], after: tuple[list[Tensor], bytes], budget: int | None = None
) -> dict[str, object]:
    files = io.BytesIO(before[1]), io.BytesIO(after[1])
    found = tensors.compare(before[0], after[0], Bytes(*files, budget=budget).same)
    return {
        "added": [one.name for one in found.added],
        "removed": [one.name for one in found.removed],
        "changed": {one.after.name: one.differs for one in found.changed},
        "unchanged": found.unchanged,
        "not_compared": found.not_compared,
    }


def test_bytes_of_tensors_are_compared_wherever_they_stand() -> None:
    names = ["x", "y", "z"]
    before = [Tensor(name, "U8", (2,), 2 * n, 2) for n, name in enumerate(names)], b"xxyyzz"
    after = [Tensor(name, "U8", (2,), 4 - 2 * n, 2) for n, name in enumerate(names)], b"zzyYxx"
    assert compared(before, after) == {
        "added": [],
        "removed": [],
        "changed": {"y": ["bytes"]},
        "unchanged": 2,
        "not_compared": 0,
    }


@pytest.mark.parametrize("place", [0, 64 * 1024 - 1, 64 * 1024, 2**20 + 64 * 1024, 2_500_000 - 1])
def test_one_byte_is_found_wherever_it_is(place: int) -> None:
    content = bytearray(2_500_000)
    before = stored(bytes(content), b"same")
    content[place] = 1
    assert compared(before, stored(bytes(content), b"same"))["changed"] == {"a": ["bytes"]}


def test_what_the_budget_does_not_reach_is_not_called_the_same() -> None:
    both = stored(bytes(1000), bytes(1000), b"")
    assert compared(both, both, budget=2000)["not_compared"] == 1
    assert compared(both, both, budget=0)["not_compared"] == 2, "an empty tensor costs nothing"
    assert compared(both, both, budget=4000)["unchanged"] == 3


def test_a_difference_at_the_beginning_costs_one_piece() -> None:
    before, after = (stored(*[first + bytes(10_000_000 - 1)] * 3) for first in (b"1", b"2"))
    assert compared(before, after, budget=6 * 64 * 1024)["changed"] == {name: ["bytes"] for name in "abc"}


def test_other_shapes_and_types_are_told_without_reading() -> None:
    before = [Tensor("a", "F32", (2,), 0, 8), Tensor("b", "F32", (2,), 8, 8)], b""
    after = [Tensor("a", "F32", (1, 2), 0, 8), Tensor("b", "I16", (4,), 8, 8)], b""
    assert compared(before, after)["changed"] == {"a": ["shape"], "b": ["dtype", "shape"]}


def test_tensors_whose_place_nobody_knows_are_not_compared() -> None:
    both = [Tensor("a", "<f4", (2,), None, 8), Tensor("b", "type 99", (2,), 0, None)], b""
    assert compared(both, both)["not_compared"] == 2


def test_comparing_takes_constant_memory() -> None:
    both = stored(bytes(30_000_000))
    tracemalloc.start()
    try:
        compared(both, both)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
