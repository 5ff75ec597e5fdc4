"""Small Parquet files that mean gigabytes, and such that lie about themselves: told as no table, in little memory."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pyarrow import parquet

from registry.frames import NoTable
from registry.parquet import from_parquet
from registry.parquet_pages import BadPages, read_pages
from tests.cast import Cast, client_of, publish
from tests.matchers import refused

ROOT = Path(__file__).resolve().parent.parent
MEGABYTE = 2**20
PARQUET = "application/vnd.apache.parquet"
RECORDS = "application/vnd.chapkit.dataframe+json"


def written(columns: dict[str, Any], **how: Any) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file, **{"compression": "zstd"} | how)
    return file.getvalue()


def same(value: Any, count: int, kind: Any = None) -> pyarrow.Array:
    """The same value so many times, kept once."""
    return pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0] * count, pyarrow.int32()), pyarrow.array([value], kind)
    )


def rows_of(content: bytes, **bounds: Any) -> list[Any]:
    return list(from_parquet(io.BytesIO(content), **bounds)[1])


BOMBS = {
    "texts": lambda: written({"a": same("x" * 40 * MEGABYTE, 100_000)}),
    "bytes": lambda: written({"a": same(b"x" * 40 * MEGABYTE, 100_000)}),
    "texts in lists": lambda: written(
        {"a": pyarrow.ListArray.from_arrays([0, 50_000, 100_000], same("x" * MEGABYTE, 100_000))}
    ),
    "texts in objects": lambda: written(
        {"a": pyarrow.StructArray.from_arrays([same("x" * 40 * MEGABYTE, 100_000)], names=["b"])}
    ),
    "texts of many columns": lambda: written({f"c{n}": same("x" * MEGABYTE, 1000) for n in range(30)}),
    "a list": lambda: written(
        {"a": pyarrow.ListArray.from_arrays([0, 40_000_000], pyarrow.nulls(40_000_000, pyarrow.int64()))}
    ),
}
READ = """
import sys
from registry.frames import NoTable
from registry.parquet import from_parquet
said = "all of it"
try:
    for row in from_parquet(open(sys.argv[1], "rb"), most_group_bytes=int(sys.argv[2]))[1]:
        pass
except NoTable as error:
    said = error
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak) // 1024, said)
"""


def read_aside(content: bytes, place: Path, *, most_group_bytes: int = 256 * MEGABYTE) -> tuple[int, str]:
    """Read a file to its end in a process of its own; return the MiB that it took, and what was said in the end."""
    file = place / "a.parquet"
    file.write_bytes(content)
    command = [sys.executable, "-c", READ, file, str(most_group_bytes)]
    read = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    peak, _, said = read.stdout.partition(" ")
    return int(peak), said.strip()


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_that_means_gigabytes_is_refused_in_little_memory(tmp_path: Path, bomb: str) -> None:
    content = BOMBS[bomb]()
    assert len(content) < MEGABYTE
    taken, said = read_aside(content, tmp_path)
    assert said.startswith(("a row takes more than", "a row group is larger than"))
    assert taken < 512  # MiB, the reader itself among them


def test_rows_that_fit_one_by_one_come_one_by_one() -> None:
    rows = from_parquet(io.BytesIO(written({"a": same("x" * 10 * MEGABYTE, 5000)})))[1]
    assert [len(next(rows)[0]) for _ in range(3)] == [10 * MEGABYTE] * 3


def test_what_is_read_ends_where_it_would_be_too_much() -> None:
    content = written({"a": same("x" * MEGABYTE, 5000)})
    with pytest.raises(NoTable, match="take more than"):
        rows_of(content, most_bytes=40 * MEGABYTE)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"data_page_version": "2.0"},
        {"use_dictionary": False, "column_encoding": {"t": "DELTA_BYTE_ARRAY"}},
        {"use_dictionary": False, "column_encoding": {"t": "DELTA_LENGTH_BYTE_ARRAY"}},
        {"compression": "none", "row_group_size": 700},
    ],
    ids=str,
)
def test_every_kind_of_page_and_value_is_read(how: dict[str, Any]) -> None:
    columns = {
        "t": ["same", None, "x"] * 1000,
        "n": list(range(3000)),
        "l": [["a", "b"], None, []] * 1000,
        "o": [{"a": "b", "c": [1]}, None, {"a": None, "c": []}] * 1000,
        "m": pyarrow.array([[("k", "v")], None, []] * 1000, pyarrow.map_(pyarrow.string(), pyarrow.string())),
        "f": pyarrow.array([b"abc"] * 3000, pyarrow.binary(3)),
        "c": pyarrow.array(["a", "b", None] * 1000).dictionary_encode(),
        "i": pyarrow.DictionaryArray.from_arrays([0, 1, 0] * 1000, [5, 6]),
        "large": pyarrow.array(["a", "b", None] * 1000, pyarrow.large_string()),
        "nothing": pyarrow.nulls(3000),
    }
    table = pyarrow.table(columns)
    expected = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    assert rows_of(written(columns, **how)) == expected


def test_a_prefix_said_once_is_read_in_little_memory(tmp_path: Path) -> None:
    """pyarrow would decode a thousand rows at once."""
    how = {"use_dictionary": False, "column_encoding": {"a": "DELTA_BYTE_ARRAY"}}
    content = written({"a": ["x" * (MEGABYTE // 2)] * 1000}, **how)
    taken, said = read_aside(content, tmp_path, most_group_bytes=16 * MEGABYTE)
    assert said == "all of it"
    assert taken < 256


# --- Files that lie


def lying(body: bytes, footer: bytes) -> bytes:
    """The pages of one file under the footer of another."""
    length = int.from_bytes(footer[-8:-4], "little") + 8
    end = len(body) - int.from_bytes(body[-8:-4], "little") - 8
    assert end <= len(footer) - length
    return body[:end] + bytes(len(footer) - length - end) + footer[-length:]


def test_a_footer_that_tells_of_less_than_the_pages_hold_is_not_believed() -> None:
    kind = pyarrow.list_(pyarrow.int64())
    how = {"compression": "none", "write_batch_size": 2**26, "data_page_size": 2**30, "max_rows_per_page": 2**26}
    body = written({"a": pyarrow.array([[7] * 3_000_000], kind)}, **how)
    footer = written({"a": pyarrow.array([list(range(3000))], kind)}, **how, use_dictionary=True)
    content = lying(body, footer)
    about = parquet.ParquetFile(io.BytesIO(content)).metadata.row_group(0)
    assert about.column(0).num_values == 3000
    assert about.total_byte_size < MEGABYTE
    with pytest.raises(NoTable, match="row group is larger"):
        rows_of(content, most_group_bytes=MEGABYTE)


def test_pages_are_added_up_as_the_writer_wrote_them() -> None:
    content = written({"a": list(range(50_000)), "b": ["x"] * 50_000}, data_page_size=1000, write_page_index=True)
    group = parquet.ParquetFile(io.BytesIO(content)).metadata.row_group(0)
    for number in range(2):
        chunk = group.column(number)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        pages = read_pages(
            io.BytesIO(content), start=start, length=chunk.total_compressed_size, values=chunk.num_values
        )
        assert pages.values == 50_000
        assert pages.count > 1
        assert 0 < pages.bytes <= chunk.total_uncompressed_size  # which counts the headers too


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "does not end"),
        (b"\x15", "does not end"),
        (b"\x15\x00\x15", "does not end"),
        (b"\x00", "no header"),
        (b"\xff" * 40, "no header"),
        (b"\x15" + b"\xff" * 40, "too long"),
        (b"\x15\x00\x15\x01\x15\x00\x00", "no header"),  # a negative size
        (b"\x5c" * 40, "too deeply"),
        (b"\x18\xff\xff\xff\xff\x7f", "does not end"),
        (b"\x19\xff\xff\xff\xff\x7f", "no header"),  # a list
    ],
    ids=repr,
)
def test_pages_that_are_none(raw: bytes, said: str) -> None:
    with pytest.raises(BadPages, match=said):
        read_pages(io.BytesIO(raw), start=0, length=100, values=1)


def test_pages_of_nothing_come_to_an_end() -> None:
    with pytest.raises(BadPages, match="pages"):
        read_pages(io.BytesIO(b"\x15\x00\x15\x00\x15\x00\x00" * 200_000), start=0, length=2**40, values=1)


# --- At the doors


@pytest.mark.django_db
def test_a_bomb_is_told_of_at_every_door(cast: Cast) -> None:
    content = BOMBS["texts"]()
    model, alice = cast.model(), client_of(cast.alice)
    publish(cast.alice, model, {"bomb.parquet": content})
    form = {"project": "vision", "data": "{}", "content": SimpleUploadedFile("a", content, PARQUET)}
    answer = alice.post("/v1/artifacts/", form, format="multipart")
    made = answer.json()["id"]
    refused(alice.get(f"/v1/artifacts/{made}/$download", headers={"Accept": RECORDS}), 406, "conversion_not_available")
    alice.force_login(cast.alice)
    said = {"classifier/versions/1/files/bomb.parquet": "a row takes more than the 16,777,216 bytes"}
    said |= {f"-/artifacts/{made}/": "a row group is larger than the 33,554,432 bytes"}
    for page, words in said.items():
        assert words in alice.get(f"/vision/{page}").content.decode()
