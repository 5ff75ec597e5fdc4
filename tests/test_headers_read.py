"""Headers of honest files: every format's tensors, shapes, types, places and metadata, and nothing but them."""

from __future__ import annotations

import io
import math
import struct
import zipfile
from typing import Any

import numpy
import pytest

from registry.headers.formats import read_header
from registry.headers.numpy import in_words
from registry.headers.reading import MAX_TEXT, Header, Tensor
from tests.model_files import (
    array,
    described,
    entry,
    gguf,
    info,
    initializer,
    message,
    npy,
    number,
    onnx,
    port,
    safetensors,
    safetensors_of,
    text,
    zipped,
)

FOUR, EIGHT = bytes(4), bytes(8)


def read(path: str, content: bytes) -> Header:
    header = read_header(path, io.BytesIO(content), len(content))
    assert header
    return header


def saved(save: Any, *arrays: Any, **named: Any) -> bytes:
    out = io.BytesIO()
    save(out, *arrays, **named)
    return out.getvalue()


# --- safetensors


def test_safetensors() -> None:
    content = safetensors(
        {
            "weight": ("F32", [2, 3], b"w" * 24),
            "none": ("I64", [0, 5], b""),
            "scalar": ("BF16", [], b"12"),
            "packed": ("F4", [4], b"12"),
        },
        {"format": "pt", "who": "ädä"},
    )
    header = read("x.safetensors", content)
    start = len(content) - 28
    assert header.format == "safetensors"
    assert header.tensors == [
        Tensor("weight", "F32", (2, 3), start, 24),
        Tensor("none", "I64", (0, 5), start + 24, 0),
        Tensor("scalar", "BF16", (), start + 24, 2),
        Tensor("packed", "F4", (4,), start + 26, 2),
    ]
    assert header.parameters == 6 + 0 + 1 + 4
    assert header.notes.values == {"format": "pt", "who": "ädä"}
    assert header.notes.cut == []


def test_safetensors_in_another_order_padded_and_with_more_said_of_a_tensor() -> None:
    said = b'{"b": {"data_offsets": [1, 3], "dtype": "U8", "shape": [2], "more": []}, "a": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]}}'
    header = read("x.SafeTensors", safetensors_of(said + b"   ", b"123"))
    assert [(tensor.name, tensor.begin, tensor.size) for tensor in header.tensors] == [("b", 146, 2), ("a", 145, 1)]


def test_empty_safetensors() -> None:
    header = read("x.safetensors", safetensors_of({"__metadata__": None}))
    assert (header.tensors, header.parameters, header.notes.values) == ([], 0, {})


def test_long_metadata_is_cut_and_named() -> None:
    header = read("x.safetensors", safetensors({}, {"short": "s", "long": "ä" * (MAX_TEXT + 1)}))
    assert header.notes.values == {"short": "s", "long": "ä" * MAX_TEXT}
    assert header.notes.cut == ["long"]


def test_much_metadata_is_cut_to_its_beginnings() -> None:
    header = read("x.safetensors", safetensors({}, {f"{n}": "x" * MAX_TEXT for n in range(1000)}))
    assert len(header.notes.values) == 1000
    assert sum(map(len, header.notes.values.values())) < 1_300_000
    assert header.notes.cut[-1] == "999"


# --- GGUF


@pytest.mark.parametrize("version", [2, 3])
def test_gguf(version: int) -> None:
    numbers = {0: ("B", 200), 1: ("b", -3), 2: ("H", 60_000), 3: ("h", -300), 4: ("I", 2**32 - 1), 5: ("i", -(2**31))}
    numbers |= {6: ("f", 0.5), 7: ("?", True), 10: ("Q", 2**64 - 1), 11: ("q", -(2**63)), 12: ("d", 0.1)}
    entries = [entry(f"n{kind}", kind, struct.pack(f"<{form}", value)) for kind, (form, value) in numbers.items()]
    entries += [
        entry("name", 8, text("tiny")),
        entry("few", 9, array(8, 2, text("a") + text("b"))),
        entry("words", 9, array(8, 20, b"".join(text(f"w{n}") for n in range(20)))),
        entry("scores", 9, array(6, 1000, struct.pack("<1000f", *range(1000)))),
        entry("nested", 9, array(9, 2, array(4, 1, FOUR) + array(8, 1, text("x")))),
        entry("infinite", 6, struct.pack("<f", math.inf)),
        entry("general.alignment", 4, struct.pack("<I", 64)),
    ]
    infos = [info("a", [32, 2], 8, 0), info("b", [2], 0, 128), info("c", [3], 99, 192)]
    content = gguf(entries, infos, bytes(200), version=version, alignment=64)
    header = read("whatever", content)
    start = len(content) - 200
    assert header.format == "gguf"
    assert header.tensors == [
        Tensor("a", "Q8_0", (32, 2), start, 68),
        Tensor("b", "F32", (2,), start + 128, 8),
        Tensor("c", "type 99", (3,), start + 192, None),
    ]
    assert header.parameters == 64 + 2 + 3
    assert header.notes.values == {f"n{kind}": value for kind, (_, value) in numbers.items()} | {
        "name": "tiny",
        "few": ["a", "b"],
        "words": {"type": "string", "count": 20, "first": [f"w{n}" for n in range(16)]},
        "scores": {"type": "float32", "count": 1000, "first": [float(n) for n in range(16)]},
        "nested": {"type": "array", "count": 2, "first": []},
        "infinite": "inf",
        "general.alignment": 64,
    }
    assert header.notes.cut == ["words", "scores", "nested"]


def test_tensors_are_found_behind_a_large_vocabulary() -> None:
    words = b"".join(text(f"word number {n}") for n in range(50_000))
    content = gguf([entry("tokens", 9, array(8, 50_000, words))], [info("a", [1], 0, 0)], FOUR)
    assert read("x.gguf", content).tensors == [Tensor("a", "F32", (1,), len(content) - 4, 4)]


# --- ONNX


def test_onnx() -> None:
    raw = initializer("raw", [2, 3], 1, b"r" * 24)
    packed = message(5, message(1, b"\x03") + number(2, 22) + message(9, b"12") + message(8, "packed"))
    typed = initializer("typed", [2], 1, None, message(4, bytes(8)))
    place = message(13, message(1, "location") + message(2, "../weights.bin")) + number(14, 1)
    outside = initializer("outside", [1000, 1000], 10, None, place)
    sparse = message(15, message(1, number(1, 2) + number(2, 7) + message(8, "sparse")))
    ports = port(11, "x", 1, ["batch", 3, None]) + port(11, "raw", 1, [2, 3]) + port(12, "y", 99, [])
    graph = message(1, b"") * 3 + message(2, "main") + raw + packed + typed + outside + sparse + ports
    facts = message(2, "me") + message(3, "1.0") + message(4, "org") + number(5, -1) + message(6, "words")
    opsets = message(8, number(2, 17)) + message(8, message(1, "ai.onnx.ml") + number(2, 3))
    content = onnx(graph, facts + opsets + message(14, message(1, "k") + message(2, "v")) + message(25, b"f"))
    header = read("x.onnx", content)
    assert header.format == "onnx"
    assert header.tensors == [
        Tensor("raw", "FLOAT", (2, 3), content.index(b"r" * 24), 24),
        Tensor("packed", "INT4", (3,), content.index(b"12\x42"), 2),
        Tensor("typed", "FLOAT", (2,)),
        Tensor("outside", "FLOAT16", (1000, 1000), external="../weights.bin"),
        Tensor("sparse", "INT64", (2,)),
    ]
    assert header.notes.values == {
        "ir_version": 9,
        "producer_name": "me",
        "producer_version": "1.0",
        "domain": "org",
        "model_version": -1,
        "graph": "main",
        "opset": {"ai.onnx": 17, "ai.onnx.ml": 3},
        "nodes": 3,
        "inputs": [{"name": "x", "dtype": "FLOAT", "shape": ["batch", 3, None]}],
        "outputs": [{"name": "y", "dtype": "type 99", "shape": []}],
        "external_data": ["../weights.bin"],
        "properties": {"k": "v"},
    }


def test_many_ports_of_onnx_are_cut() -> None:
    header = read("x.onnx", onnx(port(11, "x", 1, [1]) * 501))
    assert len(header.notes.values["inputs"]) == 500
    assert header.notes.cut == ["inputs"]


# --- NumPy, against NumPy itself


@pytest.mark.parametrize(
    "given",
    [
        numpy.arange(6, dtype="<f4").reshape(2, 3),
        numpy.array(3, dtype=">i8"),
        numpy.zeros((0, 3), dtype=bool),
        numpy.zeros(2, dtype="U5"),
        numpy.zeros(2, dtype="S5"),
        numpy.zeros(2, dtype="M8[ns]"),
        numpy.zeros(2, dtype="c16"),
        numpy.zeros((2,) * 20, dtype="u1"),
    ],
    ids=lambda given: str(given.dtype),
)
def test_npy(given: Any) -> None:
    content = saved(numpy.save, given)
    (tensor,) = read("x.npy", content).tensors
    assert (tensor.dtype, tensor.shape) == (given.dtype.str, given.shape)
    assert content[tensor.begin :] == given.tobytes()
    assert tensor.size == given.nbytes


def test_npy_of_records() -> None:
    given = numpy.zeros(3, dtype=[("ä", "<f4"), ("b", [("c", "<i8", (2, 2)), (("title", "t"), "M8[ns]")])])
    (tensor,) = read("x.npy", saved(numpy.save, given)).tensors
    assert tensor.dtype == "{ä: <f4, b: {c: <i8, t: <M8[ns]}}"
    assert tensor.size == given.nbytes


def test_npy_of_objects_is_named_and_never_loaded() -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return pytest.fail, ("a pickle was loaded",)

    content = saved(numpy.save, numpy.array([Trap()], dtype=object))
    assert read("x.npy", content).tensors == [Tensor("", "object", (1,))]


def test_npy_column_by_column() -> None:
    header = read("no ending", saved(numpy.save, numpy.asfortranarray(numpy.zeros((2, 3)))))
    assert (header.format, header.notes.values) == ("npy", {"fortran_order": True})


@pytest.mark.parametrize("version", [1, 2, 3])
def test_versions_of_npy(version: int) -> None:
    assert read("x", npy(described(), EIGHT, version=version)).parameters == 2


def test_npz() -> None:
    given = {"a": numpy.arange(6.0).reshape(2, 3), "ä b/c": numpy.arange(3)}
    content = saved(numpy.savez, **given)
    tensors = read("x.npz", content).tensors
    assert {tensor.name: tensor.shape for tensor in tensors} == {"a": (2, 3), "ä b/c": (3,)}
    for tensor in tensors:
        assert tensor.begin
        assert tensor.size
        assert content[tensor.begin : tensor.begin + tensor.size] == given[tensor.name].tobytes()


def test_compressed_npz() -> None:
    content = saved(numpy.savez_compressed, a=numpy.zeros((1000, 1000)))
    assert len(content) < 20_000
    assert read("x.npz", content).tensors == [Tensor("a", "<f8", (1000, 1000), None, 8_000_000)]


def test_other_files_of_an_npz_are_named() -> None:
    header = read("x.npz", zipped({"a.npy": npy(described(), EIGHT), "notes.txt": b"x", "sub/": b""}))
    assert [tensor.name for tensor in header.tensors] == ["a"]
    assert header.notes.values == {"other_files": ["notes.txt"]}


def test_empty_npz() -> None:
    assert read("x.npz", zipped({})).tensors == []


def test_npz_behind_other_bytes() -> None:
    inner = zipped({"a.npy": npy(described(), b"12345678")})
    (tensor,) = read("x.npz", b"#!/bin/sh\n" + inner).tensors
    assert (b"#!/bin/sh\n" + inner)[tensor.begin :][:8] == b"12345678"


# --- Which format


@pytest.mark.parametrize("path", ["x", "x.pt", "x.bin", "safetensors.txt", "x.zip", ".", ""])
@pytest.mark.parametrize("content", [b"", b"hello", zipped({"a.npy": npy(described(), EIGHT)}), safetensors({})])
def test_files_of_no_known_format(path: str, content: bytes) -> None:
    assert read_header(path, io.BytesIO(content), len(content)) is None


def test_first_bytes_count_more_than_the_name() -> None:
    assert read("x.safetensors", gguf()).format == "gguf"
    assert read("x.gguf", npy(described(), EIGHT)).format == "npy"


def test_deflated_entries_are_read_no_further_than_their_header() -> None:
    content = zipped({"a.npy": npy(described("'|u1'", "(20000000,)"), bytes(20_000_000))}, how=zipfile.ZIP_DEFLATED)
    assert read("x.npz", content).parameters == 20_000_000


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        ("<f4", "float32"),
        ("<f2", "float16"),
        ("<i8", "int64"),
        ("|u1", "uint8"),
        (">u1", "uint8"),
        ("|b1", "bool"),
        ("<c16", "complex128"),
        (">f8", "float64 (big-endian)"),
        ("<M8[ns]", "datetime64[ns]"),
        ("<m8[25s]", "timedelta64[25s]"),
        ("<U5", "str[5]"),
        ("|S12", "bytes[12]"),
        ("|V3", "void[3]"),
        ("{ä: <f4, b: {c: >i8, t: <M8[ns]}}", "{ä: float32, b: {c: int64 (big-endian), t: datetime64[ns]}}"),
        ("{x<f4y: <i2}", "{x<f4y: int16}"),
        ("object", "object"),
        ("F32", "F32"),  # of safetensors, GGUF and ONNX, as they are called there
        ("U8", "U8"),
        ("Q4_K", "Q4_K"),
        ("f4", "f4"),
        ("<f4 ", "<f4 "),
    ],
)
def test_types_of_numpy_in_words(dtype: str, words: str) -> None:
    assert in_words(dtype) == words
