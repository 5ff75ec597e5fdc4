"""What Windows makes of a version's paths: told before a byte is written, or written where it can stand. Runs everywhere."""

from __future__ import annotations

import json
import ntpath
from pathlib import Path, PureWindowsPath

import pytest

from lmvp.client import files, http, windows_names
from lmvp.client.cache import Cache
from lmvp.client.calls.connection import quoted
from lmvp.client.errors import LocalFileError, ValidationFailed

DIGEST = "cd" * 32
is_reserved = getattr(ntpath, "isreserved", lambda name: PureWindowsPath(name).is_reserved())


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("con", "“con” is the name of a device"),
        ("NUL.txt", "“NUL.txt” is the name of a device"),
        ("aux.tar.gz", "“aux.tar.gz” is the name of a device"),
        ("deep/com1/weights.bin", "“com1” is the name of a device"),
        ("lpt².md", "“lpt².md” is the name of a device"),
        ("nul .txt", "“nul .txt” is the name of a device"),
        ("a:b", "no name there has a ':'"),
        ("weights?.bin", "no name there has a '?'"),
        ('say "hi"', "no name there has a '\"'"),
        ("deep /x", "the end of “deep ”"),
        ("notes.", "the end of “notes.”"),
    ],
)
def test_a_path_that_windows_cannot_hold_is_refused_and_says_why_and_what_to_do(tmp_path, path, told):
    inside = files.Inside(tmp_path, windows=True)
    with pytest.raises(LocalFileError) as refused:
        inside.place(path)
    assert refused.value.message.startswith(f"“{path}” cannot be written on Windows: {told}")
    assert "lmvp archive" in refused.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path", ["com/x", "console.txt", "com10", "lpt0", "nul-1", "a b.c", ".hidden", "größe.md", "x.con"]
)
def test_other_paths_stand_there_as_they_are(tmp_path, path):
    assert files.Inside(tmp_path, windows=True).place(path) == tmp_path / path


def test_two_files_that_windows_takes_for_one_are_refused(tmp_path):
    inside = files.Inside(tmp_path, windows=True)
    assert inside.place("Sub/Weights.bin") == inside.place("Sub/Weights.bin")
    with pytest.raises(LocalFileError, match=r"the same file as “Sub/Weights\.bin” there"):
        inside.place("sub/weights.BIN")


def test_elsewhere_all_of_these_are_paths_like_others(tmp_path):
    inside = files.Inside(tmp_path, windows=False)
    for path in ("con", "aux.txt", "a:b", "notes.", "Weights", "weights"):
        assert inside.place(path) == tmp_path / path


@pytest.mark.parametrize("windows", [True, False])
@pytest.mark.parametrize("path", ["C:\\x", "..\\x", "a\\b", "\\\\server\\share", "../x", "a\0b"])
def test_no_path_leads_out_of_the_directory(tmp_path, path, windows):
    with pytest.raises(ValidationFailed, match="Nothing was written"):
        files.Inside(tmp_path, windows=windows).place(path)


@pytest.mark.parametrize("name", ["con", "Con.txt", "prn", "AUX.a.b", "nul", "COM9.x", "lpt³", "conin$"])
def test_devices_are_those_that_python_knows(name):
    assert windows_names.is_device(name)
    assert is_reserved(name)


@pytest.mark.parametrize("name", ["com0", "com10", "cons", "xcon", "com", "n.ul", ".con"])
def test_other_names_are_none_as_python_says_too(name):
    assert not windows_names.is_device(name)
    assert not is_reserved(name)


def test_snapshots_of_a_model_that_is_called_like_a_device_stand_beside_it(tmp_path):
    cache = Cache(tmp_path)
    assert cache.snapshot("con", "aux.v1", DIGEST) == tmp_path / "snapshots" / "_con" / "_aux.v1" / DIGEST
    assert cache.snapshot("vision", "digits", DIGEST) == tmp_path / "snapshots" / "vision" / "digits" / DIGEST


def test_a_file_that_is_asked_for_with_backslashes_says_how_it_is_written():
    with pytest.raises(ValidationFailed, match=r"backslash or a control character\. Write directories with “/”"):
        quoted("deep\\weights.bin")


def test_a_path_of_windows_in_metadata_is_one_with_slashes():
    assert json.loads(http.encode({"data": PureWindowsPath("C:\\data\\train.csv")})) == {"data": "C:/data/train.csv"}


def test_what_lies_below_a_directory_is_published_with_slashes(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "weights.bin").write_text("w")
    assert files.found(tmp_path) == {"deep/er/weights.bin": Path(tmp_path, "deep", "er", "weights.bin")}
