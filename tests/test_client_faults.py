"""The client over a line and beside a server that fail: it goes on where it stopped, or says what to do. No wrong byte."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lmvp.client import errors
from lmvp.client.api import Client
from tests.faulty_line import FaultyLine, faulty_line_to
from tests.http_client import Person, alice_at
from tests.servers import ROOT, Server, empty_database, running_server, start_server, wait_until

MODEL = "vision/classifier"
MIB = 2**20
HEAD = 40_000  # more bytes than the requests and answers around a body have


@dataclass
class Place:
    """A server that can be started again on the same data, and somebody there."""

    directory: Path
    env: dict[str, str]
    server: Server
    alice: Person

    def restart(self) -> None:
        self.server = start_server(self.directory, PORT=self.server.port, **self.env)
        self.server.wait_until_ready()


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("server")
    with empty_database() as env, running_server(directory, **env) as server:
        here = Place(directory, env, server, alice_at(server, env))
        yield here
        here.server.kill()


@pytest.fixture
def line(place: Place) -> Iterator[FaultyLine]:
    with faulty_line_to(place.server.port) as line:
        yield line


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own machine is read or written."""
    for name in ("LMVP_SERVER", "LMVP_TOKEN", "LMVP_PROJECT", "LMVP_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    monkeypatch.setenv("LMVP_CACHE", str(tmp_path / "home" / "cache"))


@pytest.fixture
def client(place: Place, line: FaultyLine) -> Client:
    return Client(line.url, token=place.alice.token)


def write(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - start)))
    return path


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(MIB):
            digest.update(piece)
    return digest.hexdigest()


def files_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


# --- Up


def test_an_upload_over_a_line_that_breaks_goes_on_where_it_broke(client, line, tmp_path):
    weights = write(tmp_path / "weights.bin", 40 * MIB)
    line.up.cut_at = 25 * MIB
    client.publish(MODEL, weights)
    assert line.up.cut_at is None
    assert line.up.carried < 48 * MIB, "what had come was not sent again"
    assert sha256(client.download(MODEL).file("weights.bin")) == sha256(weights)


def test_a_byte_that_is_damaged_on_its_way_up_is_sent_again(client, line, tmp_path):
    for size in (20 * MIB, 3 * MIB):
        weights = write(tmp_path / "weights.bin", size)
        line.up.forget()
        line.up.flip_at = size // 2
        client.publish(MODEL, weights)
        assert line.up.flip_at is None
        assert line.up.carried > 2 * size
        assert sha256(client.download(MODEL).file("weights.bin")) == sha256(weights)


def test_a_line_that_damages_every_upload_is_named_and_nothing_is_published(client, line, tmp_path):
    client.publish(MODEL, write(tmp_path / "before.bin", MIB))
    before = client.version(MODEL, "latest").number
    weights = write(tmp_path / "weights.bin", 2 * MIB)
    line.up.forget()
    line.up.flip_always = True
    with pytest.raises(errors.IntegrityError, match=r"other bytes of .*weights\.bin than were sent"):
        client.publish(MODEL, weights)
    line.up.flip_always = False
    assert client.version(MODEL, "latest").number == before


def test_a_server_that_dies_in_the_middle_of_an_upload_is_waited_for(client, line, place, tmp_path):
    weights = write(tmp_path / "weights.bin", 100 * MIB)
    line.up.rate = 40 * MIB

    def plug() -> None:
        wait_until(lambda: line.up.carried > 75 * MIB)
        place.server.kill()
        line.up.forget()
        place.restart()
        line.up.rate = 0

    helper = threading.Thread(target=plug)
    helper.start()
    client.publish(MODEL, weights)
    helper.join()
    assert line.up.carried < 60 * MIB, "the 64 MiB that were safe are not sent again"
    assert sha256(client.download(MODEL).file("weights.bin")) == sha256(weights)


def test_a_file_that_changes_while_it_is_sent_is_not_published(client, line, tmp_path):
    client.publish(MODEL, write(tmp_path / "before.bin", MIB))
    before = client.version(MODEL, "latest").number
    weights = write(tmp_path / "weights.bin", 30 * MIB)
    line.up.forget()
    line.up.rate = 20 * MIB

    def change() -> None:
        wait_until(lambda: line.up.carried > 10 * MIB)
        with weights.open("r+b") as file:
            file.seek(-10, os.SEEK_END)
            file.write(b"0123456789")

    helper = threading.Thread(target=change)
    helper.start()
    with pytest.raises(errors.LocalFileError, match=r"weights\.bin changed while it was sent"):
        client.publish(MODEL, weights)
    helper.join()
    assert client.version(MODEL, "latest").number == before


def test_what_the_server_has_is_not_sent(client, line, tmp_path):
    weights = write(tmp_path / "weights.bin", 5 * MIB)
    client.publish(MODEL, weights)
    line.up.forget()
    client.publish(MODEL, weights)
    assert line.up.carried < HEAD


def test_thousands_of_small_files_travel_together(client, line, tmp_path):
    for number in range(600):
        write(tmp_path / "many" / f"{number % 7}" / f"größe {number}.bin", number)
    line.connections = 0
    client.publish(MODEL, tmp_path / "many")
    local = client.download(MODEL)
    assert len(local.files) == 600
    assert all(sha256(local.path / name) == sha256(tmp_path / "many" / name) for name in local.files)
    assert line.connections < 20


# --- Down


@pytest.fixture
def published(place: Place, client: Client, line: FaultyLine, tmp_path: Path):
    """Publish a file of so many bytes, past the line, and return it."""

    def publish(size: int) -> Path:
        weights = write(tmp_path / "source" / "weights.bin", size)
        Client(place.server.url, token=place.alice.token).publish(MODEL, weights)
        line.down.forget()
        return weights

    return publish


@pytest.mark.parametrize("size", [30 * MIB, 100 * MIB])
def test_a_download_over_a_line_that_breaks_goes_on_where_it_broke(client, line, published, size):
    weights = published(size)
    line.down.cut_at = size // 2
    assert sha256(client.download(MODEL).file("weights.bin")) == sha256(weights)
    assert line.down.cut_at is None
    assert line.down.carried < size + 5 * MIB


@pytest.mark.parametrize("own_path", [True, False])
@pytest.mark.parametrize("size", [1000, 3 * MIB, 70 * MIB])
def test_a_byte_that_is_damaged_on_its_way_down_is_fetched_again(client, line, published, tmp_path, size, own_path):
    weights = published(size)
    client.version(MODEL, "latest")
    line.down.flip_at = line.down.carried + 40_000 + size // 2 if size > MIB else None
    local = client.download(MODEL, path=tmp_path / "mine" if own_path else None)
    assert line.down.flip_at is None
    assert sha256(local.file("weights.bin")) == sha256(weights)


def test_a_line_that_damages_every_download_is_named_and_nothing_is_kept(client, line, published, tmp_path):
    published(3 * MIB)
    line.down.flip_always = True
    with pytest.raises(errors.IntegrityError, match=r"other bytes for weights\.bin.*or a proxy, is damaged"):
        client.download(MODEL, path=tmp_path / "mine")
    assert files_in(tmp_path / "home" / "cache") == []
    assert not (tmp_path / "mine").exists() or files_in(tmp_path / "mine") == []


def test_a_server_that_dies_in_the_middle_of_a_download_is_waited_for(client, line, place, published):
    weights = published(80 * MIB)
    line.down.rate = 40 * MIB

    def plug() -> None:
        wait_until(lambda: line.down.carried > 30 * MIB)
        place.server.kill()
        line.down.forget()
        place.restart()
        line.down.rate = 0

    helper = threading.Thread(target=plug)
    helper.start()
    local = client.download(MODEL)
    helper.join()
    assert sha256(local.file("weights.bin")) == sha256(weights)
    assert line.down.carried < 55 * MIB


def test_a_pack_that_breaks_off_goes_on_with_what_is_missing(client, line, place, tmp_path):
    for number in range(300):
        write(tmp_path / "many" / f"{number}.bin", 20_000)
    Client(place.server.url, token=place.alice.token).publish(MODEL, tmp_path / "many")
    line.down.forget()
    line.down.cut_at = 3 * MIB
    local = client.download(MODEL)
    assert line.down.cut_at is None
    assert line.down.carried < 7 * MIB
    assert all(sha256(local.path / name) == sha256(tmp_path / "many" / name) for name in local.files)


# --- Processes


def run(line: FaultyLine, place: Place, code: str, **more: object) -> subprocess.Popen[str]:
    env = {**os.environ, "LMVP_SERVER": line.url, "LMVP_TOKEN": place.alice.token}
    return subprocess.Popen(
        [sys.executable, "-c", f"import lmvp\n{code}"],
        cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip()


def test_a_killed_upload_goes_on_in_the_next_process(line, place, client, tmp_path):
    weights = write(tmp_path / "weights.bin", 200 * MIB)
    line.up.rate = 60 * MIB
    code = f"lmvp.publish({MODEL!r}, {str(weights)!r})"
    first = run(line, place, code)
    wait_until(lambda: line.up.carried > 120 * MIB)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    sent, line.up.rate = line.up.carried, 0
    line.up.forget()
    finish(run(line, place, code))
    assert line.up.carried < 140 * MIB < sent + line.up.carried
    assert sha256(client.download(MODEL).file("weights.bin")) == sha256(weights)


def test_a_killed_download_goes_on_in_the_next_process(line, place, published):
    weights = published(200 * MIB)
    line.down.rate = 60 * MIB
    code = f"print(lmvp.download({MODEL!r}).file('weights.bin'))"
    first = run(line, place, code)
    wait_until(lambda: line.down.carried > 120 * MIB)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    line.down.rate = 0
    line.down.forget()
    got = Path(finish(run(line, place, code)))
    assert line.down.carried < 140 * MIB
    assert sha256(got) == sha256(weights)


def test_ctrl_c_ends_a_download_at_once_and_the_next_goes_on(line, place, published):
    weights = published(100 * MIB)
    line.down.rate = 20 * MIB
    code = f"print(lmvp.download({MODEL!r}).file('weights.bin'))"
    first = run(line, place, code)
    wait_until(lambda: line.down.carried > 50 * MIB)
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=60)
    assert "KeyboardInterrupt" in err
    line.down.rate = 0
    line.down.forget()
    assert sha256(Path(finish(run(line, place, code)))) == sha256(weights)
    assert line.down.carried < 80 * MIB


@pytest.mark.parametrize("size", [30 * MIB, 100 * MIB])
def test_two_processes_that_want_the_same_fetch_it_once(line, place, published, size):
    weights = published(size)
    line.down.rate = 60 * MIB
    code = f"print(lmvp.download({MODEL!r}).file('weights.bin'))"
    both = [run(line, place, code) for _ in range(2)]
    got = {finish(process) for process in both}
    assert [sha256(Path(path)) for path in got] == [sha256(weights)]
    assert line.down.carried < 1.5 * size


def test_two_processes_that_want_the_same_in_two_directories_both_get_it(line, place, published, tmp_path):
    weights = published(20 * MIB)
    code = "print(lmvp.download({!r}, path={!r}).file('weights.bin'))"
    both = [run(line, place, code.format(MODEL, str(tmp_path / name))) for name in ("one", "two")]
    assert [sha256(Path(finish(process))) for process in both] == [sha256(weights)] * 2


def test_a_full_disk_is_told_and_the_download_goes_on_when_there_is_room(line, place, published):
    import resource

    weights = published(30 * MIB)
    limit = 10 * MIB
    code = f"print(lmvp.download({MODEL!r}).file('weights.bin'))"
    full = run(
        line, place, f"try:\n    {code}\nexcept lmvp.LMVPError as error:\n    print(type(error).__name__, error)",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    said = finish(full)
    assert said.startswith("LocalFileError Cannot write ")
    assert "Free some space" in said
    line.down.forget()
    assert sha256(Path(finish(run(line, place, code)))) == sha256(weights)


# --- Tokens


def test_a_sign_in_that_expires_while_files_travel_is_refreshed(place, line, tmp_path):
    """The second half of the work meets a token that the server does not take any more."""
    for number in range(50):
        write(tmp_path / "many" / f"{number}.bin", 200_000)
    client = Client(line.url)
    client.login("alice@example.org", "x")
    credentials = client._session._credentials
    line.up.forget()
    line.up.rate = 4 * MIB

    def expire() -> None:
        wait_until(lambda: line.up.carried > 2 * MIB)
        with credentials.locked():
            sign_in = credentials.get(line.url)
            credentials.keep(line.url, {**sign_in, "access": sign_in["access"][:-4] + "AAAA"})
        line.up.rate = 0

    helper = threading.Thread(target=expire)
    helper.start()
    client.publish(MODEL, tmp_path / "many")
    helper.join()
    local = client.download(MODEL)
    assert all(sha256(local.path / name) == sha256(tmp_path / "many" / name) for name in local.files)
