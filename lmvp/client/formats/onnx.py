"""ONNX models (ModelProto), as `.onnx`: a graph of operators, no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lmvp.client.formats.format import Format, Loading, Unfit
from lmvp.client.formats.libraries import is_a, needed

LARGEST = 2**31 - 1  # bytes of one protobuf message


def _save(obj: Any, path: Path) -> None:
    if obj.ByteSize() > LARGEST:
        raise Unfit("above 2 GiB an ONNX model has files beside it: onnx.save(…, save_as_external_data=True)")
    needed("onnx", "onnx", path.name).save_model(obj, path)


def _load(path: Path, _: Loading) -> Any:
    return needed("onnx", "onnx", path.name).load_model(path)


FORMATS = (
    Format(
        "onnx",
        _load,
        lambda obj: is_a(obj, "onnx.ModelProto"),
        _save,
        "model.onnx",
        suffixes=(".onnx",),
        libraries=("onnx",),
    ),
)
