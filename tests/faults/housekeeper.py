"""A process beside the servers that runs commands and answers questions. One for each site: every start of Django takes seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.servers import ROOT

LOOP = """
import contextlib, io, json, sys, traceback
import django
django.setup()
from datetime import timedelta
from unittest.mock import patch
from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from registry import storage
from registry.models import *
answers, known = sys.stdout, dict(globals())
for line in sys.stdin:
    place, printed, answer = dict(known), io.StringIO(), {}
    try:
        with contextlib.redirect_stdout(printed):
            exec(json.loads(line), place)
        answer["found"] = place.get("found")
    except BaseException:
        answer["failed"] = printed.getvalue() + traceback.format_exc()
    connections.close_all()
    print(json.dumps(answer), file=answers, flush=True)
"""


class Housekeeper:
    def __init__(self, env: Mapping[str, str]) -> None:
        """Start it; it asks no database before it is asked itself."""
        settings = {**os.environ, "DJANGO_SETTINGS_MODULE": "lmvp.settings", **env}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOOP], cwd=ROOT, env=settings, stdin=pipe, stdout=pipe, text=True
        )

    def run(self, code: str) -> Any:
        """Run code that must succeed; return what it calls `found`."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(code), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        assert "failed" not in answer, f"{code}\n{answer['failed']}"
        return answer["found"]

    def end(self) -> None:
        self.process.communicate()  # it ends with what it is told
