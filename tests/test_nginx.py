"""nginx in front, as deploy/nginx.conf has it: bodies pass through, files it sends itself, a replica that dies is passed over."""

import hashlib
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import pytest
import requests

from tests.http_client import alice_at
from tests.servers import ROOT, empty_database, free_port, running_server, wait_until

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
MODEL = "/v1/projects/vision/models/classifier/"
CONTENT = os.urandom(5_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()

pytestmark = pytest.mark.skipif(NGINX is None and "LMVP_REQUIRE_SERVICES" not in os.environ, reason="needs nginx")


@contextmanager
def running_nginx(tmp_path, servers, blobs):
    """Run nginx with our configuration, for these servers and this directory of blobs; give its port."""
    port = free_port()
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    ours = "".join(f"    server 127.0.0.1:{server.port} max_fails=2 fail_timeout=5s;\n" for server in servers)
    text, changes = re.subn(r"    server web:8000 .*\n", ours, text)
    text, more = re.subn(r"listen 80;", f"listen 127.0.0.1:{port};", text)
    text, most = re.subn(r"alias /data/blobs/;", f"alias {blobs}/;", text)
    assert (changes, more, most) == (1, 1, 1)
    (tmp_path / "site.conf").write_text(text)
    whole = tmp_path / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""
    kinds = " ".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole.write_text(
        f"{user} daemon off; pid {tmp_path}/pid; error_log stderr; events {{}} http {{ {kinds} include site.conf; }}"
    )
    log = (tmp_path / "nginx.log").open("wb")
    process = subprocess.Popen([NGINX, "-p", str(tmp_path), "-c", str(whole)], stdout=log, stderr=log)
    front = replace(servers[0], url=f"http://localhost:{port}", port=port, process=process, log=tmp_path / "nginx.log")
    try:
        wait_until(lambda: process.poll() is not None or front.status("/healthz") == 200, what=front.output)
        yield front
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


@pytest.fixture
def site(tmp_path):
    """Two replicas over one disk and one database, nginx before them, and alice who speaks with nginx."""
    with empty_database() as database:
        shared = {"LMVP_DATA_DIR": tmp_path / "var", "LMVP_PROXIES": "1", "LMVP_ACCEL_REDIRECT": "/.blobs/", **database}
        with running_server(tmp_path, **shared) as one, running_server(tmp_path, **shared) as two:
            alice = alice_at(one, shared)
            with running_nginx(tmp_path, [one, two], tmp_path / "var" / "blobs") as front:
                yield replace(alice, server=front), one, two


def get(alice, path, *, method="GET", **headers):
    about = {"Authorization": f"Bearer {alice.token}", **headers}
    return requests.request(method, f"http://127.0.0.1:{alice.server.port}{path}", headers=about, timeout=60)


def test_files_are_sent_by_nginx_with_all_that_we_say_of_them(site):
    alice, one, _two = site
    alice.publish("vision/classifier", {"weights.bin": CONTENT, "empty": b""})
    path = f"{MODEL}versions/1/files/weights.bin"

    at_the_replica = get(replace(alice, server=one), path)
    assert (at_the_replica.content, at_the_replica.headers["X-Accel-Redirect"]) == (
        b"",
        f"/.blobs/{DIGEST[:2]}/{DIGEST[2:]}",
    )

    whole = get(alice, path)
    assert (whole.status_code, hashlib.sha256(whole.content).hexdigest()) == (200, DIGEST)
    assert "X-Accel-Redirect" not in whole.headers
    assert {
        name: whole.headers.get(name) for name in ("ETag", "Accept-Ranges", "Content-Length", "X-Content-Type-Options")
    } == {
        "ETag": f'"{DIGEST}"',
        "Accept-Ranges": "bytes",
        "Content-Length": str(len(CONTENT)),
        "X-Content-Type-Options": "nosniff",
    }
    for name in ("Digest", "Repr-Digest", "Content-Security-Policy", "Content-Disposition", "X-Request-Id"):
        assert whole.headers[name] == at_the_replica.headers[name] or name == "X-Request-Id"
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert get(alice, f"{MODEL}versions/1/files/empty").content == b""

    part = get(alice, path, Range="bytes=1000000-1999999")
    assert (part.status_code, part.content) == (206, CONTENT[1_000_000:2_000_000])
    assert part.headers["Content-Range"] == f"bytes 1000000-1999999/{len(CONTENT)}"
    assert get(alice, path, **{"Range": "bytes=0-9", "If-Range": f'"{DIGEST}"'}).status_code == 206
    assert get(alice, path, **{"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200
    assert get(alice, path, Range="bytes=0-1,5-6").content == CONTENT
    assert get(alice, path, Range="bytes=99999999-").status_code == 416
    assert get(alice, path, **{"If-None-Match": f'"{DIGEST}"'}).status_code == 304
    head = get(alice, path, method="HEAD")
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(len(CONTENT)))


def test_blobs_are_asked_for_nowhere_else(site):
    alice, _one, _two = site
    alice.publish("vision/classifier", {"weights.bin": CONTENT})
    blob = f"/.blobs/{DIGEST[:2]}/{DIGEST[2:]}"
    assert get(alice, blob).status_code == 404
    assert get(alice, f"/x/..{blob}").status_code == 404
    assert get(replace(alice, token="lmvp_wrong"), f"{MODEL}versions/1/files/weights.bin").status_code == 401


def test_lost_bytes_are_said_by_us_and_not_by_nginx(site, tmp_path):
    alice, _one, _two = site
    alice.publish("vision/classifier", {"weights.bin": CONTENT})
    (tmp_path / "var" / "blobs" / DIGEST[:2] / DIGEST[2:]).unlink()
    answer = get(alice, f"{MODEL}versions/1/files/weights.bin")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "blob_damaged")


def test_a_replica_that_dies_is_passed_over(site):
    alice, one, two = site
    alice.publish("vision/classifier", {"weights.bin": CONTENT})
    for dying in (one, None):
        if dying:
            dying.kill()
        answers = [get(alice, f"{MODEL}versions/1/") for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
    assert alice.publish("vision/classifier", {"weights.bin": CONTENT + b"more"})["number"] == 2
    two.kill()
    assert get(alice, "/healthz").status_code == 502
