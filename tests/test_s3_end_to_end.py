"""A real server over a real S3 store: every way that bytes go in and out, through the server."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from registry.stores.contract import key_of
from tests.http_client import Person, alice_at, rows
from tests.model_files import safetensors
from tests.s3 import S3
from tests.servers import ROOT, Server, empty_database, running_server
from tests.tars import pack_of

MODEL = "vision/classifier"
PLACE = "/v1/projects/vision/models/classifier/"
WEIGHTS = safetensors({"a": ("U8", [3_000_000], os.urandom(3_000_000))}, {"format": "pt"})
README = b"# Digits\n\nA *model*.\n"
OCTETS = {"Content-Type": "application/octet-stream"}


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Site:
    """A server, its store, and somebody who uses it."""

    s3: S3
    server: Server
    env: dict[str, str]
    alice: Person

    def manage(self, *command: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "LMVP_DATA_DIR": str(self.server.data_dir), **self.env}
        return subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )

    def object_of(self, content: bytes) -> Path:
        return self.s3.bucket / key_of(digest_of(content))

    def download(self, path: str, **headers: str) -> tuple[int, Any]:
        return self.alice.call("GET", f"{PLACE}versions/latest/files/{path}", **headers)


@pytest.fixture(scope="module")
def site(s3_server: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    s3_server.empty()
    with empty_database() as database:
        env = {**database, **s3_server.env}
        with running_server(tmp_path_factory.mktemp("server"), **env) as server:
            yield Site(s3_server, server, env, alice_at(server, env))


@pytest.fixture
def published(site: Site) -> Site:
    site.alice.publish(MODEL, {"weights.safetensors": WEIGHTS, "README.md": README})
    return site


def test_files_go_up_and_come_down(published: Site) -> None:
    assert published.object_of(WEIGHTS).read_bytes() == WEIGHTS
    assert published.download("weights.safetensors") == (200, WEIGHTS)
    assert published.download("weights.safetensors", Range="bytes=1000000-1000009") == (
        206,
        WEIGHTS[1_000_000:1_000_010],
    )
    assert published.download("weights.safetensors", Range="bytes=-5") == (206, WEIGHTS[-5:])
    status, _ = published.alice.call("HEAD", f"{PLACE}versions/latest/files/README.md")
    assert status == 200


def test_an_upload_in_parts(site: Site) -> None:
    content = os.urandom(500_000)
    href = site.alice.ask_for_upload(MODEL, content)
    tus = {"Content-Type": "application/offset+octet-stream"}
    for offset in (0, 200_000):
        body = content[offset : offset + 200_000 if not offset else None]
        status, answer = site.alice.call("PATCH", href, body, **tus, **{"Upload-Offset": str(offset)})
        assert status == 204, answer
    assert site.object_of(content).read_bytes() == content


def test_a_form_with_files(site: Site) -> None:
    edge = b"-----------edge"
    body = (
        edge
        + b'\r\nContent-Disposition: form-data; name="files"; filename="by-form.txt"\r\n\r\nby form\r\n'
        + edge
        + b"--\r\n"
    )
    kind = f"multipart/form-data; boundary={edge[2:].decode()}"
    status, version = site.alice.call("POST", f"{PLACE}versions/", body, **{"Content-Type": kind})
    assert status == 201, version
    assert site.download("by-form.txt") == (200, b"by form")


def test_packs_up_and_down(site: Site) -> None:
    contents = [os.urandom(100 + n) for n in range(40)]
    status, answer = site.alice.call(
        "POST", f"{PLACE}uploads/pack/", pack_of(*contents), **{"Content-Type": "application/x-tar"}
    )
    assert status == 200, answer
    files = [{"path": f"small/{n}", "sha256": digest_of(content)} for n, content in enumerate(contents)]
    status, version = site.alice.call("POST", f"{PLACE}versions/", {"files": files})
    assert status == 201, version
    wanted = {"paths": [f"small/{n}" for n in range(40)]}
    status, down = site.alice.call("POST", f"{PLACE}versions/latest/pack/", wanted)
    assert status == 200
    with tarfile.open(fileobj=io.BytesIO(down)) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert set(contents) <= set(found.values())


def test_an_archive(published: Site) -> None:
    status, content = published.alice.call("GET", f"{PLACE}versions/latest/archive/?format=zip")
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("weights.safetensors") == WEIGHTS


def test_what_is_read_of_a_file(published: Site) -> None:
    status, header = published.alice.call("GET", f"{PLACE}versions/latest/inspect/weights.safetensors")
    assert status == 200
    assert "3000000" in json.dumps(header).replace(",", "")


def test_an_active_alias_becomes_files(published: Site) -> None:
    status, answer = published.alice.call("PUT", f"{PLACE}aliases/production/", {"revision": "latest", "active": True})
    assert status in (200, 201), answer
    done = published.manage("materialise_aliases")
    assert done.returncode == 0, done.stderr
    found = list((published.server.data_dir / "active").rglob("weights.safetensors"))
    assert found
    assert found[0].read_bytes() == WEIGHTS


def test_damage_is_found_set_aside_and_healed(published: Site) -> None:
    content = b"soon damaged"
    published.alice.publish(MODEL, {"hurt": content})
    path = published.object_of(content)
    path.write_bytes(b"other bytes!")
    done = published.manage("verify_blobs")
    assert f"damaged: {digest_of(content)}" in done.stdout, done
    assert (published.s3.bucket / "quarantine" / digest_of(content)).read_bytes() == b"other bytes!"
    status, answer = published.download("hurt")
    assert (status, answer["error"]["code"]) == (503, "blob_damaged")
    published.alice.publish(MODEL, {"hurt": content})
    assert published.download("hurt") == (200, content)


def test_garbage_goes_from_the_bucket(published: Site) -> None:
    content = b"nobody publishes this"
    published.alice.send(MODEL, content)
    assert published.object_of(content).exists()
    long_ago = "(Blob.objects.filter(pk='{0}').update(used_at='2020-01-01T00:00Z'), Upload.objects.filter(sha256='{0}').update(expires_at='2020-01-01T00:00Z'))"
    rows(published.server, published.env, long_ago.format(digest_of(content)))
    done = published.manage("collect_garbage")
    assert done.returncode == 0, done.stderr
    assert not published.object_of(content).exists()
    assert published.download("weights.safetensors") == (200, WEIGHTS)


def test_the_server_says_that_it_is_ready(site: Site) -> None:
    assert site.server.status("/readyz") == 200


def test_large_files_are_held_nowhere_whole(site: Site) -> None:
    block = os.urandom(2**20)
    content = block * 200
    site.alice.publish(MODEL, {"large": content})
    assert site.download("large") == (200, content)
    for pid in site.server.workers():
        peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
        assert int(peak.split()[1]) < 330 * 1024, "KiB: the process itself, boto3, and some parts under way"
