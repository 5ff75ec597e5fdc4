"""Headers from strangers: whatever they claim, the answer is BadHeader, soon, and little is read or kept for it."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile
from typing import Any

import pytest

from registry.headers.formats import read_header
from registry.headers.reading import BadHeader, Header, Reader
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
    varint,
    zipped,
)

MEMORY = 4 * 2**20


def read(path: str, content: bytes) -> Header | None:
    return read_header(path, io.BytesIO(content), len(content))


def tensor(dtype: Any = "F32", shape: Any = (1,), place: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": place}


FOUR = bytes(4)
SAFETENSORS = {
    "nothing": b"",
    "half a length": b"\x01\0\0",
    "a length of 2^63": struct.pack("<Q", 2**63) + b"{}",
    "a length of 2^64 - 1": struct.pack("<Q", 2**64 - 1) + b"{}",
    "a length behind the end": safetensors_of({}, length=99),
    "a length of 0": struct.pack("<Q", 0),
    "a length of 100 MB": struct.pack("<Q", 100_000_000) + b"{}",
    "no brace": safetensors_of(b" {}"),
    "a list": safetensors_of(b"[]"),
    "no JSON": safetensors_of(b"{nothing}"),
    "two values": safetensors_of(b"{}{}"),
    "NaN": safetensors_of(b'{"a": NaN}'),
    "no UTF-8": safetensors_of(b'{"\xff": 1}'),
    "half a character": safetensors_of({"\ud800": tensor()}, FOUR),
    "half a character in its metadata": safetensors_of({"__metadata__": {"a": "\udfff"}}),
    "deep lists": safetensors_of(b'{"a": ' + b"[" * 500_000 + b"]" * 500_000 + b"}"),
    "deep objects": safetensors_of(b'{"a":' * 200_000 + b"1" + b"}" * 200_000),
    "millions of empty lists": safetensors_of(b'{"a": [' + b"[]," * 5_000_000 + b"[]]}"),
    "a key twice": safetensors_of(b'{"__metadata__": {"a": "1", "a": "2"}}'),
    "a tensor twice": safetensors_of(
        b'{"a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}, "a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}}'
    ),
    "too many tensors": safetensors_of({str(n): tensor("U8", [0], [0, 0]) for n in range(100_001)}),
    "a number as a tensor": safetensors_of({"a": 1}),
    "no offsets": safetensors_of({"a": {"dtype": "F32", "shape": [1]}}, FOUR),
    "one offset": safetensors_of({"a": tensor(place=[0])}, FOUR),
    "negative offsets": safetensors_of({"a": tensor(place=[-4, 0])}, FOUR),
    "offsets turned round": safetensors_of({"a": tensor("U8", [0], [4, 0])}, FOUR),
    "offsets behind the end": safetensors_of({"a": tensor(place=[4, 8])}, FOUR),
    "offsets of 2^70": safetensors_of({"a": tensor("U8", [0], [2**70, 2**70])}),
    "an offset that is true": safetensors_of({"a": tensor("U8", [1], [False, True])}, b"1"),
    "fractions": safetensors_of({"a": tensor(place=[0.0, 4.0])}, FOUR),
    "overlapping tensors": safetensors_of({"a": tensor(), "b": tensor(place=[2, 6])}, bytes(6)),
    "the same place twice": safetensors_of({"a": tensor(), "b": tensor()}, FOUR),
    "a hole": safetensors_of({"a": tensor(), "b": tensor(place=[5, 9])}, bytes(9)),
    "a hole before the first": safetensors_of({"a": tensor(place=[1, 5])}, bytes(5)),
    "bytes that no tensor has": safetensors_of({"a": tensor()}, bytes(5)),
    "bytes and no tensor": safetensors_of({}, FOUR),
    "fewer bytes than its shape": safetensors_of({"a": tensor(shape=[2])}, FOUR),
    "half an element": safetensors_of({"a": tensor("F4", [1], [0, 1])}, b"1"),
    "a shape of 2^60": safetensors_of({"a": tensor(shape=[2**60])}, FOUR),
    "a shape that overflows to 1": safetensors_of({"a": tensor("U8", [2**32, 2**32 + 1, 2**32], [0, 1])}, b"1"),
    "0 elements by way of 2^124": safetensors_of({"a": tensor("U8", [2**124, 0], [0, 0])}),
    "a number of 5,000 digits": safetensors_of(b'{"a": {"shape": [' + b"9" * 5000 + b"]}}"),
    "a number of 4,300 digits": safetensors_of(
        b'{"a": {"dtype": "U8", "shape": [], "data_offsets": [0, ' + b"9" * 4300 + b"]}}"
    ),
    "negative dimensions": safetensors_of({"a": tensor(shape=[-1, -1])}, FOUR),
    "a shape that is a text": safetensors_of({"a": tensor(shape="1")}, FOUR),
    "65 dimensions": safetensors_of({"a": tensor(shape=[1] * 65)}, FOUR),
    "an unknown dtype": safetensors_of({"a": tensor("F33")}, FOUR),
    "a dtype that is a list": safetensors_of({"a": tensor([])}, FOUR),
    "an endless name": safetensors_of({"a" * 1025: tensor()}, FOUR),
    "metadata that is a list": safetensors_of({"__metadata__": []}),
    "metadata of numbers": safetensors_of({"__metadata__": {"a": 1}}),
    "too much metadata": safetensors_of({"__metadata__": {str(n): "" for n in range(2001)}}),
}
GGUF = {
    "its magic alone": b"GGUF",
    "another magic": b"GGML" + bytes(20),
    "version 1": gguf(version=1),
    "version 4": gguf(version=4),
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "2^60 tensors": gguf(tensors=2**60),
    "100,000 tensors and an end": gguf(tensors=100_000),
    "2^60 entries": gguf(keys=2**60),
    "2,000 entries and an end": gguf(keys=2000),
    "a key of 2^60 bytes": gguf([struct.pack("<Q", 2**60)], keys=1),
    "an endless key": gguf([entry("k" * 1025, 4, FOUR)]),
    "a key that is no UTF-8": gguf([entry(b"\xff", 4, FOUR)]),
    "a key twice": gguf([entry("a", 4, FOUR)] * 2),
    "an unknown kind of value": gguf([entry("a", 13, bytes(8))]),
    "a truth value of 2": gguf([entry("a", 7, b"\2")]),
    "a text of 2^60 bytes": gguf([entry("a", 8, struct.pack("<Q", 2**60))]),
    "a text that is no UTF-8": gguf([entry("a", 8, text(b"\xff"))]),
    "an array of 2^60 texts": gguf([entry("a", 9, array(8, 2**60, text("x") * 100))]),
    "an array of 2^60 numbers": gguf([entry("a", 9, array(10, 2**60, bytes(800)))]),
    "an array of 2^60 arrays": gguf([entry("a", 9, array(9, 2**60, array(0, 0, b"") * 100))]),
    "an array of 2^64 - 1 bytes": gguf([entry("a", 9, array(0, 2**64 - 1, bytes(800)))]),
    "arrays in arrays in arrays": gguf([entry("a", 9, array(9, 1, b"") * 10_000)]),
    "an array of nothing known": gguf([entry("a", 9, array(99, 1, bytes(8)))]),
    "millions of empty texts": gguf([entry("a", 9, array(8, 2_000_001, bytes(8 * 2_000_001)))]),
    "an alignment of 0": gguf([entry("general.alignment", 4, bytes(4))]),
    "an alignment of 12": gguf([entry("general.alignment", 4, struct.pack("<I", 12))]),
    "an alignment of 2^31": gguf([entry("general.alignment", 4, struct.pack("<I", 2**31))]),
    "an alignment that is a text": gguf([entry("general.alignment", 8, text("32"))]),
    "2^32 - 1 dimensions": gguf(infos=[text("a") + struct.pack("<I", 2**32 - 1)]),
    "65 dimensions": gguf(infos=[info("a", [1] * 65, 0, 0)], data=FOUR),
    "a shape of 2^60": gguf(infos=[info("a", [2**60], 0, 0)], data=FOUR),
    "a shape that overflows": gguf(infos=[info("a", [2**32, 2**32], 24, 0)], data=FOUR),
    "a dimension of 2^64 - 1": gguf(infos=[info("a", [2**64 - 1, 0], 24, 0)], data=FOUR),
    "half a block": gguf(infos=[info("a", [16], 8, 0)], data=bytes(34)),
    "an offset behind the end": gguf(infos=[info("a", [1], 0, 32)], data=FOUR),
    "an offset of 2^64 - 1": gguf(infos=[info("a", [1], 99, 2**64 - 1)], data=FOUR),
    "a tensor twice": gguf(infos=[info("a", [1], 0, 0), info("a", [1], 0, 32)], data=bytes(64)),
    "overlapping tensors": gguf(infos=[info("a", [9], 0, 0), info("b", [1], 0, 32)], data=bytes(64)),
    "an endless name": gguf(infos=[info("a" * 1025, [1], 0, 0)], data=FOUR),
}
PROPERTIES = b"".join(message(14, message(1, str(n))) for n in range(2001))
ONNX = {
    "nothing": b"",
    "a text": b"hello, I am a text that somebody called a model\n" * 20,
    "no graph": number(1, 9),
    "no ir_version": message(7, b""),
    "a varint of 11 bytes": b"\x08" + b"\x80" * 10 + b"\x01",
    "a varint of 65 bits": b"\x08" + b"\xff" * 9 + b"\x02",
    "a varint that is cut off": b"\x08\xff",
    "a length of 2^64 - 1": b"\x3a" + varint(2**64 - 1),
    "a length behind the message around it": onnx(varint(5 << 3 | 2) + varint(100), b"") + bytes(200),
    "field 0": b"\x00\x01",
    "a group": b"\x0b\x0c",
    "wire type 7": b"\x0f",
    "negative dimensions": onnx(initializer("a", [-1], 1, b"")),
    "a shape of 2^62": onnx(initializer("a", [2**62], 1, FOUR)),
    "a shape that overflows": onnx(initializer("a", [2**32, 2**32], 3, None)),
    "65 dimensions": onnx(initializer("a", [1] * 65, 1, FOUR)),
    "65 packed dimensions": onnx(message(5, message(1, b"\x01" * 65) + message(8, "a"))),
    "packed dimensions cut off": onnx(message(5, message(1, b"\x01\x80") + message(8, "a"))),
    "megabytes of packed dimensions": onnx(message(5, message(1, b"\x01" * 2_000_000))),
    "other bytes than its shape": onnx(initializer("a", [2], 1, FOUR)),
    "a tensor twice": onnx(initializer("a", [1], 1, FOUR) * 2),
    "too many tensors": onnx(initializer("", [0], 1, b"") * 100_001),
    "millions of fields": onnx(number(99, 1) * 1_000_001),
    "an endless name": onnx(initializer("a" * 1025, [1], 1, FOUR)),
    "a name that is no UTF-8": onnx(message(5, message(8, b"\xff"))),
    "too many properties": onnx(b"", PROPERTIES),
    "a property twice": onnx(b"", message(14, message(1, "a")) * 2),
    "too many operator sets": onnx(b"", b"".join(message(8, message(1, str(n))) for n in range(101))),
    "too many inputs": onnx(port(11, "x", 1, [1]) * 101_000),
    "an input of 65 dimensions": onnx(port(11, "x", 1, [1] * 65)),
}
EIGHT = bytes(8)
NPY = {
    "its magic alone": b"\x93NUMPY",
    "version 4": npy(described(), EIGHT, version=4),
    "a length behind the end": npy(described(), length=60_000),
    "a length of 2^32 - 1": npy(described(), EIGHT, version=2, length=2**32 - 1),
    "10,001 bytes": npy(described() + " " * 10_000, EIGHT),
    "no literal": npy("nothing", EIGHT),
    "a call": npy("__import__('os').system('true')", EIGHT),
    "deep brackets": npy("(" * 9_999, EIGHT),
    "deep signs": npy("-" * 9_998 + "1", EIGHT),
    "a long sum": npy("1+" * 4_999 + "1", EIGHT),
    "NUL": npy("\0", EIGHT),
    "an unhashable key": npy("{[]: 1}", EIGHT),
    "a list": npy("[1]", EIGHT),
    "a key less": npy("{'descr': '<f4', 'shape': (2,)}", EIGHT),
    "a key more": npy("{'descr': '<f4', 'shape': (2,), 'fortran_order': False, 'x': 1}", EIGHT),
    "a shape that is a list": npy(described(shape="[2]"), EIGHT),
    "negative dimensions": npy(described(shape="(-1,)"), EIGHT),
    "a dimension that is true": npy(described(shape="(True,)"), EIGHT),
    "a shape of 2^60": npy(described(shape=f"({2**60},)"), EIGHT),
    "a shape that overflows": npy(described("'|V0'", shape=f"({2**40}, {2**40})"), EIGHT),
    "a dimension of 4,000 digits": npy(described("'|V0'", shape=f"({'9' * 4000}, 0)"), EIGHT),
    "65 dimensions": npy(described(shape="(" + "1, " * 65 + ")"), EIGHT),
    "an order that is a number": npy(described(order="1"), EIGHT),
    "an unknown type": npy(described("'<x4'"), EIGHT),
    "a type without size": npy(described("'<f'"), EIGHT),
    "a type that is a number": npy(described("4"), EIGHT),
    "a type of 10 digits": npy(described("'|V9999999999'"), EIGHT),
    "an empty record": npy(described("[]"), EIGHT),
    "a record of texts": npy(described("['<f4']"), EIGHT),
    "a record without names": npy(described("[(1, '<f4')]"), EIGHT),
    "half a character": npy(described("[('\\ud800', '<f4')]"), EIGHT),
    "records in records": npy(described("[('a', " * 40 + "'<f4'" + ")]" * 40), EIGHT),
    "a record of negative shape": npy(described("[('a', '<f4', (-1,))]"), EIGHT),
    "no UTF-8": npy(b"\xff", version=3),
    "fewer bytes than its shape": npy(described(), bytes(7)),
}


def zip_that_claims(entries: int, directory: int) -> bytes:
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, entries, entries, directory, 0, 0)
    return bytes(directory if directory < 100_000_000 else 100) + end


def lying(name: str, **lies: Any) -> bytes:
    """A zip whose directory says other things of its one entry than are so: fields by their place in it."""
    content = bytearray(zipped({name: npy(described(), EIGHT)}))
    start = content.rindex(b"PK\1\2")
    for place, raw in lies.items():
        at = start + int(place.removeprefix("at"))
        content[at : at + len(raw)] = raw
    return bytes(content)


NPZ = {
    "nothing": b"",
    "no zip": b"PK\3\4" + bytes(100),
    "a directory behind the end": zip_that_claims(1, 2**31),
    "a directory of 70 MB": zip_that_claims(1000, 70 * 2**20),
    "a broken directory": zip_that_claims(1, 46),
    "10,001 entries": zipped({f"{n}.txt": b"" for n in range(10_001)}),
    "an entry that is no array": zipped({"a.npy": b"not an array"}),
    "an entry that is empty": zipped({"a.npy": b""}),
    "an array that claims 2^60": zipped({"a.npy": npy(described(shape=f"({2**60},)"), EIGHT)}),
    "a bomb": zipped({"a.npy": bytes(50_000_000)}, how=zipfile.ZIP_DEFLATED),
    "a bomb of another kind": zipped({"a.npy": bytes(50_000_000)}, how=zipfile.ZIP_BZIP2),
    "LZMA": zipped({"a.npy": npy(described(), EIGHT)}, how=zipfile.ZIP_LZMA),
    "an encrypted entry": lying("a.npy", at8=b"\1"),
    "an entry behind the end": lying("a.npy", at42=struct.pack("<I", 2**31)),
    "a size of 2^32 - 2": lying("a.npy", at20=struct.pack("<II", 2**32 - 2, 2**32 - 2)),
    "an unknown way": lying("a.npy", at10=struct.pack("<H", 77)),
    "version 99": lying("a.npy", at6=struct.pack("<H", 99)),
}
NPZ["an array twice"] = zipped({"a.npy": npy(described(), EIGHT), "b.npy": npy(described(), EIGHT)}).replace(
    b"b.npy", b"a.npy"
)
HOSTILE = {
    f"{path}: {what}": (path, content)
    for path, cases in {
        "x.safetensors": SAFETENSORS,
        "x.gguf": GGUF,
        "x.onnx": ONNX,
        "x.npy": NPY,
        "x.npz": NPZ,
    }.items()
    for what, content in cases.items()
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_header_that_lies_is_refused(case: str) -> None:
    path, content = HOSTILE[case]
    with pytest.raises(BadHeader, match=r"^The header of this \w+ file cannot be read: .{10}") as refused:
        read(path, content)
    assert len(str(refused.value).encode()) < 400


@pytest.mark.parametrize("case", [case for case, (_, content) in HOSTILE.items() if len(content) < 500_000])
def test_nothing_is_kept_for_what_a_header_claims(case: str) -> None:
    path, content = HOSTILE[case]
    tracemalloc.start()
    try:
        with pytest.raises(BadHeader):
            read(path, content)
        assert tracemalloc.get_traced_memory()[1] < MEMORY + 2 * len(content)
    finally:
        tracemalloc.stop()


def test_reading_has_an_end_whatever_a_header_says() -> None:
    content = gguf([entry("a", 9, array(8, 1000, text(b"x" * 100) * 1000))])
    reader = Reader(io.BytesIO(content), len(content), limit=20_000)
    with pytest.raises(BadHeader, match="more than 20,000 bytes would have to be read"):
        reader.take(24 + 9 + 16) and reader.skip_texts(1000)


VALID = {
    "x.safetensors": safetensors({"a": ("F32", [2, 1], bytes(8)), "b": ("U8", [3], b"123")}, {"format": "pt"}),
    "x.gguf": gguf(
        [entry("general.name", 8, text("tiny")), entry("tokens", 9, array(8, 2, text("a") + text("b")))],
        [info("a", [2], 0, 0), info("b", [32], 8, 32)],
        bytes(32 + 34),
    ),
    "x.onnx": onnx(
        port(11, "x", 1, ["n", 2]) + initializer("a", [2], 1, bytes(8)),
        message(8, number(2, 17)) + message(14, message(1, "k") + message(2, "v")),
    ),
    "x.npy": npy(described(), EIGHT),
    "x.npz": zipped({"a.npy": npy(described(), EIGHT), "b.npy": npy(described("'|u1'"), b"12")}),
}


@pytest.mark.parametrize("path", VALID)
def test_a_file_cut_anywhere_is_refused(path: str) -> None:
    content = VALID[path]
    assert read(path, content)
    for length in range(len(content)):
        with pytest.raises(BadHeader):
            read(path, content[:length])


@pytest.mark.parametrize("path", VALID)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(path: str) -> None:
    chance = random.Random(path)
    outcomes = [_read_damaged(path, chance) for _ in range(3000)]
    assert {True, False} == set(outcomes)


def _read_damaged(path: str, chance: random.Random) -> bool:
    """Whether a file with some other bytes is still read; what is then told can be sent as JSON."""
    content = bytearray(VALID[path])
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        content[chance.randrange(len(content))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    try:
        header = read(path, bytes(content))
    except BadHeader:
        return False
    assert header is None or header.parameters >= 0
    return True


def test_what_stands_behind_the_header_is_not_read() -> None:
    class Counted(io.BytesIO):
        count = 0

        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            self.count += len(piece)
            return piece

    big = bytes(20_000_000)
    graph = initializer("a", [5_000_000], 1, big) + initializer("b", [5_000_000], 1, big)
    files = {
        "x.safetensors": safetensors({"a": ("U8", [len(big)], big)}),
        "x.gguf": gguf([entry("scores", 9, array(6, 5_000_000, big))], [info("a", [5_000_000], 0, 0)], big),
        "x.onnx": onnx(graph),
        "x.npy": npy(described(shape="(5000000,)"), big),
        "x.npz": zipped({"a.npy": npy(described(shape="(5000000,)"), big), "b.npy": npy(described(), EIGHT)}),
    }
    for path, content in files.items():
        stream = Counted(content)
        header = read_header(path, stream, len(content))
        assert header
        assert header.parameters >= 5_000_000
        assert stream.count < 100_000, path
