"""Downloads of a private project in the audit log: one line per person, version and hour."""

from __future__ import annotations

import hashlib
import threading

import pytest
from django.db import connection, connections
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from registry.models import Event, Version, Visibility
from registry.services import downloads, events
from registry.services.projects import update_project
from tests.cast import Cast, client_of, publish
from tests.matchers import JUST_NOW, NUMBER, TEXT, Like
from tests.test_doors import token_client

VERSION = "/v1/projects/vision/models/classifier/versions/1/"
FILE = f"{VERSION}files/a"


def told() -> QuerySet[Event]:
    return Event.objects.filter(action="version.downloaded")


@pytest.fixture
def version(cast: Cast) -> Version:
    return publish(cast.alice, cast.model(), {"a": b"0123456789", "b": b"b"})


@pytest.fixture
def dave(cast: Cast, version: Version) -> APIClient:
    return client_of(cast.dave)


def test_a_hundred_ranges_make_one_line(cast: Cast, dave: APIClient) -> None:
    for start in range(100):
        response = dave.get(FILE, headers={"Range": f"bytes={start % 10}-{start % 10}"})
        assert b"".join(response.streaming_content) == str(start % 10).encode()
    assert client_of(cast.alice).get("/v1/projects/vision/events/?action=version.downloaded").json()["results"] == [
        {
            "id": NUMBER,
            "at": JUST_NOW,
            "actor": "dave",
            "action": "version.downloaded",
            "subject": "vision/classifier v1",
            "before": None,
            "after": None,
            "token": "",
            "address": "127.0.0.1",
            "request_id": TEXT,
        }
    ]


@pytest.mark.parametrize("door", ["versions/2/card/", "versions/2/inspect/w.npy", "compare/1...2/files/README.md"])
def test_what_tells_of_the_bytes_is_a_download_too(cast: Cast, dave: APIClient, door: str) -> None:
    array = b"\x93NUMPY\x01\x00\x35\x00{'descr': '|u1', 'fortran_order': False, 'shape': ()}1"
    publish(cast.alice, cast.project.models.get(), {"README.md": b"# Seeing", "w.npy": array})
    assert dave.get(f"/v1/projects/vision/models/classifier/{door}").status_code == 200
    assert told().filter(subject="vision/classifier v2").count() == 1


def test_content_of_an_artifact_is_told(cast: Cast, dave: APIClient) -> None:
    artifact = client_of(cast.bob).post("/v1/artifacts/", {"project": "vision", "data": {"content": {"n": 1}}}).json()
    for _ in range(2):
        assert dave.get(f"/v1/artifacts/{artifact['id']}/$download").status_code == 200
    (event,) = Event.objects.filter(action="artifact.downloaded")
    assert (event.actor, event.subject) == (cast.dave, artifact["id"])


def test_later_requests_of_the_hour_write_nothing(dave: APIClient) -> None:
    dave.get(FILE)
    with CaptureQueriesContext(connection) as queries:
        dave.get(FILE)
    assert not [query["sql"] for query in queries if not query["sql"].startswith("SELECT")]


def test_every_person_version_and_hour_has_a_line(cast: Cast, version: Version, dave: APIClient) -> None:
    publish(cast.alice, version.model, {"a": b"2"})
    last_hour = int(version.created_at.timestamp()) // downloads.HOUR - 1
    events.record_once(
        once=f"download:{cast.dave.pk}:{version.pk}:{last_hour}",
        actor=cast.dave,
        action="version.downloaded",
        project=cast.project,
        subject=str(version),
    )
    for _ in range(2):
        dave.get(FILE)
        dave.get(f"{VERSION}archive/")
        dave.get(FILE.replace("versions/1", "versions/2"))
        client_of(cast.bob).get(FILE)
    assert sorted(told().values_list("actor__username", "subject")) == [
        ("bob", "vision/classifier v1"),
        ("dave", "vision/classifier v1"),
        ("dave", "vision/classifier v1"),
        ("dave", "vision/classifier v2"),
    ]


def test_archive_is_a_download(dave: APIClient) -> None:
    dave.get(f"{VERSION}archive/?format=tar")
    assert told().count() == 1


def test_line_names_the_access_token(cast: Cast, version: Version) -> None:
    token_client(cast.alice, "read").get(FILE)
    assert told().get().token == Like(r"machine \(lmvp_.{4}…\)")


@pytest.mark.parametrize("asked", ["known", "listing", "missing", "other format"])
def test_what_sends_no_bytes_is_no_download(dave: APIClient, version: Version, asked: str) -> None:
    etag = f'"{hashlib.sha256(b"0123456789").hexdigest()}"'
    answers = {
        "known": lambda: dave.get(FILE, headers={"If-None-Match": etag}),
        "listing": lambda: dave.get(f"{VERSION}tree/"),
        "missing": lambda: dave.get(f"{VERSION}files/none"),
        "other format": lambda: dave.get(f"{VERSION}archive/?format=rar"),
    }
    assert answers[asked]().status_code in (200, 304, 400, 404)
    assert not told().exists()


@pytest.mark.parametrize("visibility", [Visibility.INTERNAL, Visibility.PUBLIC])
def test_what_others_may_see_anyway_is_not_told(cast: Cast, version: Version, visibility: str) -> None:
    update_project(actor=cast.alice, project=cast.project, visibility=visibility)
    assert client_of(cast.dave).get(FILE).status_code == 200
    assert client_of(None).get(FILE).status_code == (200 if visibility == Visibility.PUBLIC else 401)
    assert not told().exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", [FILE, f"{VERSION}archive/"])
def test_looking_at_the_headers_is_no_download(dave: APIClient, address: str) -> None:
    assert dave.head(address).status_code == 200
    assert not told().exists()


@pytest.mark.django_db(transaction=True)
def test_first_requests_at_once_make_one_line(postgresql: None, cast: Cast, version: Version) -> None:
    together = threading.Barrier(8)
    answers: list[int] = []

    def fetch() -> None:
        together.wait()
        answers.append(client_of(cast.dave).get(FILE).status_code)
        connections.close_all()

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 8
    assert told().count() == 1
