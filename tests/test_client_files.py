"""What the client takes from this machine, and how it writes what people say: no server."""

import json
import os
import socket
import tarfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from lmvp.client import errors as lmvp_errors
from lmvp.client import files, formats, http, measurements
from lmvp.client.cache import Cache
from lmvp.client.credentials import CredentialFile
from lmvp.client.errors import LocalFileError, UnknownFormat, ValidationFailed
from lmvp.client.outgoing import Body
from lmvp.client.packs import PackBody
from lmvp.client.versions import History, LocalModel, Version

ANSWER = {
    "project": "vision",
    "model": "digits",
    "number": 3,
    "digest": "ab" * 32,
    "branch": "main",
    "parents": [],
    "author": "alice",
    "message": "Wider layer\n\nAnd more.",
    "metadata": {"width": 64},
    "metrics": {"accuracy": 0.97444, "epochs": 30, "note": "fine"},
    "refs": [{"kind": "branch", "name": "main"}, {"kind": "alias", "name": "production"}],
    "created_at": "2026-11-21T04:05:06.789Z",
    "files": {"count": 2, "size": 1000},
    "deprecated": None,
    "url": "http://localhost:8000/v1/…",
}


def write(root: Path, **contents: str) -> Path:
    for name, content in contents.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


# --- Which files


def test_a_directory_is_walked_whole_but_for_what_tools_leave_behind(tmp_path):
    write(tmp_path, weights="w", deep__er__config="c", __pycache__="x")
    for junk in (".git/HEAD", "deep/__pycache__/a.pyc", ".DS_Store"):
        (tmp_path / junk).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / junk).write_text("junk")
    (tmp_path / ".hidden").write_text("kept: nothing else is left out silently")
    assert list(files.found(tmp_path)) == [".hidden", "deep/er/config", "weights"]


def test_a_single_file_keeps_its_name(tmp_path):
    write(tmp_path, weights="w")
    assert files.found(tmp_path / "weights") == {"weights": tmp_path / "weights"}


def test_names_are_normalised_to_nfc(tmp_path):
    (tmp_path / unicodedata.normalize("NFD", "modèle.txt")).write_text("m")
    assert list(files.found(tmp_path)) == [unicodedata.normalize("NFC", "modèle.txt")]


def test_two_names_that_are_one_in_nfc_are_refused(tmp_path):
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "modèle")).write_text(form)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system normalises by itself")
    with pytest.raises(LocalFileError, match="same name"):
        files.found(tmp_path)


def test_links_inside_are_followed(tmp_path):
    write(tmp_path, real__weights="w")
    (tmp_path / "latest").symlink_to(tmp_path / "real" / "weights")
    (tmp_path / "again").symlink_to("real", target_is_directory=True)
    assert list(files.found(tmp_path)) == ["again/weights", "latest", "real/weights"]


def test_a_link_in_a_circle_is_refused(tmp_path):
    write(tmp_path, sub__weights="w")
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(LocalFileError, match="leads in a circle back"):
        files.found(tmp_path)


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(LocalFileError, match="nowhere or in a circle"):
        files.found(tmp_path)


def test_a_link_out_of_the_directory_is_refused(tmp_path):
    write(tmp_path, id_rsa="secret", model__weights="w")
    (tmp_path / "model" / "config").symlink_to(tmp_path / "id_rsa")
    with pytest.raises(LocalFileError, match="link out of"):
        files.found(tmp_path / "model")


def test_pipes_and_sockets_are_refused_and_do_not_hang(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LocalFileError, match="not a regular file"):
        files.found(tmp_path)
    (tmp_path / "pipe").unlink()
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(LocalFileError, match="not a regular file"):
            files.found(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(tmp_path):
    write(tmp_path, weights="w")
    (tmp_path / "weights").chmod(0)
    with pytest.raises(LocalFileError, match=r"Cannot read .*weights: Permission denied"):
        files.hashed("weights", tmp_path / "weights", lambda _: None)


@pytest.mark.parametrize(("name", "problem"), [("a\nb", "control"), ("a\\b", "backslash"), (b"\xff", "UTF-8")])
def test_names_that_no_version_may_hold_are_refused_before_anything_is_sent(tmp_path, name, problem):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + os.fsencode(name))).write_text("x")
    with pytest.raises(LocalFileError, match=problem):
        files.found(tmp_path)


def test_nothing_there_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(LocalFileError, match="looked up in"):
        files.found(tmp_path / "missing")
    with pytest.raises(LocalFileError, match="no files in"):
        files.found(tmp_path)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a//b", "a/./b", "", "a\0b", "C:\\x"])
def test_a_path_from_a_server_never_leaves_the_directory(tmp_path, path):
    with pytest.raises(ValidationFailed, match="Nothing was written"):
        files.inside(tmp_path, path)


def test_a_download_does_not_write_through_a_link(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "sub").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(LocalFileError, match="link out of"):
        files.inside(tmp_path / "target", "sub/x")


@pytest.mark.parametrize("changed", ["shorter", "a good deal longer than before", "same siz!"])
def test_a_file_that_changes_while_it_is_sent_never_arrives_whole(tmp_path, changed):
    path = write(tmp_path, weights="same size") / "weights"
    file = files.hashed("weights", path, lambda _: None)
    path.write_text(changed)
    sent: list[bytes] = []
    with pytest.raises(LocalFileError, match="changed while it was sent"):
        sent.extend(Body(file, 0, lambda _: None))
    assert len(b"".join(sent)) < file.size


@pytest.mark.parametrize("more", [b"", b"more"])
def test_a_file_that_changes_while_it_is_hashed_is_told(tmp_path, more):
    path = tmp_path / "weights"
    path.write_bytes(bytes(3_000_000))

    def change(_: int) -> None:
        content = path.read_bytes()[:3_000_000]
        path.write_bytes(b"x" + content[1:] + more)
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))

    with pytest.raises(LocalFileError, match="changed while it was sent"):
        files.hashed("weights", path, change)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_directory_is_named(tmp_path):
    write(tmp_path, deep__weights="w")
    (tmp_path / "deep").chmod(0)
    try:
        with pytest.raises(LocalFileError, match=r"Cannot read .*deep: Permission denied"):
            files.found(tmp_path)
    finally:
        (tmp_path / "deep").chmod(0o700)


# --- The cache


def test_a_draft_vanishes_when_its_writer_is_interrupted(tmp_path):
    def interrupted() -> None:
        with files.replacing(tmp_path / "weights") as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_the_cache_gives_only_what_it_has_read_again(tmp_path):
    cache = Cache(tmp_path)
    file = files.hashed("x", write(tmp_path, x="bytes") / "x", lambda _: None)
    cache.blob(file.sha256).parent.mkdir()
    cache.blob(file.sha256).write_text("bytes")
    assert cache.verified(file.sha256, file.size) == cache.blob(file.sha256)
    cache.blob(file.sha256).write_text("byteZ")
    assert cache.verified(file.sha256, file.size) is None
    assert not cache.blob(file.sha256).exists()


# --- Metrics, metadata, versions


@pytest.mark.parametrize(
    ("metrics", "rows"),
    [
        (None, []),
        ({"accuracy": 0.5, "note": "ok"}, [{"name": "accuracy", "value": 0.5}, {"name": "note", "text": "ok"}]),
        ({"loss": [1, 0.5]}, [{"name": "loss", "value": 1.0, "step": 0}, {"name": "loss", "value": 0.5, "step": 1}]),
        ({"loss": np.array([2.0])}, [{"name": "loss", "value": 2.0, "step": 0}]),
        ({"accuracy": np.float32(0.5)}, [{"name": "accuracy", "value": 0.5}]),
        ([{"name": "loss", "value": 1, "step": 7}], [{"name": "loss", "value": 1.0, "step": 7}]),
    ],
)
def test_metrics_may_be_written_in_several_ways(metrics, rows):
    assert measurements.rows(metrics) == rows


@pytest.mark.parametrize(
    "bad", [{"loss": float("nan")}, {"loss": [1, float("inf")]}, {"x": None}, {"x": {}}, [{"v": 1}]]
)
def test_metrics_that_are_no_finite_numbers_are_refused(bad):
    with pytest.raises(ValidationFailed):
        measurements.rows(bad)


def test_metadata_takes_numbers_of_numpy_and_refuses_what_json_cannot_say(tmp_path):
    assert json.loads(http.encode({"rate": np.float64(0.5), "path": tmp_path})) == {"rate": 0.5, "path": str(tmp_path)}
    for bad in (object(), float("nan")):
        with pytest.raises(ValidationFailed, match="finite numbers"):
            http.encode({"x": bad})


def test_a_history_is_a_table():
    version = Version.from_json(ANSWER)
    lines = str(History("vision/digits", [version])).splitlines()
    assert lines[0] == "vision/digits"
    assert lines[1].split() == ["version", "when", "author", "refs", "accuracy", "epochs", "note", "message"]
    assert lines[2].split()[0] == "*"
    assert lines[2].split()[4:] == ["alice", "main,", "production", "0.9744", "30", "fine", "Wider", "layer"]
    assert repr(History("vision/digits", [version])) == "<History of vision/digits: 1 version>"
    assert "no versions yet" in str(History("vision/digits"))


def test_what_others_wrote_does_not_steer_the_terminal():
    version = Version.from_json({**ANSWER, "message": "\x1b[2Jgone"})
    assert "\x1b" not in str(History("vision/digits", [version]))


# --- Formats


def test_files_are_loaded_as_what_they_are(tmp_path):
    np.savez(tmp_path / "weights.npz", a=np.arange(3))
    (tmp_path / "config.json").write_text('{"width": 64}')
    (tmp_path / "blob.bin").write_text("?")
    local = LocalModel(tmp_path, Version.from_json(ANSWER), ["blob.bin", "config.json", "weights.npz"])
    assert local.load("weights.npz")["a"].tolist() == [0, 1, 2]
    assert local.load("config.json") == {"width": 64}
    assert local.file("blob.bin") == tmp_path / "blob.bin"
    with pytest.raises(UnknownFormat, match="its path is"):
        local.load("blob.bin")
    with pytest.raises(lmvp_errors.NotFound, match="Name the file"):
        local.load()
    with pytest.raises(lmvp_errors.NotFound, match="has no file"):
        local.file("../secret")


def test_a_pickle_inside_an_array_file_is_not_run(tmp_path):
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(LocalFileError, match="cannot be read"):
        formats.load(tmp_path / "evil.npy")


# --- Credentials


def test_sign_ins_are_kept_privately_for_several_servers(tmp_path):
    kept = CredentialFile(tmp_path / "lmvp" / "credentials.json")
    assert kept.get("http://one") is None
    for server in ("http://one", "http://two"):
        with kept.locked():
            kept.keep(server, {"access": server})
    assert kept.get("http://one") == {"access": "http://one"}
    assert kept.default_server() == "http://two"
    assert kept.path.stat().st_mode & 0o777 == 0o600
    kept.forget("http://two")
    assert kept.get("http://two") is None
    assert sorted(path.name for path in kept.path.parent.iterdir()) == ["credentials.json", "credentials.lock"]


def test_a_damaged_credential_file_says_what_to_do(tmp_path):
    (tmp_path / "credentials.json").write_text("{")
    with pytest.raises(LocalFileError, match="Delete it and sign in again"):
        CredentialFile(tmp_path / "credentials.json").get("http://one")


def test_a_draft_that_cannot_be_removed_does_not_hide_the_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LocalFileError, match="Cannot write"), files.replacing(tmp_path / "file" / "weights"):
        pass


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 70_000])
def test_a_pack_is_the_tar_that_tarfile_writes(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "a.bin").write_bytes(content)
    file = files.hashed("a.bin", tmp_path / "a.bin", lambda _: None)
    body = PackBody([file], lambda _: None)
    member = tarfile.TarInfo(file.sha256)
    member.size = size
    expected = member.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-size % 512) + bytes(1024)
    assert b"".join(body) == expected
    assert body.len == len(expected)
