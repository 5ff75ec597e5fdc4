"""What TAB offers: commands, options, names and revisions, in Python and in a real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lmvp.client import cli, errors
from lmvp.client.api import Client
from lmvp.client.commands.completion import SCRIPTS
from lmvp.client.completing import candidates
from tests.client_home import client_with_token

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture
def alice(live_server, cast, tmp_path) -> Client:
    client = client_with_token(live_server.url, cast.alice)
    (tmp_path / "a.txt").write_text("a")
    client.publish("vision/digits", tmp_path / "a.txt", alias="production", tag="paper")
    client.publish("vision/letters", tmp_path / "a.txt")
    return client


def offered(client: Client, *words: str) -> list[str] | None:
    return candidates(cli.parser(), words, client)


def test_commands_and_options_are_offered_without_a_server():
    nowhere = Client("http://127.0.0.1:9")
    assert offered(nowhere, "hist") == ["history"]
    assert set(offered(nowhere, "")) == set(cli.COMMANDS)
    assert offered(nowhere, "publish", "--met") == ["--metric", "--metric-text", "--metadata", "--metadata-file"]
    assert "--branch" in offered(nowhere, "update", "vision/digits", "--")
    assert offered(nowhere, "publish", "--kind", "d") == ["dataset"]
    assert offered(nowhere, "no-such-command", "") == []
    assert offered(nowhere, "publish", "vision/digits", "") is None  # files
    assert offered(nowhere, "download", "vision/digits", "-o", "") is None
    with pytest.raises(errors.ConnectionFailed):
        offered(nowhere, "history", "")


def test_names_and_revisions_are_asked_of_the_server(alice):
    assert "vision/" in offered(alice, "history", "vi")
    assert offered(alice, "history", "vision/") == ["vision/digits", "vision/letters"]
    assert offered(alice, "download", "vision/digits@p") == ["vision/digits@production", "vision/digits@paper"]
    assert offered(alice, "alias", "vision/digits", "pro") == ["production"]
    assert offered(alice, "alias", "vision/digits", "production", "1") == ["1"]
    assert "latest" in offered(alice, "publish", "vision/digits", ".", "--parent", "")


def test_what_a_server_says_cannot_become_a_command(alice, monkeypatch):
    monkeypatch.setattr(
        alice, "projects", lambda: [SimpleNamespace(name=name) for name in ("$(touch${IFS}owned)", "a b", "good")]
    )
    assert offered(alice, "history", "") == ["good/"]


def test_a_server_that_is_away_leaves_the_shell_alone(monkeypatch, capsys):
    monkeypatch.setenv("LMVP_SERVER", "http://127.0.0.1:9")
    assert cli.main(["completion", "--words", "lmvp history vis"]) == 0
    assert capsys.readouterr() == ("\n", "")


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_scripts_are_printed(shell, capsys):
    assert cli.main(["completion", shell]) == 0
    assert "lmvp completion --words" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("lmvp hist", ["history"]),
        ("lmvp history vision/", ["vision/digits", "vision/letters"]),
        ("lmvp download vision/digits@pro", ["production"]),  # bash itself keeps what stands before the @
    ],
)
def test_bash_completes(alice, tmp_path, line, offered):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "lmvp").write_text(f'#!/bin/sh\nexec {sys.executable} -m lmvp "$@"\n')
    (tmp_path / "bin" / "lmvp").chmod(0o755)
    asked = f'{SCRIPTS["bash"]}\nCOMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}; compopt() {{ :; }}; _lmvp\n'
    env = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parent.parent),
        "LMVP_SERVER": alice.server,
        "LMVP_TOKEN": str(alice._session._token),
    }
    script = asked + "printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == offered
