"""Which format a file has, and its header: by its first bytes where they tell, else by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from registry.headers import gguf, numpy, onnx, safetensors
from registry.headers.reading import BadHeader, Header

READERS: dict[str, Callable[[BinaryIO, int], Header]] = {
    "safetensors": safetensors.read,
    "gguf": gguf.read,
    "onnx": onnx.read,
    "npy": numpy.read_npy,
    "npz": numpy.read_npz,
}
MAGIC = {b"GGUF": "gguf", numpy.MAGIC: "npy"}
FIRST = max(map(len, MAGIC))
FORMATS = "safetensors, GGUF (.gguf), ONNX (.onnx) and NumPy (.npy, .npz)"


def read_header(path: str, stream: BinaryIO, size: int) -> Header | None:
    """Return the header of a file, read from its beginning; None for a file of no format that is known here.

    Raises BadHeader with a sentence that names the format.
    """
    stream.seek(0)
    first = stream.read(FIRST)
    form = next((form for magic, form in MAGIC.items() if first.startswith(magic)), None)
    form = form or path.rpartition(".")[2].lower()
    if form not in READERS:
        return None
    stream.seek(0)
    try:
        return READERS[form](stream, size)
    except BadHeader as error:
        raise BadHeader(f"The header of this {form} file cannot be read: {error}") from None
