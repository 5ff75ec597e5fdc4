"""PostgreSQL whose disk is full (SQLSTATE 53100): 507 that says whose disk it is, to programs and people, and nothing is kept."""

from __future__ import annotations

from django.db import connection
from django.test import Client

from registry.models import Event, Occurrence, RegisteredModel, Version
from tests.cast import Cast, client_of, publish, send
from tests.matchers import refused

VERSIONS = "/v1/projects/vision/models/classifier/versions/"


def let_it_be_full(table: str) -> None:
    """From now on, until the test ends, what is written to a table finds no space."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END$$"
        )
        cursor.execute(f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION no_space()")


def test_who_publishes_is_told_whose_disk_is_full(cast: Cast, model: RegisteredModel, postgresql: None) -> None:
    digest = send(cast.bob, model, b"weights")
    events = Event.objects.count()
    let_it_be_full(Occurrence._meta.db_table)
    answer = client_of(cast.bob).post(VERSIONS, {"files": [{"path": "a", "sha256": digest}]}, format="json")
    refused(answer, 507, "storage_full")
    assert "disk of the server's database" in answer.json()["error"]["message"]
    assert not Version.objects.exists()
    assert Event.objects.count() == events
    assert client_of(cast.bob).get(VERSIONS).json()["results"] == []


def test_a_page_says_it_too(cast: Cast, model: RegisteredModel, postgresql: None) -> None:
    publish(cast.bob, model, {"notes.txt": b"some words"})
    let_it_be_full(Event._meta.db_table)  # a download from a private project is noted
    dave = Client()
    dave.force_login(cast.dave)
    answer = dave.get("/vision/classifier/versions/1/raw/notes.txt")
    assert answer.status_code == 507
    assert b"storage_full" in answer.content
    assert "disk of the server" in answer.content.decode()
