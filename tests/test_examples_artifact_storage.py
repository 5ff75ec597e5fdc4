"""The example of artifacts does what it says: with a server of its own, and with one that runs."""

import os
import subprocess
import sys
from pathlib import Path

from tests.http_client import alice_at
from tests.servers import ROOT, empty_database, running_server


def example(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    cleared = {"HOST", "PORT", "LMVP_URL", "DATABASE_URL", "LMVP_TOKEN", "LMVP_SERVER", "LMVP_DATA_DIR"}
    kept = {name: value for name, value in os.environ.items() if name not in cleared}
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "artifact_storage.py", *arguments],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def check(done: "subprocess.CompletedProcess[str]", project: str) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Stored in the project {project}:" in done.stdout
    levels = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("   ")]
    assert levels == ["project", "document", "version", "version", "document", "version"]
    assert "3 versions came back as they were stored, byte for byte." in done.stdout
    assert 'As records: [{"city": "Oslo", "rainfall": 110.0}, {"city": "Bergen", "rainfall": 210.5}]' in done.stdout
    assert "is refused" in done.stdout


def test_with_a_server_of_its_own() -> None:
    check(example(), "ada")


def test_with_a_server_that_runs_and_again(tmp_path: Path) -> None:
    with empty_database() as env, running_server(tmp_path, **env) as server:
        token = alice_at(server, env).token
        check(example("--project", "vision", LMVP_SERVER=server.url, LMVP_TOKEN=token), "vision")
        check(example("--server", f"{server.url}/", "--token", token), "alice")


def test_server_without_a_token_is_told_what_is_missing() -> None:
    done = example("--server", "http://127.0.0.1:9")
    assert (done.returncode, "access token" in done.stderr) == (1, True)
