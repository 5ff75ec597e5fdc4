"""A bare HTTP client of a real server for tests: raw enough to cut a body in the middle."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.servers import ROOT, Server


@dataclass
class Person:
    """Somebody with an access token at a running server."""

    server: Server
    token: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send JSON (or bytes as they are); return the status and the parsed answer (or its bytes; of 302, the address)."""
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        about = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
        try:
            connection.request(method, path, sent, about)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status == 302:
            return 302, response.headers["Location"]
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(content) if is_json and content else content

    def ask_for_upload(self, model: str, content: bytes) -> str:
        """Return the address (path and query) that takes these bytes; empty when they are stored already."""
        wanted = [{"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}]
        status, answer = self.call("POST", f"/v1/projects/{model.replace('/', '/models/')}/uploads/", wanted)
        assert status == 200, answer
        if answer[0]["status"] == "stored":
            return ""
        parts = urlsplit(answer[0]["href"])
        return f"{parts.path}?{parts.query}"

    def send(self, model: str, content: bytes) -> str:
        """Upload bytes; return their SHA-256."""
        href = self.ask_for_upload(model, content)
        if href:
            status, answer = self.call("PUT", href, content, **{"Content-Type": "application/octet-stream"})
            assert status == 200, answer
        return hashlib.sha256(content).hexdigest()

    def publish(self, model: str, files: dict[str, bytes], **more: Any) -> dict[str, Any]:
        sent = [{"path": path, "sha256": self.send(model, content)} for path, content in files.items()]
        status, answer = self.call(
            "POST", f"/v1/projects/{model.replace('/', '/models/')}/versions/", {"files": sent, **more}
        )
        assert status in (200, 201), answer
        return answer


SETTLE = """
from django.utils import timezone
from accounts.models import User
from accounts.services.access_tokens import create_access_token
from registry.services.projects import create_project
from registry.services.registered_models import create_model
alice = User.objects.create_user("alice@example.org", "alice", "x", email_verified_at=timezone.now())
create_model(actor=alice, project=create_project(actor=alice, name="vision"), name="classifier")
token = create_access_token(actor=alice, name="tests", scope="write")[1]
print("token:", token)
"""


def alice_at(server: Server, env: Mapping[str, str]) -> Person:
    """Make alice, with the project `vision` and the model `classifier`, on a server's database."""
    settings = {**os.environ, "LMVP_DATA_DIR": str(server.data_dir), **env}
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", SETTLE],
        cwd=ROOT, env=settings, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Person(server, done.stdout.split("token: ")[1].split()[0])


def rows(server: Server, env: Mapping[str, str], expression: str) -> Any:
    """Evaluate an expression over the registry's models on a server's database; it must be JSON."""
    code = f"import json; from registry.models import *; from registry import storage; print('rows:', json.dumps({expression}))"
    settings = {**os.environ, "LMVP_DATA_DIR": str(server.data_dir), **env}
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
        cwd=ROOT, env=settings, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.split("rows: ")[1])
