"""What the demo refuses, before it touches anything; the walk itself is `make demo ARGS=--exit`, which .ci/run runs."""

import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def demo(data_dir, **environment):
    """Run the demo to its end in an environment of its own."""
    cleared = {"HOST", "PORT", "LMVP_URL", "DATABASE_URL", "LMVP_TOKEN", "LMVP_SERVER"}
    kept = {name: value for name, value in os.environ.items() if name not in cleared}
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py", "--exit"],
        env=kept | {"LMVP_DATA_DIR": str(data_dir)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@contextmanager
def stranger():
    """Something on a port that is no LMVP: it answers 404 to one request after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.mark.parametrize("exposed", [{"HOST": "0.0.0.0"}, {"LMVP_URL": "https://models.example.org"}])
def test_the_demo_makes_no_users_where_others_could_sign_in(tmp_path, exposed):
    done = demo(tmp_path, **exposed)
    assert done.returncode == 1
    assert "would let others sign in" in done.stderr
    assert not (tmp_path / "demo_password").exists()
    assert not (tmp_path / "lmvp.sqlite3").exists()


def test_the_demo_names_another_port_when_something_else_has_this_one(tmp_path):
    with stranger() as port:
        done = demo(tmp_path, PORT=str(port))
    assert done.returncode == 1
    assert f"PORT={port + 1} make demo" in done.stderr
    assert not (tmp_path / "demo_password").exists()
