"""The headers of NumPy's .npy and .npz files. Format: NEP 1 and the documentation of numpy.lib.format; an .npz is a zip.

Only the literal before an array is read, by ast.literal_eval in NumPy's own bound. Objects are pickled there: nothing
here loads a pickle, and an array of objects is named as one.
"""

from __future__ import annotations

import ast
import io
import re
import struct
import zipfile
import zlib
from typing import Any, BinaryIO, TypeGuard

from registry.headers.reading import (
    MAX_NAME,
    MAX_READ,
    BadHeader,
    Header,
    Notes,
    Reader,
    Tensor,
    check_names,
    check_places,
    elements_of,
)

MAGIC = b"\x93NUMPY"
MAX_HEADER = 10_000  # as numpy.lib.format's max_header_size
MAX_NESTING = 8  # of records in records
MAX_ENTRIES = 10_000  # of an .npz
MAX_TYPE = 1000  # characters
TYPE = re.compile(r"[<>|=]?([biufcmMOSUV])([0-9]{0,9})(\[[0-9A-Za-z]{1,20}\])?")
SPELT = re.compile(r"(?<![^\s{])([<>|=])([biufcmMSUV])([0-9]{1,9})(\[[0-9A-Za-z]{1,20}\])?(?=$|[,}])")
WORDS = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex", "S": "bytes", "U": "str", "V": "void"}


class _BeforeTheBeginning(OSError):
    """What zipfile expects of a seek to a negative place."""


BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, LookupError)
NOT_A_ZIP: tuple[type[Exception], ...] = (*BROKEN, NotImplementedError, RuntimeError, _BeforeTheBeginning)


def read_npy(stream: BinaryIO, size: int) -> Header:
    """Return what the header of one array says; BadHeader where it contradicts itself, the format or the size."""
    notes = Notes()
    tensor, in_columns = _array(Reader(stream, size), "")
    notes.add("fortran_order", in_columns)
    check_places([tensor], size)
    return Header("npy", [tensor], notes)


def read_npz(stream: BinaryIO, size: int) -> Header:
    """Return what the headers of a zip's arrays say. Of each entry no more than its header is read."""
    try:
        with zipfile.ZipFile(_Metered(stream, size)) as archive:
            return _arrays(archive, stream, size)
    except BadHeader:
        raise
    except NOT_A_ZIP as error:
        raise BadHeader(f"its zip is broken ({str(error)[:100]}).") from None


class _Metered(io.RawIOBase):
    """What zipfile reads from: no more of it than the bound, its directory included."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size
        self._left = MAX_READ

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._stream.tell(), io.SEEK_END: self._size}[whence]
        if place < 0:
            raise _BeforeTheBeginning("it points before its beginning")
        return self._stream.seek(min(place, self._size))

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        there = self._size - self._stream.tell()
        wanted = there if size < 0 else min(size, there)
        self._left -= wanted
        if self._left < 0:
            raise BadHeader(f"more than {MAX_READ:,} bytes would have to be read.")
        return self._stream.read(wanted)


def _arrays(archive: zipfile.ZipFile, stream: BinaryIO, size: int) -> Header:
    entries = [info for info in archive.infolist() if not info.is_dir()]
    if len(entries) > MAX_ENTRIES:
        raise BadHeader(f"it has {len(entries):,} entries; at most {MAX_ENTRIES:,} are read.")
    arrays = [info for info in entries if info.filename.endswith(".npy")]
    others = [_clean(info.filename) for info in entries if not info.filename.endswith(".npy")]
    tensors = [_entry(archive, info, stream, size) for info in arrays]
    check_names(tensor.name for tensor in tensors)
    check_places(tensors, size)
    notes = Notes()
    if others:
        notes.add("other_files", others[:100], cut=len(others) > 100)
    return Header("npz", tensors, notes)


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, stream: BinaryIO, size: int) -> Tensor:
    name = _clean(info.filename.removesuffix(".npy"))
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
        raise BadHeader(f"{name!r} is encrypted, or neither stored nor deflated.")
    with archive.open(info) as entry:
        tensor, _ = _array(Reader(entry, info.file_size, limit=MAX_HEADER + 100), name)  # type: ignore[arg-type]
    if info.compress_type != zipfile.ZIP_STORED or tensor.begin is None:
        return Tensor(name, tensor.dtype, tensor.shape, None, tensor.size)
    stream.seek(info.header_offset + 26)  # of the entry's own header: the directory's may have other lengths
    name_length, extra_length = struct.unpack("<HH", stream.read(4))
    begin = info.header_offset + 30 + name_length + extra_length + tensor.begin
    return Tensor(name, tensor.dtype, tensor.shape, begin, tensor.size)


def _array(reader: Reader, name: str) -> tuple[Tensor, bool]:
    """Return one array, and whether it is kept column by column."""
    if reader.take(6) != MAGIC:
        raise BadHeader(f"{name!r} does not begin as an array." if name else "it does not begin as an array.")
    major, _ = reader.take(2)
    if major not in (1, 2, 3):
        raise BadHeader(f"its version is {major}; 1, 2 and 3 are read.")
    length = reader.number("H" if major == 1 else "I")
    if length > MAX_HEADER:
        raise BadHeader(f"a header claims {length:,} bytes; at most {MAX_HEADER:,} are read.")
    descr, in_columns, shape = _literal(reader.take(length), "utf-8" if major == 3 else "latin-1")
    elements, (dtype, width) = elements_of(name, shape), _type(descr, 0)
    if width is None:
        return Tensor(name, dtype, shape), in_columns
    if elements * width > reader.size - reader.position:
        raise BadHeader(f"{name!r} claims {elements * width:,} bytes, and ends before that.")
    return Tensor(name, dtype, shape, reader.position, elements * width), in_columns


def _literal(raw: bytes, encoding: str) -> tuple[Any, bool, tuple[int, ...]]:
    try:
        said = ast.literal_eval(raw.decode(encoding).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise BadHeader("its header is no Python literal.") from None
    if not isinstance(said, dict) or said.keys() != {"descr", "fortran_order", "shape"}:
        raise BadHeader("its header does not say descr, fortran_order and shape, and these alone.")
    shape, in_columns = said["shape"], said["fortran_order"]
    if not _are_counts(shape) or type(in_columns) is not bool:
        raise BadHeader("its shape is no tuple of whole numbers from 0 on, or fortran_order is not true or false.")
    return said["descr"], in_columns, shape


def _are_counts(said: Any) -> TypeGuard[tuple[int, ...]]:
    return isinstance(said, tuple) and all(type(one) is int and one >= 0 for one in said)


def _type(descr: Any, depth: int) -> tuple[str, int | None]:
    """Return a type's name, and the bytes of one element: None for pickled objects."""
    if isinstance(descr, str):
        return _scalar(descr)
    if not isinstance(descr, list) or not descr or depth > MAX_NESTING:
        raise BadHeader("its descr is no type that NumPy writes.")
    names: list[str] = []
    width: int | None = 0
    for part in descr:
        name, inner, elements = _part(part)
        dtype, bytes_each = _type(inner, depth + 1)
        names.append(f"{name}: {dtype}")
        width = None if width is None or bytes_each is None else width + elements * bytes_each
    return f"{{{', '.join(names)}}}"[:MAX_TYPE], width


def _part(part: Any) -> tuple[str, Any, int]:
    """Return name, type and count of one field of a record: (name, descr[, shape]), the name maybe with a title."""
    if not isinstance(part, tuple) or len(part) not in (2, 3):
        raise BadHeader("a field of its descr is no (name, type).")
    name = part[0][-1] if isinstance(part[0], tuple) and part[0] else part[0]
    shape = part[2] if len(part) == 3 else ()
    if not isinstance(name, str) or not _are_counts(shape):
        raise BadHeader("a field of its descr has no name, or no proper shape.")
    return _clean(name), part[1], elements_of(name, shape)


def _scalar(descr: str) -> tuple[str, int | None]:
    match = TYPE.fullmatch(descr)
    if not match or (not match[2] and match[1] != "O"):
        raise BadHeader(f"{descr[:100]!r} is no type that NumPy writes.")
    if match[1] == "O":
        return "object", None
    return descr, int(match[2]) * (4 if match[1] == "U" else 1)


def _clean(name: str) -> str:
    """Refuse names that are endless, or halves of characters, which a literal can spell and nothing can store."""
    try:
        if len(name.encode()) <= MAX_NAME:
            return name
    except UnicodeEncodeError:
        pass
    raise BadHeader(f"a name has more than {MAX_NAME:,} bytes, or is broken Unicode.")


def in_words(dtype: str) -> str:
    """Write a type as people call it: `<f4` is float32, `>i2` int16 (big-endian), and so within a record.

    Types of other formats stay as they are: none begins with the mark of a byte order.
    """
    return SPELT.sub(_words, dtype)


def _words(spelt: re.Match[str]) -> str:
    order, kind, count, unit = spelt.groups(default="")
    if kind in "mM":
        said = f"{'datetime' if kind == 'M' else 'timedelta'}64{unit}"
    elif kind in "SUV":
        said = f"{WORDS[kind]}[{count}]"
    else:
        said = "bool" if kind == "b" else f"{WORDS[kind]}{8 * int(count)}"
    return f"{said} (big-endian)" if order == ">" and count != "1" else said
