"""A serving machine's directory: always one whole version, whatever happens."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from lmvp.client import cli, errors
from lmvp.client.api import Client
from lmvp.client.served import Served
from tests.client_home import client_with_token

pytestmark = pytest.mark.usefixtures("own_home")
NAME = "vision/digits"


@pytest.fixture
def alice(live_server, cast) -> Client:
    return client_with_token(live_server.url, cast.alice)


@pytest.fixture
def weights(tmp_path):
    directory = tmp_path / "weights"
    (directory / "deep").mkdir(parents=True)
    return directory


def publish(client, weights, text):
    """Publish a version whose two files say the same."""
    (weights / "a.txt").write_text(text)
    (weights / "deep" / "b.txt").write_text(text)
    return client.publish(NAME, weights, alias="production")


def said(place):
    return (place / "a.txt").read_text(), (place / "deep" / "b.txt").read_text()


def test_a_directory_becomes_the_version_and_follows_its_alias(alice, weights, tmp_path):
    place = tmp_path / "srv" / "digits"
    first = publish(alice, weights, "one")
    local = alice.sync(NAME, place)
    assert (local.version, local.path, sorted(local.files)) == (alice.version(NAME, 1), place, ["a.txt", "deep/b.txt"])
    assert said(place) == ("one", "one")
    opened = (place / "a.txt").open()
    second = publish(alice, weights, "two")
    alice.sync(NAME, place)
    assert said(place) == ("two", "two")
    assert opened.read() == "one"
    kept = {one.name for one in (tmp_path / "srv" / ".digits.lmvp").iterdir()}
    assert kept == {"lock", first.digest, second.digest}
    alice.sync(NAME, place, keep=0)
    assert {one.name for one in (tmp_path / "srv" / ".digits.lmvp").iterdir()} == {"lock", second.digest}
    opened.close()


def test_what_stands_there_is_checked_and_mended(alice, weights, tmp_path):
    publish(alice, weights, "one")
    place = alice.sync(NAME, tmp_path / "digits").path
    (place / "a.txt").write_text("eno")
    (place / "deep" / "b.txt").unlink()
    alice.sync(NAME, place)
    assert said(place) == ("one", "one")


def test_a_rollback_needs_no_bytes(alice, weights, tmp_path):
    publish(alice, weights, "one")
    place = alice.sync(NAME, tmp_path / "digits").path
    publish(alice, weights, "two")
    alice.sync(NAME, place)
    inode = (tmp_path / ".digits.lmvp" / alice.version(NAME, 1).digest / "a.txt").stat().st_ino
    alice.set_alias(NAME, "production", 1)
    alice.sync(NAME, place)
    assert (place / "a.txt").stat().st_ino == inode
    assert said(place) == ("one", "one")


def test_what_is_not_ours_is_left_alone(alice, weights, tmp_path):
    publish(alice, weights, "one")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years")
    (tmp_path / "link").symlink_to(mine)
    (tmp_path / "file").touch()
    for name, message in (("mine", "not made by `lmvp sync`"), ("link", "is a link to"), ("file", "not made by")):
        with pytest.raises(errors.LocalFileError, match=message):
            alice.sync(NAME, tmp_path / name)
    assert (mine / "thesis.tex").read_text() == "years"
    (tmp_path / "empty").mkdir()
    assert said(alice.sync(NAME, tmp_path / "empty").path) == ("one", "one")


def test_a_reader_never_sees_a_mixture(alice, weights, tmp_path):
    publish(alice, weights, "0")
    place = alice.sync(NAME, tmp_path / "digits").path
    seen, done = [], threading.Event()

    def read():
        while not done.is_set():
            whole = os.readlink(place)  # as a server does that loads a model: one directory, then its files
            seen.append(said(place.parent / whole))

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(1, 6):
        publish(alice, weights, str(turn))
        alice.sync(NAME, place)
    done.set()
    reader.join()
    assert {len(set(pair)) for pair in seen} == {1}
    assert len(seen) > 5


def test_two_that_sync_one_place_take_turns(alice, weights, tmp_path):
    publish(alice, weights, "one")
    threads = [threading.Thread(target=alice.sync, args=(NAME, tmp_path / "digits")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said(tmp_path / "digits") == ("one", "one")
    assert sorted(one.name for one in (tmp_path / ".digits.lmvp").iterdir() if one.name != "lock") == [
        alice.version(NAME).digest
    ]


def test_what_was_left_half_is_gone_on_with_or_swept(alice, weights, tmp_path):
    first = publish(alice, weights, "one")
    store = tmp_path / ".digits.lmvp"
    (store / f"{first.digest}.part" / "deep").mkdir(parents=True)
    (store / f"{first.digest}.part" / "a.txt").write_text("one")
    (store / ("f" * 64 + ".part")).mkdir()
    place = alice.sync(NAME, tmp_path / "digits").path
    assert said(place) == ("one", "one")
    assert {one.name for one in store.iterdir()} == {"lock", first.digest}
    assert Served(place).current() == first.digest


# --- The command


def test_the_command_says_what_is_where(alice, weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LMVP_SERVER", alice.server)
    monkeypatch.setenv("LMVP_TOKEN", alice._session._token)
    version = publish(alice, weights, "one")
    note = tmp_path / "note"
    run = f'echo "$LMVP_VERSION $LMVP_PATH" > "{note}"'
    assert cli.main(["sync", NAME, str(tmp_path / "digits"), "--exec", run]) == 0
    assert capsys.readouterr().out == f"{version} is in {tmp_path / 'digits'}\n"
    assert note.read_text() == f"1 {tmp_path / 'digits'}\n"
    note.unlink()
    assert cli.main(["sync", NAME, str(tmp_path / "digits"), "--exec", run]) == 0
    assert not note.exists(), "nothing was switched"
    publish(alice, weights, "two")
    assert cli.main(["sync", f"{NAME}@2", str(tmp_path / "digits"), "--exec", "exit 3"]) == 1
    assert "`exit 3` ended with 3" in capsys.readouterr().err
    assert cli.main(["sync", f"{NAME}@1", str(tmp_path / "digits")]) == 0
    assert cli.main(["sync", f"{NAME}@nothing", str(tmp_path / "digits")]) == 1
    assert said(tmp_path / "digits") == ("one", "one")
    assert cli.main(["sync", NAME, str(tmp_path / "digits"), "--watch", "--interval", "0"]) == 2


def test_watching_follows_the_alias_and_outlives_a_server_that_is_away(alice, weights, tmp_path):
    publish(alice, weights, "one")
    home = {**os.environ, "LMVP_SERVER": alice.server, "LMVP_TOKEN": alice._session._token}
    command = [sys.executable, "-m", "lmvp", "sync", NAME, str(tmp_path / "digits"), "--watch", "--interval", "0.1"]
    watching = subprocess.Popen(
        [*command, "--json"], env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert json.loads(watching.stdout.readline())["number"] == 1
        alice.delete_alias(NAME, "production")
        assert "Trying again in" in watching.stderr.readline()
        assert said(tmp_path / "digits") == ("one", "one")
        publish(alice, weights, "two")
        assert json.loads(watching.stdout.readline())["number"] == 2
        assert said(tmp_path / "digits") == ("two", "two")
    finally:
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=20)
    assert watching.returncode == 130
