"""Bytes that are not what was announced, not allowed, or do not fit: refused by name, and nothing of them is kept."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import ClientHandler
from django.utils import timezone

from registry.models import Blob, Project, RegisteredModel, Role, Upload
from registry.services.members import remove_member, set_membership
from registry.services.projects import create_project
from registry.services.registered_models import create_model
from tests.cast import Cast, client_of, publish, send
from tests.matchers import LATER, SHA256, UUID, Like, nothing_left_behind, refused

BASE = "/v1/projects/vision/models/classifier"
HELLO = b"hello"
HELLO_SHA = hashlib.sha256(HELLO).hexdigest()
OTHER_SHA = hashlib.sha256(b"other").hexdigest()


def offer(cast: Cast, **file: Any) -> dict[str, Any]:
    response = client_of(cast.bob).post(f"{BASE}/uploads/", [file])
    assert response.status_code == 200, response.json()
    (answer,) = response.json()
    return answer


def put(href: str, content: bytes, **extra: Any) -> Any:
    return client_of(None).generic("PUT", href.removeprefix("http://testserver"), content, **extra)


def put_raw(href: str, content: bytes, **environ: str) -> tuple[int, dict[str, Any]]:
    """Send a body whose headers lie, as only a socket could, past the test client's own checks."""
    path, _, query = href.removeprefix("http://testserver").partition("?")
    response = ClientHandler(enforce_csrf_checks=False)(
        {
            "REQUEST_METHOD": "PUT",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "CONTENT_TYPE": "application/octet-stream",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(content),
            "wsgi.errors": io.StringIO(),
            **environ,
        }
    )
    return response.status_code, json.loads(response.content)


def test_missing_bytes_are_offered_a_place(cast: Cast, model: RegisteredModel) -> None:
    assert offer(cast, size=5, sha256=HELLO_SHA) == {
        "id": UUID,
        "sha256": HELLO_SHA,
        "size": 5,
        "status": "missing",
        "href": Like(r"http://testserver/v1/uploads/[0-9a-f-]{36}\?expires=\d+&signature=[0-9a-f]{64}"),
        "method": "PUT",
        "headers": {},
        "offset": 0,
        "expires_at": LATER,
    }


def test_stored_bytes_are_answered_with_their_digest(cast: Cast, model: RegisteredModel) -> None:
    sent = put(offer(cast, size=5)["href"], HELLO)
    assert sent.json() == {
        "id": UUID,
        "sha256": HELLO_SHA,
        "size": 5,
        "offset": 5,
        "status": "stored",
        "expires_at": LATER,
    }
    assert offer(cast, size=5, sha256=HELLO_SHA) == {"sha256": HELLO_SHA, "size": 5, "status": "stored"}


def test_empty_file_is_bytes_too(cast: Cast, model: RegisteredModel) -> None:
    empty = hashlib.sha256().hexdigest()
    sent = put(offer(cast, size=0, sha256=empty)["href"], b"")
    assert (sent.status_code, sent.json()["sha256"]) == (200, empty)


def test_other_bytes_than_announced(cast: Cast, model: RegisteredModel) -> None:
    href = offer(cast, size=5, sha256=OTHER_SHA)["href"]
    with nothing_left_behind():
        error = refused(put(href, HELLO), 400, "digest_mismatch")
    assert HELLO_SHA in error["message"]
    assert not Upload.objects.get().stored_at


@pytest.mark.parametrize("content", [b"", b"hell", b"hello!", b"x" * 100_000])
def test_body_that_says_another_length_than_the_upload(cast: Cast, model: RegisteredModel, content: bytes) -> None:
    href = offer(cast, size=5)["href"]
    with nothing_left_behind():
        refused(put(href, content), 400, "size_mismatch")


@pytest.mark.parametrize("content", [b"", b"hell"])
def test_body_that_ends_before_its_announced_length(cast: Cast, model: RegisteredModel, content: bytes) -> None:
    href = offer(cast, size=5)["href"]
    with nothing_left_behind():
        status, answer = put_raw(href, content, CONTENT_LENGTH="5")
    assert (status, answer["error"]["code"]) == (400, "size_mismatch")


@pytest.mark.parametrize(("content", "status"), [(b"", 400), (b"hell", 400), (HELLO, 200), (b"hello, world", 400)])
def test_chunked_body_is_counted_as_it_comes(cast: Cast, model: RegisteredModel, content: bytes, status: int) -> None:
    href = offer(cast, size=5)["href"]
    found, answer = put_raw(href, content, HTTP_TRANSFER_ENCODING="chunked")
    assert found == status
    assert answer["status"] == "stored" if status == 200 else answer["error"]["code"] == "size_mismatch"
    assert Blob.objects.count() == (status == 200)


def test_connection_that_breaks_in_the_middle(cast: Cast, model: RegisteredModel) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if piece := super().read(2):
                return piece
            raise ConnectionResetError("peer went away")

    href = offer(cast, size=5)["href"]
    with nothing_left_behind():
        status, answer = put_raw(href, b"", CONTENT_LENGTH="5", **{"wsgi.input": Broken(b"he")})
    assert (status, answer["error"]["code"]) == (400, "size_mismatch")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ([{"size": 1, "sha256": "abc"}], 400, "invalid_digest"),
        ([{"size": 1, "sha256": HELLO_SHA.upper()}], 400, "invalid_digest"),
        ([{"size": 1, "sha256": hashlib.sha256().hexdigest()}], 400, "size_mismatch"),
        ([{"size": -1}], 400, "invalid"),
        ([{"size": "many"}], 400, "invalid"),
        ([{}], 400, "invalid"),
        ({"size": 1}, 400, "invalid"),
        ("text", 400, "invalid"),
        ([1], 400, "invalid"),
        ([{"size": 101 * 2**30}], 413, "too_large"),
        ([{"size": 10**30}], 413, "too_large"),
        ([{"size": 99 * 2**30}] * 10_000, 507, "storage_full"),
        ([{"size": 1}] * 10_001, 400, "too_many_files"),
    ],
    ids=str,
)
def test_announcements_that_cannot_be_met(
    cast: Cast, model: RegisteredModel, body: Any, status: int, code: str
) -> None:
    with nothing_left_behind():
        refused(client_of(cast.bob).post(f"{BASE}/uploads/", body), status, code)


def test_expired_upload_is_gone(cast: Cast, model: RegisteredModel) -> None:
    href = offer(cast, size=5)["href"]
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    upload = Upload.objects.get()
    with nothing_left_behind():
        response = client_of(cast.bob).generic("PUT", f"/v1/uploads/{upload.pk}/", HELLO)
        refused(response, 410, "upload_expired")
        refused(put(href, HELLO), 410, "upload_expired")


@pytest.mark.parametrize("change", ["signature", "expires", "id"])
def test_signed_address_that_was_changed(cast: Cast, model: RegisteredModel, change: str) -> None:
    first, second = offer(cast, size=5), offer(cast, size=5)
    href = first["href"]
    if change == "signature":
        href = href[:-1] + ("0" if href[-1] != "0" else "1")
    elif change == "expires":
        href = href.replace("expires=", "expires=9")
    else:
        href = href.replace(first["id"], second["id"])
    with nothing_left_behind():
        refused(put(href, HELLO), 401, "not_authenticated")


def test_signed_address_dies_with_the_role_of_its_owner(cast: Cast, model: RegisteredModel) -> None:
    href = offer(cast, size=5)["href"]
    remove_member(actor=cast.alice, project=cast.project, user=cast.bob)
    with nothing_left_behind():
        refused(put(href, HELLO), 401, "not_authenticated")


def test_same_bytes_twice_are_stored_once(cast: Cast, model: RegisteredModel) -> None:
    first, second = offer(cast, size=5)["href"], offer(cast, size=5, sha256=HELLO_SHA)["href"]
    assert put(first, HELLO).status_code == put(second, HELLO).status_code == 200
    assert Blob.objects.count() == 1


# --- Bytes that are here already, and that the caller may not read


@pytest.fixture
def secret(cast: Cast) -> str:
    """The digest of a file in charlie's own project, which bob may not see."""
    place = create_project(actor=cast.charlie, name="secret")
    publish(cast.charlie, create_model(actor=cast.charlie, project=place, name="plans"), {"a": b"secret"})
    return hashlib.sha256(b"secret").hexdigest()


def test_foreign_bytes_are_asked_for_as_if_unknown(cast: Cast, model: RegisteredModel, secret: str) -> None:
    answer = offer(cast, size=6, sha256=secret)
    assert answer["status"] == "missing"
    assert put(answer["href"], b"secret").status_code == 200
    assert Blob.objects.count() == 1


def test_foreign_bytes_are_the_same_error_as_unknown_ones_at_publish(
    cast: Cast, model: RegisteredModel, secret: str
) -> None:
    client, answers = client_of(cast.bob), []
    with nothing_left_behind():
        for digest in (secret, "0" * 64):
            response = client.post(f"{BASE}/versions/", {"files": [{"path": "a", "sha256": digest}]})
            answers.append(refused(response, 400, "unknown_blob"))
    assert answers[0] == answers[1]
    assert answers[0]["fields"] == {"files": ["a"]}


def test_uploads_of_others_are_as_foreign(cast: Cast, model: RegisteredModel) -> None:
    digest = send(cast.carol, model, b"not published yet")
    response = client_of(cast.bob).post(f"{BASE}/versions/", {"files": [{"path": "a", "sha256": digest}]})
    refused(response, 400, "unknown_blob")
    assert offer(cast, size=17, sha256=digest)["status"] == "missing"


def test_own_bytes_become_foreign_with_the_membership(cast: Cast, secret: str, model: RegisteredModel) -> None:
    place = Project.objects.get(name="secret")
    set_membership(actor=cast.charlie, project=place, user=cast.bob, role=Role.VIEWER)
    assert offer(cast, size=6, sha256=secret)["status"] == "stored"
    remove_member(actor=cast.charlie, project=place, user=cast.bob)
    response = client_of(cast.bob).post(f"{BASE}/versions/", {"files": [{"path": "a", "sha256": secret}]})
    refused(response, 400, "unknown_blob")


# --- A full disk


@pytest.fixture
def tiny_disk(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """A file system of 1 MB for what comes in and what is kept."""
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a tmpfs: a full disk is shown on a real one")
    settings.INCOMING_DIR = place / "incoming"
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": {**settings.STORAGES["blobs"], "OPTIONS": {"location": place / "blobs"}},
    }
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_announcement_that_does_not_fit(cast: Cast, model: RegisteredModel, tiny_disk: Path) -> None:
    with nothing_left_behind():
        refused(client_of(cast.bob).post(f"{BASE}/uploads/", [{"size": 2_000_000}]), 507, "storage_full")


def test_bytes_that_fill_the_disk(cast: Cast, model: RegisteredModel, tiny_disk: Path) -> None:
    upload = Upload.objects.create(project=model.project, model=model, actor=cast.bob, size=2_000_000)
    with nothing_left_behind():
        response = client_of(cast.bob).generic("PUT", f"/v1/uploads/{upload.pk}/", b"x" * 2_000_000)
        refused(response, 507, "storage_full")
    assert not Upload.objects.get().stored_at


def test_form_that_fills_the_disk(cast: Cast, model: RegisteredModel, tiny_disk: Path) -> None:
    files = [SimpleUploadedFile("a", b"x" * 500_000), SimpleUploadedFile("b", b"y" * 800_000)]
    with nothing_left_behind():
        response = client_of(cast.bob).post(f"{BASE}/versions/", {"files": files}, format="multipart")
        refused(response, 507, "storage_full")


def test_disk_with_room_again_takes_bytes_again(cast: Cast, model: RegisteredModel, tiny_disk: Path) -> None:
    ballast = tiny_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(b"x" * 2_000_000)
    upload = Upload.objects.create(project=model.project, model=model, actor=cast.bob, size=5)
    with nothing_left_behind():
        refused(client_of(cast.bob).generic("PUT", f"/v1/uploads/{upload.pk}/", HELLO), 507, "storage_full")
    ballast.unlink()
    assert client_of(cast.bob).generic("PUT", f"/v1/uploads/{upload.pk}/", HELLO).status_code == 200


def test_upload_names_are_digests_and_nothing_else(cast: Cast, model: RegisteredModel, tmp_path: Path) -> None:
    put(offer(cast, size=5)["href"], HELLO)
    files = [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()]
    assert files == [f"blobs/{HELLO_SHA[:2]}/{HELLO_SHA[2:]}"]
    assert HELLO_SHA == SHA256
