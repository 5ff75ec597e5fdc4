"""What is deleted goes to the trash: not there for anybody, its name taken, and taken back as it was."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.services.access_tokens import create_access_token
from registry.errors import Conflict
from registry.models import Event, Project, RegisteredModel, Upload, Version
from registry.services import trash
from registry.services.announcing import Wanted, announce
from registry.services.metrics import Measured, log_metrics
from registry.services.refs import Move, delete_ref, set_ref
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, client_of, publish, send
from tests.matchers import JUST_NOW, LATER, SHA256, nothing_left_behind, refused

PROJECT = "/v1/projects/vision/"
MODEL = f"{PROJECT}models/classifier/"


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    """A model of three versions; no ref names the first two."""
    model = cast.model()
    for number in (b"1", b"2", b"3"):
        publish(cast.bob, model, {"a": number}, message=f"version {number.decode()}")
    return model


def deleted(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "trashed_by": "carol", "trashed_at": JUST_NOW, "until": LATER, **more}


def test_deleted_version_is_in_the_trash_and_nowhere_else(cast: Cast, model: RegisteredModel) -> None:
    carol = client_of(cast.carol)
    shown = deleted("version", "vision/classifier v2", number=2, digest=SHA256, message="version 2")
    digest = Version.objects.get(number=2).digest
    answer = carol.delete(f"{MODEL}versions/2/")
    assert (answer.status_code, answer.json()) == (200, shown)
    assert carol.get(f"{MODEL}trash/").json()["results"] == [shown]
    for revision in ("2", "v2", digest, digest[:9]):
        for below in ("", "tree/", "files/a", "archive/", "metrics/"):
            refused(carol.get(f"{MODEL}versions/{revision}/{below}"), 404, "not_found")
        refused(carol.get(f"{MODEL}compare/{revision}...3/"), 404, "not_found")
        refused(carol.patch(f"{MODEL}versions/{revision}/", {"deprecated": "old"}), 404, "not_found")
        refused(carol.post(f"{MODEL}versions/{revision}/metrics/", [{"name": "a", "value": 1.0}]), 404, "not_found")
        refused(carol.put(f"{MODEL}aliases/production/", {"revision": revision}), 400, "unknown_revision")
    refused(carol.delete(f"{MODEL}versions/2/"), 404, "not_found")
    assert [one["number"] for one in carol.get(f"{MODEL}versions/").json()["results"]] == [3, 1]
    assert carol.get(f"{MODEL}versions/3/").json()["parents"] == [{"number": 2, "digest": digest}]


def test_version_is_taken_back_as_it_was(cast: Cast, model: RegisteredModel) -> None:
    carol = client_of(cast.carol)
    before = carol.get(f"{MODEL}versions/2/").json()
    carol.delete(f"{MODEL}versions/2/")
    answer = carol.post(f"{MODEL}versions/2/undelete/")
    assert (answer.status_code, answer.json()) == (200, before)
    assert carol.get(f"{MODEL}trash/").json()["results"] == []
    assert [(event.action, event.subject, event.actor) for event in Event.objects.all()[:2]] == [
        ("version.undeleted", "vision/classifier v2", cast.carol),
        ("version.trashed", "vision/classifier v2", cast.carol),
    ]


def test_version_that_names_point_to_stays(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "3"))
    with nothing_left_behind():
        error = refused(client_of(cast.carol).delete(f"{MODEL}versions/3/"), 409, "named_by_refs")
    assert error["fields"] == {"refs": [{"kind": "alias", "name": "production"}, {"kind": "branch", "name": "main"}]}


def test_number_of_a_deleted_version_stays_taken(cast: Cast, model: RegisteredModel) -> None:
    client_of(cast.carol).delete(f"{MODEL}versions/2/")
    assert publish(cast.bob, model, {"a": b"4"}).number == 4


def test_key_of_a_deleted_version_says_where_it_is(cast: Cast, model: RegisteredModel) -> None:
    publication = Publication(files=[File("a", send(cast.bob, model, b"5"))], idempotency_key="run")
    version, _ = publish_version(actor=cast.bob, model=model, publication=publication)
    publish(cast.bob, model, {"a": b"6"})
    trash.delete(actor=cast.carol, row=version)
    with pytest.raises(Conflict, match="version 4, which is in the trash"):
        publish_version(actor=cast.bob, model=model, publication=publication)


def test_deleted_model_is_in_the_trash_and_nowhere_else(cast: Cast, model: RegisteredModel) -> None:
    carol = client_of(cast.carol)
    answer = carol.delete(MODEL)
    assert (answer.status_code, answer.json()) == (200, deleted("model", "vision/classifier"))
    assert carol.get(f"{PROJECT}trash/").json()["results"] == [deleted("model", "vision/classifier")]
    for below in ("", "versions/", "versions/1/", "versions/1/files/a", "branches/", "aliases/", "trash/"):
        refused(carol.get(f"{MODEL}{below}"), 404, "not_found")
    refused(carol.post(f"{MODEL}uploads/", [{"size": 3}]), 404, "not_found")
    assert carol.get(f"{PROJECT}models/").json()["results"] == []
    assert "classifier" not in carol.get("/").content.decode()


def test_name_of_a_deleted_model_stays_taken(cast: Cast, model: RegisteredModel) -> None:
    client_of(cast.carol).delete(MODEL)
    error = refused(client_of(cast.bob).post(f"{PROJECT}models/", {"name": "Classifier"}), 400, "name_taken")
    assert "in the trash" in error["message"]


def test_model_is_taken_back_with_its_names_and_versions(cast: Cast, model: RegisteredModel) -> None:
    carol = client_of(cast.carol)
    before, versions = carol.get(MODEL).json(), carol.get(f"{MODEL}versions/").json()
    carol.delete(f"{MODEL}versions/1/")
    carol.delete(MODEL)
    refused(carol.post(f"{MODEL}versions/1/undelete/"), 409, "in_trash")
    answer = carol.post(f"{MODEL}undelete/")
    assert (answer.status_code, answer.json()) == (200, before)
    left = [version for version in versions["results"] if version["number"] != 1]
    assert carol.get(f"{MODEL}versions/").json()["results"] == left, "what was deleted by itself stays deleted"


def test_deleted_project_is_in_its_owners_trash_and_nowhere_else(cast: Cast, model: RegisteredModel) -> None:
    alice, carol = client_of(cast.alice), client_of(cast.carol)
    shown = deleted("project", "vision") | {"trashed_by": "alice"}
    answer = alice.delete(PROJECT)
    assert (answer.status_code, answer.json()) == (200, shown)
    assert alice.get("/v1/trash/").json()["results"] == [shown]
    assert carol.get("/v1/trash/").json()["results"] == [], "she owns it not"
    for below in ("", "members/", "models/", "models/classifier/", "events/", "trash/"):
        refused(alice.get(PROJECT + below), 404, "not_found")
    error = refused(alice.post("/v1/projects/", {"name": "vision"}), 400, "name_taken")
    assert "in the trash" in error["message"]
    assert "trash" not in refused(client_of(cast.charlie).post("/v1/projects/", {"name": "vision"}), 400, "name_taken")["message"]  # fmt: skip


def test_project_is_taken_back_with_its_members(cast: Cast, model: RegisteredModel) -> None:
    alice = client_of(cast.alice)
    before, members = alice.get(PROJECT).json(), alice.get(f"{PROJECT}members/").json()
    alice.delete(PROJECT)
    refused(alice.post(f"{MODEL}undelete/"), 409, "in_trash")
    refused(alice.post(f"{MODEL}versions/1/undelete/"), 409, "in_trash")
    for name in ("carol", "bob", "dave", "charlie"):
        refused(client_of(getattr(cast, name)).post(f"{PROJECT}undelete/"), 404, "not_found")
        refused(client_of(getattr(cast, name)).post(f"{MODEL}undelete/"), 404, "not_found")
    refused(client_of(None).post(f"{PROJECT}undelete/"), 401, "not_authenticated")
    answer = alice.post(f"{PROJECT}undelete/")
    assert (answer.status_code, answer.json()) == (200, before)
    assert alice.get(f"{PROJECT}members/").json() == members


@pytest.mark.parametrize(("scope", "project"), [("read", None), ("write", "elsewhere")])
def test_token_that_may_not_take_a_project_back_does_not(cast: Cast, api: Any, scope: str, project: str | None) -> None:
    client_of(cast.alice).post("/v1/projects/", {"name": "elsewhere"})
    trash.delete(actor=cast.alice, row=cast.project)
    _, text = create_access_token(actor=cast.alice, name="machine", scope=scope, project=project)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    answer = api.post(f"{PROJECT}undelete/")
    assert answer.status_code == (403 if scope == "read" else 404)
    assert len(api.get("/v1/trash/").json()["results"]) == (1 if scope == "read" else 0)
    assert Project.objects.get(name="vision").trashed_at


def test_personal_project_stays(cast: Cast) -> None:
    client = client_of(cast.bob)
    client.get("/v1/projects/bob/")
    refused(client.delete("/v1/projects/bob/"), 409, "personal_project")
    assert client.get("/v1/projects/bob/").status_code == 200


@pytest.mark.parametrize("name", ["dave", "bob"])
def test_trash_is_hidden_from_whoever_may_not_empty_it(cast: Cast, model: RegisteredModel, name: str) -> None:
    client = client_of(getattr(cast, name))
    trash.delete(actor=cast.carol, row=Version.objects.get(number=2))
    refused(client.get(f"{MODEL}trash/"), 403, "role_too_low")
    refused(client.post(f"{MODEL}versions/2/undelete/"), 404, "not_found")
    refused(client.post(f"{MODEL}versions/1/undelete/"), 403, "role_too_low")
    trash.delete(actor=cast.carol, row=model)
    refused(client.post(f"{MODEL}undelete/"), 404, "not_found")


@pytest.mark.parametrize("below", ["", "models/classifier/", "models/classifier/versions/1/"])
def test_what_is_in_no_trash_is_not_taken_back(cast: Cast, model: RegisteredModel, below: str) -> None:
    with nothing_left_behind():
        refused(client_of(cast.alice).post(f"{PROJECT}{below}undelete/"), 409, "not_in_trash")
        refused(client_of(cast.alice).post(f"{PROJECT}{below}nothing/undelete/"), 404, "not_found")


def test_a_call_that_began_before_the_deletion_adds_nothing(cast: Cast, model: RegisteredModel) -> None:
    version, digest = Version.objects.select_related("model__project").get(number=1), send(cast.bob, model, b"late")
    trash.delete(actor=cast.carol, row=version)
    with pytest.raises(Version.DoesNotExist):
        log_metrics(actor=cast.bob, version=version, measured=[Measured("loss", 1.0)])
    trash.delete(actor=cast.carol, row=model)
    with nothing_left_behind(), pytest.raises(RegisteredModel.DoesNotExist):
        publish_version(actor=cast.bob, model=model, publication=Publication(files=[File("a", digest)]))


def test_branch_of_a_version_in_the_trash_begins_nowhere(cast: Cast, model: RegisteredModel) -> None:
    trash.delete(actor=cast.carol, row=Version.objects.get(number=2))
    body = {"branch": "other", "parent": "2", "files": [{"path": "b", "sha256": send(cast.bob, model, b"x")}]}
    refused(client_of(cast.bob).post(f"{MODEL}versions/", body), 400, "unknown_revision")


def test_bytes_of_a_deleted_model_are_not_promised(cast: Cast, model: RegisteredModel) -> None:
    digest = model.occurrences.get(path="a", first_version__number=1).digest
    Upload.objects.all().delete()
    client_of(cast.bob).get("/v1/projects/bob/")
    other = client_of(cast.bob).post("/v1/projects/bob/models/", {"name": "probe"})
    assert other.status_code == 201
    probe = RegisteredModel.objects.get(name="probe")
    assert announce(actor=cast.bob, model=probe, files=[Wanted(1, digest)])[0].upload is None
    trash.delete(actor=cast.carol, row=model)
    assert announce(actor=cast.bob, model=probe, files=[Wanted(1, digest)])[0].upload is not None


def test_version_without_names_left_is_deleted(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "1"))
    version = Version.objects.get(number=1)
    with pytest.raises(Conflict, match="alias production"):
        trash.delete(actor=cast.carol, row=version)
    delete_ref(actor=cast.bob, model=model, kind="alias", name="production")
    assert trash.delete(actor=cast.carol, row=version).trashed_by == cast.carol
