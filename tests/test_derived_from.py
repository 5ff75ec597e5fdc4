"""`derived_from` at publish: versions of other models, pinned, part of the version, shown to who may see them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import Error, connection, transaction

from registry.errors import Invalid
from registry.models import Derivation, Event, RegisteredModel, Version, Visibility
from registry.services import derivations
from registry.services.members import set_membership
from registry.services.projects import create_project, update_project
from registry.services.refs import Move, set_ref
from registry.services.registered_models import create_model, update_model
from tests.burying import bury
from tests.cast import Cast, Role, client_of, publish, send
from tests.matchers import nothing_left_behind, refused
from tests.test_doors import token_client

BASE = "/v1/projects/vision/models/classifier/versions/"


@pytest.fixture
def scans(cast: Cast) -> list[Version]:
    """Three versions of a dataset in the same project."""
    dataset = create_model(actor=cast.alice, project=cast.project, name="scans", kind="dataset")
    return [publish(cast.alice, dataset, {"scan": content}) for content in (b"1", b"2", b"3")]


@pytest.fixture
def secret(cast: Cast) -> Version:
    """A version in a project of alice alone."""
    project = create_project(actor=cast.alice, name="secret")
    return publish(cast.alice, create_model(actor=cast.alice, project=project, name="base"), {"w": b"w"})


def shown(version: Version) -> dict[str, Any]:
    model = version.model
    return {"project": model.project.name, "model": model.name, "number": version.number, "digest": version.digest}


def body(cast: Cast, model: RegisteredModel, *named: str, **more: Any) -> dict[str, Any]:
    return {"files": [{"path": "a", "sha256": send(cast.alice, model, b"a")}], "derived_from": list(named), **more}


def test_sources_are_pinned_in_the_order_given_each_once(
    cast: Cast, model: RegisteredModel, scans: list[Version], secret: Version
) -> None:
    dataset = scans[0].model
    set_ref(actor=cast.alice, model=dataset, move=Move("alias", "clean", "2"))
    named = ["secret/base@v1", "vision/scans@clean", "vision/scans@2", f"vision/scans@{scans[0].digest[:9]}"]
    client = client_of(cast.alice)
    answer = client.post(BASE, body(cast, model, *named))
    expected = [shown(secret), shown(scans[1]), shown(scans[0])]
    assert (answer.status_code, answer.json()["derived_from"]) == (201, expected)
    set_ref(actor=cast.alice, model=dataset, move=Move("alias", "clean", "3"))
    assert client.get(f"{BASE}1/").json()["derived_from"] == expected
    assert Event.objects.get(subject="vision/classifier v1").after["sources"] == 3
    assert "base" not in str(Event.objects.filter(project=cast.project).values())


@pytest.mark.parametrize("spelled", ["repeated", "list", "one"])
def test_form_names_sources_too(cast: Cast, model: RegisteredModel, scans: list[Version], spelled: str) -> None:
    named = ["vision/scans@1", "vision/scans@3"][: 1 if spelled == "one" else 2]
    said = json.dumps(named) if spelled == "list" else named
    form = {"files": SimpleUploadedFile("a", b"a"), "derived_from": said}
    answer = client_of(cast.bob).post(BASE, form, format="multipart")
    assert [source["number"] for source in answer.json()["derived_from"]] == [int(name[-1]) for name in named]


@pytest.mark.parametrize(
    "name",
    [
        "secret/base@1",
        "secret/nothing@1",
        "nothing/base@1",
        "vision/nothing@1",
        "vision/scans@4",
        "vision/scans@nothing",
        "vision/scans@",
        "vision/scans",
        "scans@1",
        "vision/scans@1@2",
        "vision/scans/1",
        "../scans@1",
        "@",
        "vision/scans@" + "9" * 30,
        "vision/scans@" + "a" * 5000,
        "vision/scans\u0000@1",
    ],
)
def test_what_one_may_not_see_is_refused_as_what_is_not_there(
    cast: Cast, model: RegisteredModel, scans: list[Version], secret: Version, name: str
) -> None:
    said = body(cast, model, "vision/scans@1", name)
    with nothing_left_behind():
        error = refused(client_of(cast.bob).post(BASE, said), 400, "unknown_source" if "\0" not in name else "invalid")
    if "\0" not in name:
        assert error["fields"] == {"derived_from": [name[:300]]}
        assert error["message"].startswith(f"“{name[:300]}” names no version that you may see.")


def test_prefix_that_begins_several_digests_is_unclear(
    cast: Cast, model: RegisteredModel, scans: list[Version]
) -> None:
    refused(
        client_of(cast.bob).post(BASE, body(cast, model, "vision/scans@" + scans[0].digest[:6])), 400, "unknown_source"
    )


def test_token_of_another_project_names_nothing_outside_of_it(
    cast: Cast, model: RegisteredModel, secret: Version
) -> None:
    client = token_client(cast.alice, "write", project="vision")
    refused(client.post(BASE, body(cast, model, "secret/base@1")), 400, "unknown_source")


def test_trashed_version_is_no_source(cast: Cast, model: RegisteredModel, scans: list[Version]) -> None:
    Version.objects.filter(pk=scans[0].pk).update(trashed_at="2026-01-01T00:00:00Z")
    refused(client_of(cast.bob).post(BASE, body(cast, model, "vision/scans@1")), 400, "unknown_source")


def test_versions_of_the_model_itself_are_parents(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.alice, model, {"a": b"1"})
    update_model(actor=cast.alice, model=model, name="reader")
    for name in ("vision/reader@1", "vision/classifier@1"):
        error = refused(client_of(cast.bob).post(BASE, body(cast, model, name)), 400, "invalid_source")
        assert "`parent`" in error["message"]


def test_a_hundred_sources_are_enough(cast: Cast, model: RegisteredModel, scans: list[Version]) -> None:
    client = client_of(cast.alice)
    refused(client.post(BASE, body(cast, model, *["vision/scans@1"] * 101)), 400, "invalid_source")
    answer = client.post(BASE, body(cast, model, *["vision/scans@1"] * 100))
    assert answer.json()["derived_from"] == [shown(scans[0])]


@pytest.mark.parametrize("said", ["vision/scans@1", {"vision/scans": 1}, [["vision/scans@1"]], [None], 7])
def test_something_else_than_a_list_of_names_is_refused(
    cast: Cast, model: RegisteredModel, scans: list[Version], said: Any
) -> None:
    refused(client_of(cast.bob).post(BASE, body(cast, model) | {"derived_from": said}), 400, "invalid")


def test_source_that_the_reader_may_not_see_is_shown_without_a_name(
    cast: Cast, model: RegisteredModel, scans: list[Version], secret: Version
) -> None:
    client_of(cast.alice).post(BASE, body(cast, model, "secret/base@1", "vision/scans@1"))
    answer = client_of(cast.dave).get(f"{BASE}1/")
    assert answer.json()["derived_from"] == [{"hidden": True}, shown(scans[0])]
    assert b"secret" not in answer.content
    set_membership(actor=cast.alice, project=secret.model.project, user=cast.dave, role=Role.VIEWER)
    assert client_of(cast.dave).get(f"{BASE}1/").json()["derived_from"] == [shown(secret), shown(scans[0])]
    update_project(actor=cast.alice, project=cast.project, visibility=Visibility.PUBLIC)
    assert client_of(None).get(f"{BASE}1/").json()["derived_from"] == [{"hidden": True}, shown(scans[0])]


def test_same_key_with_other_sources_is_another_body(cast: Cast, model: RegisteredModel, scans: list[Version]) -> None:
    said, key = body(cast, model, "vision/scans@1"), {"Idempotency-Key": "once"}
    client = client_of(cast.alice)
    assert client.post(BASE, said, headers=key).status_code == 201
    Version.objects.filter(pk=scans[0].pk).update(trashed_at="2026-01-01T00:00:00Z")
    assert client.post(BASE, said, headers=key).status_code == 200, "it was published, whatever became of the source"
    other = said | {"derived_from": ["vision/scans@2"]}
    refused(client.post(BASE, other, headers=key), 409, "idempotency_mismatch")


def test_sources_are_sealed(cast: Cast, model: RegisteredModel, scans: list[Version]) -> None:
    client_of(cast.alice).post(BASE, body(cast, model, "vision/scans@1"))
    version = Version.objects.get(model=model)
    for sql in ("UPDATE registry_derivation SET position = 7", "DELETE FROM registry_derivation"):
        with pytest.raises(Error, match="sealed"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    with pytest.raises(Error, match="sealed"), transaction.atomic():
        Derivation.objects.create(version=version, source=scans[1], position=1)
    bury(Version.objects.filter(pk=version.pk))
    Derivation.objects.all().delete()


@pytest.mark.parametrize("way", ["restore", "merge"])
def test_sources_come_along(cast: Cast, model: RegisteredModel, scans: list[Version], way: str) -> None:
    publish(cast.bob, model, {"a": b"0"})
    publish(cast.bob, model, {"a": b"1"}, branch="wider", derived_from=["vision/scans@1"])
    publish(cast.bob, model, {"b": b"2"})
    bob, base = client_of(cast.bob), BASE.removesuffix("versions/")
    if way == "restore":
        answer = bob.post(f"{BASE}2/restore/", {"branch": "main"})
    else:
        answer = bob.post(f"{base}merge/", {"source": "wider", "target": "main"})
    assert answer.status_code == 201
    assert [(source["model"], source["number"]) for source in answer.json()["derived_from"]] == [("scans", 1)]


def test_same_call_with_other_sources_is_another_publication(
    cast: Cast, model: RegisteredModel, scans: list[Version]
) -> None:
    bob = client_of(cast.bob)
    publish(cast.bob, model, {"a": b"0"})
    said = {"parent": "1", "message": "again", "files": [{"path": "a", "sha256": send(cast.bob, model, b"1")}]}
    assert bob.post(BASE, said | {"derived_from": ["vision/scans@1"]}).status_code == 201
    assert bob.post(BASE, said | {"derived_from": ["vision/scans@1"]}).status_code == 200
    answer = bob.post(BASE, said | {"derived_from": ["vision/scans@2"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "parent_moved")


def test_source_that_was_deleted_meanwhile_is_refused(cast: Cast, scans: list[Version]) -> None:
    Version.objects.filter(pk=scans[0].pk).update(trashed_at="2026-01-01T00:00:00Z")
    with pytest.raises(Invalid, match="deleted meanwhile"):
        derivations.refuse_deleted(scans)
