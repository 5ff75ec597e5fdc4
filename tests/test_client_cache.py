"""The cache of the client: what it holds, what may go, that it is whole, and days without the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lmvp.client import cli, errors, locks, pruning
from lmvp.client.api import Client
from lmvp.client.arriving import Part
from lmvp.client.cache import Cache
from tests.servers import wait_until
from tests.test_client_strangers import BYTES, DIGEST, MODEL, SHA256, VERSION, Stranger, missing, sends, sends_json

DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Nothing of the developer's own machine is read or written."""
    for name in ("LMVP_SERVER", "LMVP_TOKEN", "LMVP_PROJECT", "LMVP_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LMVP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server():
    stranger = Stranger()
    stranger.keeps(BYTES)
    yield stranger
    stranger.close()


@pytest.fixture
def client(server) -> Client:
    client = Client(server.url, token="lmvp_secret")
    client._session._retry_pauses = client._session.resume_pauses = (0, 0)
    return client


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


def offline(server: Stranger) -> Client:
    return Client(server.url, token="lmvp_secret", offline=True)


def age(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def damage(blob: Path) -> None:
    """Turn one bit, and leave size and times as they were."""
    before = blob.stat()
    blob.chmod(0o600)
    with blob.open("r+b") as file:
        byte = file.read(1)[0]
        file.seek(0)
        file.write(bytes([byte ^ 1]))
    blob.chmod(0o444)
    os.utime(blob, ns=(before.st_atime_ns, before.st_mtime_ns))


def blobs(cache: Cache) -> list[str]:
    return sorted(path.name for path in (cache.root / "blobs").glob("*"))


# --- Damage


def test_a_bit_that_turned_is_found_though_size_and_time_are_the_same(server, client, cache):
    client.download("vision/digits")
    damage(cache.blob(SHA256))
    assert client.download("vision/digits").file("weights.bin").read_bytes() == BYTES
    assert cache.blob(SHA256).read_bytes() == BYTES


def test_offline_a_damaged_file_is_not_given_out(server, client, cache):
    client.download("vision/digits")
    damage(cache.blob(SHA256))
    with pytest.raises(errors.Offline, match=r"not in the cache any more, or damaged"):
        offline(server).download("vision/digits")


def test_verify_throws_away_what_is_damaged(server, client, cache):
    client.download("vision/digits")
    assert (client.verify_cache().files, client.verify_cache().damaged) == (1, [])
    damage(cache.blob(SHA256))
    assert client.verify_cache().damaged == [SHA256]
    assert blobs(cache) == []
    assert client.download("vision/digits").file("weights.bin").read_bytes() == BYTES


def test_a_damaged_record_is_none(server, client, cache):
    client.download("vision/digits")
    record = cache.root / "versions" / DIGEST
    record.write_text(record.read_text().replace("weights.bin", "weighty.bin"))
    with pytest.raises(errors.Offline, match="was never downloaded"):
        offline(server).download("vision/digits")
    assert client.download("vision/digits").files == ["weights.bin"]


def test_a_list_of_a_part_that_says_nonsense_is_not_believed(tmp_path):
    part = Part(tmp_path / "x.part", 100)
    part.came(0, 40)
    part.came(60, 100)
    assert list(Part(tmp_path / "x.part", 100).missing(15)) == [(40, 55), (55, 60)]
    for said in ("0 40\nsix 7\n", "0 400\n", "40 0\n", "-5 3\n", "0 40 60\n"):
        (tmp_path / "x.came").write_text(said)
        assert list(Part(tmp_path / "x.part", 100).missing(100)) == [(0, 100)]


def test_a_line_that_was_not_all_written_does_not_count(tmp_path):
    Part(tmp_path / "x.part", 100).came(0, 40)
    with (tmp_path / "x.came").open("a") as file:
        file.write("40 8")
    assert Part(tmp_path / "x.part", 100).known_up_to(0) == 40


def test_a_part_of_another_size_begins_anew(tmp_path):
    Part(tmp_path / "x.part", 100).came(0, 40)
    assert Part(tmp_path / "x.part", 90).known_up_to(0) == 0


# --- Offline


def test_offline_gives_what_was_downloaded_before_and_asks_nobody(server, client):
    online = client.download("vision/digits")
    asked = len(server.seen)
    for revision in ("latest", 1, "v1", "1", DIGEST, DIGEST[:7]):
        local = offline(server).download("vision/digits", revision=revision)
        assert (local.path, local.version, local.files) == (online.path, online.version, online.files)
    assert len(server.seen) == asked


def test_offline_by_the_environment(server, client, monkeypatch, tmp_path):
    client.download("vision/digits")
    monkeypatch.setenv("LMVP_OFFLINE", "1")
    assert client.download("vision/digits", path=tmp_path / "mine").file("weights.bin").read_bytes() == BYTES
    with pytest.raises(errors.Offline, match=r"LMVP_OFFLINE.*lmvp cache list"):
        client.models("vision")
    monkeypatch.setenv("LMVP_OFFLINE", "0")
    assert client.download("vision/digits").files == ["weights.bin"]


@pytest.mark.parametrize(
    ("name", "revision"), [("vision/digits", "production"), ("vision/digits", 2), ("vision/letters", "latest")]
)
def test_offline_says_what_was_never_downloaded(server, client, name, revision):
    client.download("vision/digits")
    with pytest.raises(errors.Offline, match=rf"{name}@{revision} was never downloaded.*unset LMVP_OFFLINE"):
        offline(server).download(name, revision=revision)


def test_what_one_server_told_is_not_said_of_another(server, client):
    client.download("vision/digits")
    with pytest.raises(errors.Offline, match="was never downloaded from http://elsewhere"):
        Client("http://elsewhere", offline=True).download("vision/digits")


def test_a_server_out_of_reach_is_told_with_what_is_in_the_cache(server, client):
    client.download("vision/digits")
    server.close()
    later = Client(server.url, token="lmvp_secret")
    later._session._retry_pauses = ()
    with pytest.raises(
        errors.ConnectionFailed, match=r"Cannot reach .*vision/digits v1 .*in the cache: LMVP_OFFLINE=1"
    ):
        later.download("vision/digits")
    with pytest.raises(errors.ConnectionFailed) as failed:
        later.download("vision/letters")
    assert "OFFLINE" not in str(failed.value)
    server._server.server_close = lambda: None


# --- What may go


def test_a_list_shows_what_was_used_last_first(server, client, cache):
    assert client.list_cache() == []
    local = client.download("vision/digits")
    [listed] = client.list_cache()
    assert (listed.project, listed.model, listed.number, listed.digest) == ("vision", "digits", 1, DIGEST)
    assert (listed.files_count, listed.size, listed.path) == (1, len(BYTES), local.path)
    assert abs(listed.used_at.timestamp() - time.time()) < 60


def test_prune_takes_out_what_was_not_used_for_so_long(server, client, cache):
    client.download("vision/digits")
    age(cache.root / "versions" / DIGEST, 10)
    assert client.prune_cache(unused_days=11).versions == []
    said = client.prune_cache(unused_days=9, dry_run=True)
    assert ([one.digest for one in said.versions], said.size, blobs(cache)) == ([DIGEST], len(BYTES), [SHA256])
    assert client.prune_cache(unused_days=9) == said
    assert [path for path in cache.root.rglob("*") if path.is_file()] == []
    assert client.download("vision/digits").file("weights.bin").read_bytes() == BYTES


def test_a_download_makes_a_version_used_again(server, client, cache):
    client.download("vision/digits")
    age(cache.root / "versions" / DIGEST, 10)
    client.download("vision/digits")
    assert client.prune_cache(unused_days=9).versions == []


def test_prune_keeps_the_cache_below_a_size(server, client, cache):
    client.download("vision/digits")
    assert client.prune_cache(max_size=len(BYTES)).versions == []
    assert len(client.prune_cache(max_size=len(BYTES) - 1).versions) == 1


def test_prune_takes_bytes_that_nobody_needs_when_they_are_old(server, client, cache):
    client.download("vision/digits")
    left = [cache.blob("ab" * 32), cache.part("cd" * 32), cache.root / "blobs" / ".lmvp-dead.part"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left behind")
    assert client.prune_cache().files == 0
    for path in left:
        age(path, 2)
    assert client.prune_cache().files == 3
    assert blobs(cache) == [SHA256]


def test_prune_leaves_a_version_alone_that_is_being_downloaded(server, client, cache):
    client.download("vision/digits")
    age(cache.root / "versions" / DIGEST, 10)
    with cache.locked(DIGEST):
        assert client.prune_cache(unused_days=1).versions == []
    assert client.download("vision/digits").file("weights.bin").exists()


def test_bytes_that_are_pruned_while_a_download_runs_are_fetched_again(server, client, cache):
    """The blob goes between its fetching and its linking: with every answer of the server."""
    stop = threading.Event()

    def prune() -> None:
        while not stop.is_set():
            cache.blob(SHA256).unlink(missing_ok=True)

    def download_again_and_again() -> None:
        for _ in range(200):
            client.download("vision/digits").file("weights.bin").unlink()

    pruning_thread = threading.Thread(target=prune)
    pruning_thread.start()
    try:
        with pytest.raises(errors.LocalFileError, match="is emptied while it is filled"):
            download_again_and_again()
    finally:
        stop.set()
        pruning_thread.join()
    assert client.download("vision/digits").file("weights.bin").read_bytes() == BYTES


def test_negative_limits_are_refused(client):
    with pytest.raises(errors.ValidationFailed, match="not negative"):
        client.prune_cache(max_size=-1)


# --- Locks


def test_a_lock_is_held_by_one_and_leaves_nothing_behind(tmp_path):
    path, inside, most = tmp_path / "locks" / "x", [], []

    def work() -> None:
        for _ in range(20):
            with locks.held(path):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (max(most), len(most)) == (1, 80)
    assert not path.exists()


def test_a_lock_of_a_killed_process_is_free(tmp_path):
    path = tmp_path / "x"
    code = f"import sys, time\nfrom pathlib import Path\nfrom lmvp.client import locks\nwith locks.held(Path({str(path)!r})):\n    print('held', flush=True)\n    time.sleep(600)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    with locks.held_if_free(path) as free:
        assert not free
    process.kill()
    process.communicate()
    with locks.held_if_free(path) as free:
        assert free


# --- Packs and servers without them


def small_files(server: Stranger, tmp_path: Path) -> Path:
    for number in range(20):
        (tmp_path / "many").mkdir(exist_ok=True)
        (tmp_path / "many" / f"{number}.txt").write_text(f"file {number}")

    def offer(handler):
        asked = json.loads(handler.body)
        made = [
            {"sha256": one["sha256"], "status": "missing", "href": "/up/x", "method": "PUT", "headers": {}}
            for one in asked
        ]
        sends_json(made)(handler)

    server.routes |= {
        ("POST", f"{MODEL}uploads/"): offer,
        ("PUT", "/up/x"): sends(b""),
        ("POST", f"{MODEL}versions/"): sends_json(VERSION, status=201),
    }
    return tmp_path / "many"


@pytest.mark.parametrize("refusal", [missing, sends_json({"error": {"code": "x", "message": "No."}}, status=405)])
def test_a_server_without_packs_gets_the_files_one_by_one(server, client, tmp_path, refusal):
    many = small_files(server, tmp_path)
    server.routes["POST", f"{MODEL}uploads/pack/"] = refusal
    client.update("vision/digits", many)
    assert len([method for method, *_ in server.seen if method == "PUT"]) == 20


def test_a_server_with_packs_gets_them_in_one(server, client, tmp_path):
    many = small_files(server, tmp_path)
    server.routes["POST", f"{MODEL}uploads/pack/"] = sends_json([])
    client.update("vision/digits", many)
    assert [method for method, *_ in server.seen if method == "PUT"] == []
    assert len([path for _, path, *_ in server.seen if path.endswith("/pack/")]) == 1


# --- The command line


def test_the_command_lists_prunes_and_verifies(server, client, cache, capsys, monkeypatch):
    def lmvp(*words: str) -> str:
        assert cli.main(["cache", *words]) == 0
        return capsys.readouterr().out

    assert lmvp("list").startswith("The cache is empty.")
    client.download("vision/digits")
    assert "vision/digits  v1" in lmvp("list")
    assert json.loads(lmvp("list", "--json"))[0]["size"] == len(BYTES)
    assert lmvp("verify") == "Read 1 files, 3.1 MiB: all are whole.\n"
    assert lmvp("prune") == "Took out 0 versions, 0 files, 0 bytes.\n"
    assert "Would take out 1 versions, 1 files, 3.1 MiB." in lmvp("prune", "--max-size", "1M", "--dry-run")
    assert lmvp("prune", "--unused", "0").endswith("Took out 1 versions, 1 files, 3.1 MiB.\n")
    assert cli.main(["cache", "list", "--unused", "3"]) == 2
    assert cli.main(["cache", "prune", "--max-size", "much"]) == 2


def test_what_a_killed_process_left_behind_is_found(cache):
    (cache.root / "snapshots" / "vision").mkdir(parents=True)
    draft = cache.root / "snapshots" / "vision" / ".lmvp-dead.part"
    draft.write_bytes(b"x")
    age(draft, 2)
    work = pruning.Pruning(cache, pretend=False)
    work.sweep()
    assert not draft.exists()


def test_downloads_at_once_of_two_threads_both_succeed(server, client):
    got: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: got.append(client.download("vision/digits").file("weights.bin").read_bytes()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: not any(thread.is_alive() for thread in threads))
    assert got == [BYTES] * 4
    assert len([path for _, path, *_ in server.seen if "/files/" in path]) == 1
