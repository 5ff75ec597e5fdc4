"""Files that lie, bombs, pickles, and objects that nobody knows. Needs no server: a version's files are a directory."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import lmvp
from lmvp.client import errors, formats
from lmvp.client.formats import registry
from lmvp.client.versions import LocalModel, Version
from tests.formats.conftest import library

ROOT = Path(__file__).resolve().parent.parent.parent
VERSION = Version.from_json(
    {
        "project": "vision",
        "model": "digits",
        "number": 1,
        "digest": "cd" * 32,
        "branch": "main",
        "author": "mallory",
        "message": "Gift",
        "metadata": {},
        "metrics": {},
        "refs": [],
        "created_at": "2026-11-21T04:05:06Z",
        "files": {"count": 1, "size": 1},
    }
)


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (open, (str(self.trace), "w"))


@pytest.fixture
def trace(tmp_path) -> Path:
    return tmp_path / "code-was-run"


@pytest.fixture
def evil(trace) -> bytes:
    return pickle.dumps(Bomb(trace))


def local_model(directory: Path, **files: bytes | str) -> LocalModel:
    place = directory / "version"
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return LocalModel(place, VERSION, sorted(files))


def record(**changed: object) -> str:
    said = {"lmvp": 1, "format": "json", "file": "model.json", "object": "a.B", "versions": {}, "details": {}}
    return json.dumps({**said, **changed})


# --- Code in files


@pytest.mark.parametrize("suffix", [".joblib", ".pkl", ".pickle", ".pt", ".pth", ".ckpt"])
@pytest.mark.parametrize("trusted", [False, ["builtins.open"], [], None, 1])
def test_a_pickle_is_not_opened_unless_trusted_and_the_error_says_why(tmp_path, evil, trace, suffix, trusted):
    local = local_model(tmp_path, **{f"model{suffix}": evil})
    with pytest.raises(errors.NotTrusted, match=r"pickle.*run any code.*\.load\(trusted=True\)") as caught:
        local.load(trusted=trusted)
    assert caught.value.code == "not_trusted"
    assert not trace.exists()


def test_a_trusted_pickle_is_loaded(tmp_path, evil, trace):
    local_model(tmp_path, **{"model.pkl": evil}).load(trusted=True).close()
    assert trace.exists()


@pytest.mark.parametrize("name", ["npy", "npz", "safetensors", "parquet", "onnx", "keras", "skops", "lightgbm", "ubj"])
def test_a_pickle_under_another_name_is_an_error_and_never_run(tmp_path, evil, trace, name):
    local = local_model(tmp_path, **{f"model.{name}": evil})
    with pytest.raises((errors.LocalFileError, errors.UnknownFormat, errors.NotTrusted)):
        local.load()
    assert not trace.exists()


def test_objects_in_an_npz_are_not_unpickled(tmp_path, trace):
    buffer = io.BytesIO()
    np.savez(buffer, w=np.array([Bomb(trace)], dtype=object))
    local = local_model(tmp_path, **{"model.npz": buffer.getvalue()})
    with pytest.raises(errors.LocalFileError, match=r"model\.npz cannot be read as npz"):
        local.load()
    assert not trace.exists()


def test_trusted_is_a_list_of_names_and_not_one_name(tmp_path):
    with pytest.raises(errors.ValidationFailed, match=r"trusted=\['a.B'\]"):
        local_model(tmp_path, **{"a.json": "{}"}).load(trusted="a.B")


# --- Records that lie


@pytest.mark.parametrize("claimed", ["joblib", "pickle", "torch"])
def test_a_record_cannot_have_a_file_unpickled(tmp_path, evil, trace, claimed):
    local = local_model(tmp_path, **{"lmvp.json": record(format=claimed, file="a.npy"), "a.npy": evil})
    with pytest.raises(errors.NotTrusted, match=r"a\.npy was not loaded"):
        local.load()
    assert not trace.exists()


@pytest.mark.parametrize(
    "claimed", ["npy", "npz", "json", "safetensors", "skops", "onnx", "keras", "polars", "xgboost"]
)
def test_a_record_that_calls_a_pickle_something_harmless_has_it_read_as_that(tmp_path, evil, trace, claimed):
    local = local_model(tmp_path, **{"lmvp.json": record(format=claimed, file="m.joblib"), "m.joblib": evil})
    with pytest.raises((errors.LocalFileError, errors.UnknownFormat)):
        local.load()
    assert not trace.exists()


def test_an_unknown_format_is_named_and_what_to_do(tmp_path):
    local = local_model(tmp_path, **{"lmvp.json": record(format="hologram", file="m.holo"), "m.holo": "?"})
    with pytest.raises(errors.UnknownFormat, match=r"“hologram”, which is not known here\..*register_format"):
        local.load()
    assert local.load("lmvp.json")["format"] == "hologram"


@pytest.mark.parametrize("file", ["../outside.json", "/etc/hostname", "missing.json", "", ".", "a\0b", "version/../x"])
def test_a_record_cannot_lead_out_of_the_version(tmp_path, file):
    (tmp_path / "outside.json").write_text('"secret"')
    local = local_model(tmp_path, **{"lmvp.json": record(file=file), "model.json": "1"})
    with pytest.raises(errors.NotFound, match="has no file"):
        local.load()


@pytest.mark.parametrize(
    "changed",
    [{"lmvp": 2}, {"format": 7}, {"file": None}, {"details": []}, {"versions": "3"}, {"lmvp": True, "object": 1}],
)
def test_a_damaged_or_newer_record_says_so_and_the_file_can_be_named(tmp_path, changed):
    local = local_model(tmp_path, **{"lmvp.json": record(**changed), "model.json": "[1]"})
    with pytest.raises(errors.LocalFileError, match="newest client, or name the file"):
        local.load()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"my": "own"}', "[" * 100_000, " " * 70_000 + "{}", b"\xff\xfe"])
def test_another_file_of_that_name_is_a_file_like_others(tmp_path, content):
    local = local_model(tmp_path, **{"lmvp.json": content, "model.npy": npy(np.arange(3))})
    assert local.load("model.npy").tolist() == [0, 1, 2]


def test_a_record_cannot_choose_another_class_of_xgboost(tmp_path):
    details = {"class": "__builtins__"}
    local = local_model(
        tmp_path, **{"lmvp.json": record(format="xgboost", file="m.ubj", details=details), "m.ubj": b"{"}
    )
    with pytest.raises(errors.LocalFileError, match="which XGBoost has not"):
        local.load()


def test_other_versions_of_the_libraries_are_told_when_loading_fails(tmp_path):
    said = record(format="npy", file="a.npy", versions={"numpy": "0.9", "nowhere": "1"})
    with pytest.raises(errors.LocalFileError, match=rf"was kept with numpy 0\.9 \(here {np.__version__}\)"):
        local_model(tmp_path, **{"lmvp.json": said, "a.npy": b"\x93NUMPY"}).load()


# --- Bombs


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize("length", [2**63, 2**40, 10**8 + 1, 0])
def test_a_safetensors_header_that_claims_too_much_is_refused(tmp_path, length):
    library("safetensors")
    local = local_model(tmp_path, **{"model.safetensors": struct.pack("<Q", length) + b"{}"})
    with pytest.raises(errors.LocalFileError, match="safetensors"):
        local.load()


@pytest.mark.parametrize("offsets", [[0, 2**60], [8, 0], [0, 4]])
def test_a_safetensors_tensor_outside_of_its_file_is_refused(tmp_path, offsets):
    library("safetensors")
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": offsets}}).encode()
    local = local_model(tmp_path, **{"model.safetensors": struct.pack("<Q", len(header)) + header + bytes(8)})
    with pytest.raises(errors.LocalFileError, match="safetensors"):
        local.load()


def test_an_array_that_claims_petabytes_is_refused(tmp_path):
    content = npy(np.arange(3)).replace(b"(3,), ", b"(1125899906842624,), ").replace(b" " * 15 + b"\n", b"\n")
    with pytest.raises(errors.LocalFileError, match=r"a\.npy cannot be read"):
        local_model(tmp_path, **{"a.npy": content}).load()


def test_a_zip_that_is_none_and_json_that_is_too_deep_are_refused(tmp_path):
    local = local_model(tmp_path, **{"a.npz": b"PK\x03\x04nothing", "b.json": "[" * 200_000})
    for name in local.files:
        with pytest.raises(errors.LocalFileError, match="cannot be read"):
            local.load(name)


def test_a_skops_file_of_an_unknown_type_names_it_and_makes_nothing(tmp_path, trace):
    library("sklearn")
    library("skops")
    buffer = io.BytesIO()
    empty = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "__id__": 3, "content": []}
    kinds = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "__id__": 2}
    schema = {
        **{"__class__": "system", "__module__": "os", "__loader__": "ObjectNode", "__id__": 1},
        **{"content": {**kinds, "content": {}, "key_types": empty}, "protocol": 2, "_skops_version": "0.16.0"},
    }
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    with pytest.raises(errors.NotTrusted, match=r"harmless: os\.system\..*trusted=\['os\.system'\]"):
        local_model(tmp_path, **{"m.skops": buffer.getvalue()}).load()


# --- Objects that nobody knows


@pytest.mark.parametrize("obj", [None, 7, object(), {}, {"a": 1}, {1: np.arange(3)}, [np.arange(3)], print, Bomb("x")])
def test_an_object_that_nobody_knows_is_refused_with_what_can_be_given(obj):
    told = r"cannot be published.*PyTorch.*pandas.*register_format"
    with pytest.raises(errors.ValidationFailed, match=told), formats.kept(obj):
        pass


def test_an_array_of_objects_is_refused_and_says_why():
    with (
        pytest.raises(errors.ValidationFailed, match=r"ndarray cannot be kept \(npy: arrays of Python objects.*pickle"),
        formats.kept(np.array([{}], dtype=object)),
    ):
        pass


def test_what_was_written_for_an_object_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with formats.kept(np.arange(3)) as kept:
        assert sorted(os.listdir(kept.path)) == ["array.npy", "lmvp.json"]
    assert list(tmp_path.iterdir()) == []


# --- Libraries that are not there


MISSING = """
import sys
from pathlib import Path
gone = {gone!r}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in gone:
            raise ModuleNotFoundError(f"No module named {{name!r}}")

sys.meta_path.insert(0, Absent())
from lmvp.client import errors, formats
try:
    formats.load(Path({path!r}))
except errors.UnknownFormat as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "gone", "package"),
    [
        ("m.safetensors", ["safetensors"], "safetensors"),
        ("m.skops", ["skops"], "skops"),
        ("m.onnx", ["onnx"], "onnx"),
        ("m.keras", ["keras"], "keras"),
        ("m.ubj", ["xgboost"], "xgboost"),
        ("m.lightgbm", ["lightgbm"], "lightgbm"),
        ("m.parquet", ["pandas", "polars", "pyarrow", "fastparquet"], "pyarrow"),
        ("m.npy", ["numpy"], "numpy"),
    ],
)
def test_a_library_that_is_missing_is_named_with_the_command_that_brings_it(tmp_path, name, gone, package):
    (tmp_path / name).write_bytes(b"?")
    code = MISSING.format(gone=gone, path=str(tmp_path / name))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert f"{name} needs {package}. Install it: pip install {package}." in done.stdout


def test_looking_for_a_format_imports_no_library():
    code = (
        "import sys; from lmvp.client import formats, errors\n"
        "try:\n    formats.kept(object()).__enter__()\nexcept errors.ValidationFailed:\n    pass\n"
        "known = 'numpy torch sklearn skops joblib safetensors keras onnx xgboost lightgbm pandas polars pyarrow'.split()\n"
        "print([name for name in known if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


# --- Formats of others


class Sum:
    def __init__(self, terms: list[int]) -> None:
        self.terms = terms


@pytest.fixture
def own_formats(monkeypatch):
    monkeypatch.setattr(registry, "_FORMATS", list(registry._FORMATS))


def save_sum(obj: Sum, path: Path) -> dict[str, int]:
    path.mkdir()
    for number, term in enumerate(obj.terms):
        (path / f"{number}.term").write_text(str(term))
    return {"terms": len(obj.terms)}


def load_sum(path: Path, loading: lmvp.Loading) -> Sum:
    return Sum([int((path / f"{number}.term").read_text()) for number in range(loading.details["terms"])])


@pytest.mark.usefixtures("own_formats")
def test_a_format_of_somebody_elses_keeps_a_directory_and_what_it_noted():
    lmvp.register_format(
        lmvp.Format("sum", load_sum, lambda obj: isinstance(obj, Sum), save_sum, "sum", libraries=("numpy",))
    )
    with formats.kept(Sum([3, 4])) as kept:
        local = LocalModel(kept.path, VERSION, ["lmvp.json", "sum/0.term", "sum/1.term"])
        assert local.load().terms == [3, 4]
        assert json.loads(local.file("lmvp.json").read_text()) == {
            "lmvp": 1,
            "format": "sum",
            "file": "sum",
            "object": "tests.formats.test_hostile_files.Sum",
            "versions": {"python": sys.version.split()[0], "numpy": np.__version__},
            "details": {"terms": 2},
        }


@pytest.mark.usefixtures("own_formats")
def test_a_format_of_somebody_elses_may_be_unsafe_and_read_files_by_their_ending(tmp_path):
    lmvp.register_format(
        lmvp.Format("sums", lambda path, _: path.read_text(), suffixes=(".sum",), unsafe="it holds spells")
    )
    local = local_model(tmp_path, **{"a.sum": "7"})
    with pytest.raises(errors.NotTrusted, match="it holds spells"):
        local.load()
    assert local.load(trusted=True) == "7"


@pytest.mark.usefixtures("own_formats")
@pytest.mark.parametrize("file", ["", "../model", "/model", "a\\b", "lmvp.json"])
def test_a_format_that_writes_elsewhere_is_refused(file):
    with pytest.raises(errors.ValidationFailed, match="“bad” writes the file"):
        lmvp.register_format(lmvp.Format("bad", load_sum, lambda obj: True, save_sum, file))


@pytest.mark.usefixtures("own_formats")
def test_a_format_that_fails_leaves_the_object_to_the_next_one():
    def fails(obj: object, path: Path) -> None:
        raise RuntimeError("the pen is broken")

    lmvp.register_format(lmvp.Format("bad", load_sum, lambda obj: True, fails, "model"))
    with formats.kept(np.arange(3)) as kept:
        assert kept.title == "ndarray (npy)"
    with pytest.raises(errors.ValidationFailed, match="bad: RuntimeError: the pen is broken"), formats.kept(Sum([])):
        pass
