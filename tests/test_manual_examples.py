"""Every example of docs/client.md and docs/cli.md, run as written by the wheel alone (no Django) against a real server.

LMVP_CLIENT_PYTHON names the Python of an environment in which the wheel is installed; else the built wheel is unpacked,
and what it depends on is lent to it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.servers import ROOT, empty_database, running_server

# What the client depends on, and what its examples use besides.
LENT = ("requests", "urllib3", "certifi", "idna", "charset_normalizer", "tqdm", "numpy", "numpy.libs")
SECRET = "secret"
ALICE = f"""
from django.utils import timezone
from accounts.models import User
User.objects.create_user("alice@example.org", "alice", {SECRET!r}, email_verified_at=timezone.now())
"""
# What would run for ever, or needs a service of systemd.
FOR_EVER = re.compile(r' --watch( --exec ".*")?$')


@dataclass
class Desk:
    """A directory with what the manual's reader has, a home of its own, and the client on its path."""

    place: Path
    server: str
    env: dict[str, str]

    def as_here(self, text: str) -> str:
        return text.replace("http://localhost:8000", self.server).replace("/srv/", f"{self.place}/srv/")

    def run(self, *command: str, said: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.place, env=self.env, input=said, capture_output=True, text=True, timeout=300, check=False
        )


@pytest.fixture(scope="module")
def client_python(tmp_path_factory) -> tuple[str, str]:
    """Return a Python and the PYTHONPATH with which it has the wheel and nothing of the server."""
    if "LMVP_CLIENT_PYTHON" in os.environ:
        return os.environ["LMVP_CLIENT_PYTHON"], ""
    place = tmp_path_factory.mktemp("client")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(place), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    [wheel] = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    for name in LENT:
        lent = Path(sysconfig.get_paths()["purelib"]) / name
        if lent.exists():
            (place / "site" / name).symlink_to(lent)
    return sys.executable, str(place / "site")


@pytest.fixture
def desk(tmp_path, client_python):
    python, path = client_python
    place = tmp_path / "desk"
    for directory in ("weights", "scans", "srv", "bin", "home/.config/fish/completions"):
        (place / directory).mkdir(parents=True)
    for file in ("weights.npz", "weights/weights.npz"):
        np.savez(place / file, w=np.arange(3.0))
    (place / "weights" / "config.json").write_text('{"width": 64}')
    (place / "scans" / "page1.txt").write_text("7 1 3")
    flags = "-S " if path else ""  # without this environment's own packages
    (place / "bin" / "lmvp").write_text(f'#!/bin/sh\nexec {python} {flags}-m lmvp "$@"\n')
    (place / "bin" / "python").write_text(f'#!/bin/sh\nexec {python} {flags}"$@"\n')
    for program in ("lmvp", "python"):
        (place / "bin" / program).chmod(0o755)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LMVP_", "XDG_", "DJANGO", "PYTEST"))
    }
    env = {**kept, "PYTHONPATH": path, "HOME": str(place / "home"), "PATH": f"{place / 'bin'}:{os.environ['PATH']}"}
    with empty_database() as database:
        settings = {"LMVP_DATA_DIR": tmp_path / "var", **database}
        with running_server(tmp_path, **settings) as server:
            more = {name: str(value) for name, value in settings.items()}
            command = [sys.executable, "manage.py", "shell", "--command", ALICE]
            subprocess.run(command, cwd=ROOT, env={**os.environ, **more}, check=True, capture_output=True)
            yield Desk(place, server.url, env)


def test_nothing_of_the_server_is_at_hand(desk):
    code = "import lmvp, sys\nfor name in ('django', 'registry', 'accounts'):\n    try: __import__(name)\n    except ImportError: print(name)"
    assert desk.run("python", "-c", code).stdout.split() == ["django", "registry", "accounts"]


def test_every_example_of_the_clients_manual_runs(desk):
    page = (ROOT / "docs" / "client.md").read_text("utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(examples) > 15
    done = desk.run("python", "-W", "error::DeprecationWarning", "-c", desk.as_here("\n".join(examples)))
    assert done.returncode == 0, done.stderr
    assert "vision/digits v1 (" in done.stdout


def test_every_line_of_the_command_lines_manual_runs(desk):
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    lines = re.findall(r"^    (lmvp .*)$", page, re.MULTILINE)
    assert len(lines) > 40
    for line in lines:
        here = FOR_EVER.sub("", desk.as_here(line)).replace("| jq '.[0].metrics.accuracy'", "| python -m json.tool")
        done = desk.run("bash", "-o", "pipefail", "-c", here, said=f"{SECRET}\n")
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
