"""Documents with their versions as a tree of artifacts: project → document → version. Stored, read back, checked.

    .venv/bin/python examples/artifact_storage.py                     # a server of its own, in a directory that goes away
    LMVP_SERVER=… LMVP_TOKEN=… .venv/bin/python examples/artifact_storage.py --project digits

Everything goes through the API, as a program in any language would do it. The token needs the scope `write`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from demo_server import ROOT, running_server

LEVELS = {"0": "project", "1": "document", "2": "version"}
RECORDS = "application/vnd.chapkit.dataframe+json"
FIRST = b"# Signing in\n\nSend your password.\n"
SECOND = b"# Signing in\n\nSend a token; passwords are for people.\n"
TABLE = b"city,rainfall\nOslo,110.0\nBergen,210.5\n"
DOCUMENTS = {"signing-in.md": ("text/markdown", [FIRST, SECOND]), "rainfall.csv": ("text/csv", [TABLE])}

# Runs in `manage.py shell` of the server that is started here: over the API, an address is verified by a mail.
SOMEBODY = """
from django.utils import timezone
from accounts.models import User
from accounts.services.access_tokens import create_access_token
user = User.objects.create_user("ada@example.org", "ada", None, email_verified_at=timezone.now())
print("token:", create_access_token(actor=user, name="example", scope="write")[1])
"""


@dataclass(frozen=True)
class API:
    """A server, and a token that may write there."""

    server: str
    token: str

    def ask(self, method: str, path: str, expected: int | None = None, **options: Any) -> requests.Response:
        """Send a request to /v1/; SystemExit with the server's words, unless the answer is good or the expected one."""
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        answer = requests.request(method, f"{self.server}{path}", headers=headers, timeout=60, **options)
        if not (answer.ok if expected is None else answer.status_code == expected):
            sys.exit(f"{method} {path} was answered with {answer.status_code}: {answer.text}")
        return answer

    def record(self, **said: Any) -> dict[str, Any]:
        return self.ask("POST", "/v1/artifacts", json=said).json()


def main() -> None:
    parser = argparse.ArgumentParser(description="Documents with their versions as a tree of artifacts.")
    parser.add_argument(
        "--server", default=os.environ.get("LMVP_SERVER"), help="default: LMVP_SERVER, else one of its own"
    )
    parser.add_argument("--token", default=os.environ.get("LMVP_TOKEN"), help="an access token; default: LMVP_TOKEN")
    parser.add_argument("--project", help="where to; default: your personal project")
    said = parser.parse_args()
    if said.server:
        if not said.token:
            sys.exit("An access token is needed: LMVP_TOKEN, or --token. Make one with POST /auth/tokens/.")
        walk(API(said.server.rstrip("/"), said.token), said.project)
        return
    with server_of_its_own() as api:
        walk(api, said.project)


def walk(api: API, project: str | None) -> None:
    """Store the documents, read them back, and see that what must be refused is."""
    project = project or api.ask("GET", "/auth/me/").json()["username"]
    make_hierarchy(api, project)
    root = api.record(project=project, hierarchy="documents", data={"name": "Manuals"})
    print(f"Stored in the project {project}:\n")
    for name, (content_type, versions) in DOCUMENTS.items():
        document = api.record(parent_id=root["id"], data={"title": name})
        for number, content in enumerate(versions, 1):
            store = store_by_form if number == 1 else store_by_digest
            store(api, project, document["id"], number, content, content_type)
    tree = api.ask("POST", "/v1/artifacts/$tree", json={"root_id": root["id"]}).json()
    show(tree)
    print(f"\n{check_all(api, tree)} versions came back as they were stored, byte for byte.")
    print(f"As records: {json.dumps(records_of(api, tree))}")
    check_refusals(api, tree)
    print("A document below a version is refused, and so is deleting a project that holds documents.")


def make_hierarchy(api: API, project: str) -> None:
    """Name the levels, unless an earlier run did."""
    there = api.ask("GET", f"/v1/projects/{project}/hierarchies/?page_size=200").json()["results"]
    if "documents" not in [one["name"] for one in there]:
        named = {"name": "documents", "level_labels": LEVELS}
        api.ask("POST", f"/v1/projects/{project}/hierarchies", json=named)


# --- Storing: two ways for bytes


def store_by_form(api: API, project: str, document: str, number: int, content: bytes, content_type: str) -> None:
    """Send the bytes and what they are in one call."""
    form = {"parent_id": document, "data": json.dumps({"version": number})}
    api.ask("POST", "/v1/artifacts", data=form, files={"content": ("content", content, content_type)})


def store_by_digest(api: API, project: str, document: str, number: int, content: bytes, content_type: str) -> None:
    """Ask whether the bytes are there already, send them if not, and name them by their digest: for large files."""
    digest = hashlib.sha256(content).hexdigest()
    wanted = [{"size": len(content), "sha256": digest}]
    (offer,) = api.ask("POST", f"/v1/projects/{project}/uploads", json=wanted).json()
    if offer["status"] == "missing":  # the address carries its own right: no token
        requests.put(offer["href"], data=content, headers=offer["headers"], timeout=60).raise_for_status()
    named = {"sha256": digest, "content_type": content_type}
    api.record(parent_id=document, data={"version": number}, content=named)


# --- Reading back


def show(node: dict[str, Any]) -> None:
    """Print a tree, a line for each artifact."""
    words = node["data"].get("name") or node["data"].get("title") or f"v{node['data']['version']}"
    content = node["content"]
    size = f"  {content['size']} bytes, sha256 {content['sha256'][:12]}…" if content else ""
    print(f"{'   ' * (node['level'] + 1)}{node['level_label']:9} {words}{size}")
    for child in node["children"]:
        show(child)


def check_all(api: API, tree: dict[str, Any]) -> int:
    """Download each version, and compare it with what was sent and with its digest; return how many there are."""
    checked = 0
    for document in tree["children"]:
        _, versions = DOCUMENTS[document["data"]["title"]]
        for node in document["children"]:
            got = api.ask("GET", f"/v1/artifacts/{node['id']}/$download").content
            if (
                got != versions[node["data"]["version"] - 1]
                or hashlib.sha256(got).hexdigest() != node["content"]["sha256"]
            ):
                sys.exit(f"{node['id']} came back with other bytes. This must not be: please report it.")
            checked += 1
    return checked


def records_of(api: API, tree: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the table as records: the server converts it."""
    (table,) = [node for document in tree["children"] for node in document["children"] if is_table(node)]
    return api.ask("GET", f"/v1/artifacts/{table['id']}/$download", headers={"Accept": RECORDS}).json()


def is_table(node: dict[str, Any]) -> bool:
    return bool(node["content"]["content_type"] == "text/csv")


def check_refusals(api: API, tree: dict[str, Any]) -> None:
    version = tree["children"][0]["children"][0]
    api.ask("POST", "/v1/artifacts", 400, json={"parent_id": version["id"], "data": {}})
    api.ask("DELETE", f"/v1/artifacts/{tree['id']}", 409)


# --- A server, where none is given


@contextmanager
def server_of_its_own() -> Iterator[API]:
    """Start a server on a free port with data in a directory of its own; both go in the end."""
    with tempfile.TemporaryDirectory() as directory, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        for name in ("DATABASE_URL", "LMVP_URL", "S3_BUCKET"):
            os.environ.pop(name, None)
        os.environ |= {"LMVP_DATA_DIR": directory, "PORT": str(port), "LMVP_URL": f"http://127.0.0.1:{port}"}
        with running_server("127.0.0.1", port, Path(directory, "server.log")) as server:
            done = subprocess.run(
                [sys.executable, "manage.py", "shell", "-v", "0", "-c", SOMEBODY],
                cwd=ROOT, capture_output=True, text=True, check=True,
            )  # fmt: skip
            yield API(server.address, done.stdout.partition("token: ")[2].strip())


if __name__ == "__main__":
    main()
