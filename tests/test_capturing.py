"""What is captured of where a version comes from, if that is asked for; never a secret."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lmvp.client import capturing, cli
from lmvp.client.api import Client
from tests.signed_in import home_of_its_own, signed_in


@pytest.fixture
def alice(live_server, cast, tmp_path, monkeypatch) -> Client:
    home_of_its_own(tmp_path, monkeypatch)
    return signed_in(live_server.url, cast.alice)


def git(*words: str) -> str:
    who = ["-c", "user.name=Alice", "-c", "user.email=alice@example.org"]
    return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A repository with one commit, the current directory."""
    path = tmp_path / "training"
    path.mkdir()
    monkeypatch.chdir(path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git("init", "--quiet", "--initial-branch=wide")
    (path / "train.py").write_text("print(1)\n")
    git("add", ".")
    git("commit", "--quiet", "--message=Train")
    git("remote", "add", "origin", "https://alice:secret@git.example.org/team/training.git?private_token=secret")
    return path


@pytest.mark.usefixtures("repository")
def test_the_commit_python_libraries_and_the_command_line_are_captured(monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "--epochs", "3", "--token", "lmvp_secret"])
    captured = capturing.captured()
    assert captured["git"] == {
        "commit": git("rev-parse", "HEAD"),
        "branch": "wide",
        "remote": "https://git.example.org/team/training.git",
        "dirty": False,
    }
    assert captured["python"] == platform.python_version()
    assert captured["platform"] == platform.platform()
    assert captured["libraries"]["numpy"] == np.__version__
    assert captured["command"] == "train.py --epochs 3 --token '***'"
    assert "secret" not in json.dumps(captured)


def test_changed_files_make_it_dirty_and_a_commit_may_be_on_no_branch(repository):
    (repository / "train.py").write_text("print(2)\n")
    git("checkout", "--quiet", "--detach")
    found = capturing.captured()["git"]
    assert (found["dirty"], "branch" in found) == (True, False)


def test_outside_of_a_repository_and_without_git_the_rest_is_captured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert set(capturing.captured()) == {"python", "platform", "libraries", "command"}
    monkeypatch.setenv("PATH", "")
    assert "git" not in capturing.captured()


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["t.py", "--lr", "0.1", "data/"], "t.py --lr 0.1 data/"),
        (["t.py", "--password", "hunter2", "--fast"], "t.py --password '***' --fast"),
        (["t.py", "--password", "--hunter2"], "t.py --password '***'"),
        (["t.py", "--api-key=abc"], "t.py '--api-key=***'"),
        (["t.py", "--wandb_api_key", "abc"], "t.py --wandb_api_key '***'"),
        (
            ["t.py", "DB_PASSWORD=abc", "AWS_SECRET_ACCESS_KEY=abc"],
            "t.py 'DB_PASSWORD=***' 'AWS_SECRET_ACCESS_KEY=***'",
        ),
        (["t.py", "auth.token=abc", "optimizer.lr=0.1"], "t.py 'auth.token=***' optimizer.lr=0.1"),
        (["t.py", "lmvp_abcdefgh1234", "hf_abcdefgh1234"], "t.py '***' '***'"),
        (["t.py", "-H", "Bearer abc.def"], "t.py -H '***'"),
        (["t.py", "--server=https://u:p@ss@h.example/x"], "t.py --server=https://h.example/x"),
        (["t.py", "x=hf_abcdefgh1234"], "t.py 'x=***'"),
    ],
)
def test_secrets_on_the_command_line_are_hidden(words, shown):
    assert capturing.command(words) == shown


def test_a_command_line_without_end_is_cut():
    assert len(capturing.command(["t.py", "x" * 100_000])) == 2000


def test_a_version_has_what_was_captured_only_if_that_was_asked_for(alice, repository):
    plain = alice.publish("vision/digits", "train.py", metadata={"width": 64})
    traced = alice.update("vision/digits", "train.py", metadata={"width": 64}, capture=True)
    with alice.run("vision/digits", capture=True, metadata={"width": 32}) as run:
        run.keep("train.py")
    assert plain.metadata == {"width": 64}
    assert set(traced.metadata) == set(run.version.metadata) == {"width", "captured"}
    assert traced.metadata["captured"]["git"]["commit"] == git("rev-parse", "HEAD")
    own = alice.update("vision/digits", "train.py", metadata={"captured": "mine"}, capture=True)
    assert own.metadata == {"captured": "mine"}


@pytest.mark.usefixtures("repository")
def test_the_command_line_captures_too(alice, live_server, monkeypatch, capsys):
    monkeypatch.setenv("LMVP_SERVER", live_server.url)
    assert cli.main(["publish", "vision/digits", "train.py", "--capture", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["captured"]["git"]["branch"] == "wide"
