"""Tables in Parquet, read by pyarrow, which is not always installed, and within bounds. Pure: from a stream to rows.

A dictionary, runs of the same and prefixes said once let a small file mean gigabytes. So what a row group takes is
reckoned before it is read, texts stay in their dictionaries while it is, and only a few rows at a time become values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from registry.frames import MOST_COLUMNS, NoReader, NoTable, Row, Table, named_columns
from registry.parquet_pages import MOST_PAGES, BadPages, Pages, read_pages

MOST_GROUP_BYTES = 256 * 2**20  # it is read by row groups
BYTES_AT_ONCE = 16 * 2**20  # of rows that become values together; a row may not have more
ROWS_AT_ONCE = 1000
MOST_CHUNKS = 500_000  # columns times row groups
UNKEPT = {"DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"}  # texts so encoded pyarrow keeps in no dictionary
OF_A_VALUE = 64  # bytes that a value takes besides its own
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}  # bytes
OF_AN_INDEX = 4  # bytes: of a text there is a number in its dictionary
LIMITS = {"thrift_string_size_limit": 2**24, "thrift_container_size_limit": 10**6}


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A column as it is stored. `width`: bytes of a value while it is read, 0 where a value may be the whole column."""

    path: str
    width: int
    in_dictionary: bool
    is_repeated: bool  # a row has any number of its values

    def width_in(self, pages: Pages) -> int:
        """Return the bytes that a value may take while these pages are read."""
        return self.width or pages.bytes


def from_parquet(stream: BinaryIO, *, most_group_bytes: int = MOST_GROUP_BYTES, most_bytes: int | None = None) -> Table:
    """Read Parquet by row groups; rows until they were `most_bytes` as values.

    Raises NoReader without pyarrow; NoTable for what is no Parquet or would not fit, for later rows while rows are taken.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise NoReader from None
    with _told_as_no_table():
        file = parquet.ParquetFile(stream, **LIMITS)
        _check_claims(file.metadata, most_group_bytes)
        leaves = _leaves(file)
        texts = [leaf.path for leaf in leaves if leaf.in_dictionary]
        file = parquet.ParquetFile(stream, metadata=file.metadata, read_dictionary=texts, **LIMITS)
    rows = _Rows(stream, file, leaves, most_group_bytes)
    return named_columns(file.schema_arrow.names), rows.taken(most_bytes)


def _check_claims(about: Any, most: int) -> None:
    """Refuse at once what even says of itself that it would not fit."""
    if about.num_columns > MOST_COLUMNS:
        raise NoTable(f"there are more than {MOST_COLUMNS:,} columns")
    if about.num_columns * about.num_row_groups > MOST_CHUNKS:
        raise NoTable(f"its row groups have more than {MOST_CHUNKS:,} columns in all")
    if max((about.row_group(number).total_byte_size for number in range(about.num_row_groups)), default=0) > most:
        raise _too_large(most)


def _leaves(file: Any) -> list[_Leaf]:
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    columns = range(len(file.schema))
    unkept = {n for group in groups for n in columns if not UNKEPT.isdisjoint(group.column(n).encodings)}
    return [_leaf(file.schema.column(n), n not in unkept) for n in columns]


def _leaf(column: Any, is_kept: bool) -> _Leaf:
    is_repeated = column.max_repetition_level > 0
    if column.physical_type != "BYTE_ARRAY":
        return _Leaf(column.path, WIDTHS.get(column.physical_type) or column.length, False, is_repeated)
    in_dictionary = is_kept and column.logical_type.type != "DECIMAL"
    return _Leaf(column.path, OF_AN_INDEX if in_dictionary else 0, in_dictionary, is_repeated)


def _too_large(most: int) -> NoTable:
    return NoTable(f"a row group is larger than the {most:,} bytes that are read at once")


class _Rows:
    """The rows of a file, group by group, each looked at before it is read."""

    def __init__(self, stream: BinaryIO, file: Any, leaves: list[_Leaf], most_group_bytes: int) -> None:
        self.stream, self.file, self.leaves = stream, file, leaves
        self.most = most_group_bytes

    def taken(self, most_bytes: int | None) -> Iterator[Row]:
        left = most_bytes
        with _told_as_no_table():
            for batch in self._batches():
                for some, size in _portions(batch):
                    if left is not None and (left := left - size) < 0:
                        raise NoTable(f"its rows up to here take more than the {most_bytes:,} bytes that are read")
                    yield from zip(*map(_values, some.columns), strict=True)

    def _batches(self) -> Iterator[Any]:
        for number in range(self.file.num_row_groups):
            rows = self._rows_at_once(self.file.metadata.row_group(number))
            yield from self.file.iter_batches(batch_size=rows, row_groups=[number], use_threads=False)

    def _rows_at_once(self, group: Any) -> int:
        """Return how many rows of a group fit into memory at once; NoTable where the group, or one row, does not."""
        in_all = of_a_row = pages = 0
        for number, leaf in enumerate(self.leaves):
            found = self._pages(group.column(number))
            pages += found.count
            width = leaf.width_in(found)
            in_all += max(found.bytes, found.values * width if leaf.is_repeated else 0)
            of_a_row += OF_A_VALUE + (0 if leaf.is_repeated else width)
            if in_all > self.most or of_a_row > self.most:
                raise _too_large(self.most)
            if pages > MOST_PAGES:
                raise NoTable(f"a row group has more than {MOST_PAGES:,} pages")
        return max(1, min(ROWS_AT_ONCE, self.most // max(of_a_row, 1)))

    def _pages(self, chunk: Any) -> Pages:
        if chunk.total_compressed_size > self.most:
            raise _too_large(self.most)
        dictionary = chunk.dictionary_page_offset
        start = min(dictionary, chunk.data_page_offset) if dictionary else chunk.data_page_offset
        if start < 0 or chunk.total_compressed_size < 0:
            raise NoTable("a column says to stand before the file's beginning")
        return read_pages(self.stream, start=start, length=chunk.total_compressed_size, values=chunk.num_values)


def _portions(batch: Any) -> Iterator[tuple[Any, int]]:
    """Yield a batch in pieces that fit into memory as values, and the bytes that each is then."""
    size = sum(_size(column) for column in batch.columns)
    if size <= BYTES_AT_ONCE:
        yield batch, size
    elif batch.num_rows == 1:
        raise NoTable(f"a row takes more than the {BYTES_AT_ONCE:,} bytes that are read")
    else:
        half = batch.num_rows // 2
        yield from _portions(batch.slice(0, half))
        yield from _portions(batch.slice(half))


def _values(array: Any) -> list[Any]:
    import pyarrow

    if isinstance(array, pyarrow.DictionaryArray):
        array = array.dictionary_decode()  # all at once is quicker than each by itself
    values: list[Any] = array.to_pylist()
    return values


def _size(array: Any) -> int:
    """Return the bytes that the values of an array take when each stands for itself."""
    import pyarrow

    inner = array.nbytes
    if isinstance(array, pyarrow.ExtensionArray):
        return _size(array.storage)
    if isinstance(array, pyarrow.DictionaryArray):
        inner = _size_of_texts(array)
    elif isinstance(array, pyarrow.StructArray):
        inner = sum(map(_size, array.flatten()))
    elif isinstance(array, pyarrow.MapArray):
        within = slice(array.offsets[0].as_py(), array.offsets[-1].as_py())
        inner = _size(array.keys[within]) + _size(array.items[within])
    elif isinstance(array, (pyarrow.ListArray, pyarrow.LargeListArray, pyarrow.FixedSizeListArray)):
        inner = _size(array.flatten())
    return len(array) * OF_A_VALUE + int(inner)


def _size_of_texts(array: Any) -> int:
    from pyarrow import compute

    lengths = compute.binary_length(array.dictionary).cast("int64")
    return compute.sum(compute.take(lengths, array.indices)).as_py() or 0


@contextmanager
def _told_as_no_table() -> Iterator[None]:
    """Turn what pyarrow says of a file into NoTable."""
    import pyarrow

    try:
        yield
    except NoTable:
        raise
    except BadPages as error:
        raise NoTable(str(error)) from error
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise NoTable(f"pyarrow says: {error}") from error
