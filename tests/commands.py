"""Management commands as processes of their own, over a server's data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers import CLEARED, ROOT


def start_command(*args: object, data_dir: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start `manage.py …` without waiting for it."""
    given = {name: value for name, value in os.environ.items() if name not in CLEARED}
    return subprocess.Popen(
        [sys.executable, "manage.py", *map(str, args)],
        cwd=ROOT, env=given | {"LMVP_DATA_DIR": str(data_dir), **env},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def run_command(*args: object, data_dir: Path, env: Mapping[str, str], status: int = 0) -> str:
    """Run `manage.py …`; return what it said. Its exit status has to be this one."""
    process = start_command(*args, data_dir=data_dir, env=env)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == status, said
    return said
