"""Artifact trees: what cannot stand in one, what is kept of a node, who sees it, and that a tree stays a tree."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from registry.models import Artifact, Blob, Event, Hierarchy, Membership, Project, Upload, Visibility
from registry.services import artifacts, hierarchies, trash
from registry.services.projects import create_project, update_project
from registry.services.recordings import Recording
from registry.services.registered_models import create_model
from registry.ulids import ULID, normal, ulid
from tests.cast import Cast, client_of, publish
from tests.matchers import JUST_NOW, UUID, Like, nothing_left_behind, refused

LABELS = {"0": "experiment", "1": "model", "2": "predictions"}
ID = Like(ULID.pattern)
MISSING = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
PERSONAL = (Project, Membership, Event)  # made on first need
RUN = {"status": "success", "config_id": "hidden-64"}


@pytest.fixture
def pipeline(cast: Cast) -> Hierarchy:
    return hierarchies.create_hierarchy(actor=cast.bob, project=cast.project, name="pipeline", level_labels=LABELS)


def post(cast: Cast, body: dict[str, Any], **more: Any) -> Any:
    return client_of(cast.bob).post("/v1/artifacts/", body, **more)


def put(cast: Cast, artifact: str, body: dict[str, Any], **more: Any) -> Any:
    return client_of(cast.bob).put(f"/v1/artifacts/{artifact}/", body, **more)


def record(cast: Cast, parent: Artifact | None = None, **data: Any) -> Artifact:
    """A root of the pipeline, or a child of an artifact."""
    place: dict[str, Any] = {"parent_id": parent.pk} if parent else {"project": "vision", "hierarchy": "pipeline"}
    return artifacts.record_artifact(actor=cast.bob, recording=Recording(data=data, **place))


def chain(cast: Cast, length: int, **place: str) -> list[Artifact]:
    """A root of the default hierarchy, and one below the other."""
    found = [artifacts.record_artifact(actor=cast.bob, recording=Recording(data={}, project="vision", **place))]
    while len(found) < length:
        found.append(artifacts.record_artifact(actor=cast.bob, recording=Recording({}, parent_id=found[-1].pk)))
    return found


# --- What cannot stand in a tree


def test_child_at_a_level_that_the_hierarchy_has_not(cast: Cast, pipeline: Hierarchy) -> None:
    deepest = record(cast, record(cast, record(cast)))
    with nothing_left_behind():
        error = refused(post(cast, {"parent_id": deepest.pk, "data": {}}), 400, "level_not_in_hierarchy")
    assert "experiment, model, predictions" in error["message"]


def test_level_that_is_missing_is_noticed_before_bytes_are_kept(cast: Cast, pipeline: Hierarchy) -> None:
    deepest = record(cast, record(cast, record(cast)))
    form = {"parent_id": deepest.pk, "data": "{}", "content": SimpleUploadedFile("a", b"bytes")}
    with nothing_left_behind():
        refused(post(cast, form, format="multipart"), 400, "level_not_in_hierarchy")


def test_tree_without_labels_ends_at_its_hundredth_level(cast: Cast) -> None:
    deepest = chain(cast, 100)[-1]
    assert deepest.level == 99
    with nothing_left_behind():
        refused(post(cast, {"parent_id": deepest.pk, "data": {}}), 400, "level_not_in_hierarchy")


@pytest.mark.parametrize("below", [0, 1, 2])
def test_parent_that_stands_below_the_artifact_is_a_cycle(cast: Cast, below: int) -> None:
    line = chain(cast, 3)
    with nothing_left_behind():
        refused(put(cast, line[0].pk, {"data": {}, "parent_id": line[below].pk}), 400, "cycle")
    assert list(Artifact.objects.values_list("pk", "level").order_by("level")) == [(a.pk, a.level) for a in line]


def test_artifact_with_children_is_not_deleted(cast: Cast, pipeline: Hierarchy) -> None:
    root = record(cast)
    child = record(cast, root)
    client = client_of(cast.bob)
    with nothing_left_behind():
        refused(client.delete(f"/v1/artifacts/{root.pk}/"), 409, "has_children")
    assert client.delete(f"/v1/artifacts/{child.pk}/").status_code == 204
    assert client.delete(f"/v1/artifacts/{root.pk}/").status_code == 204
    assert not Artifact.objects.exists()


def test_parent_that_one_may_not_see_is_the_same_error_as_one_that_is_not_there(cast: Cast) -> None:
    theirs = artifacts.record_artifact(actor=cast.charlie, recording=Recording(data={"secret": 1}))
    bodies = [
        {"parent_id": parent, "data": {}} for parent in (theirs.pk, MISSING, "no ulid", "01" * 13, "8" + "0" * 25)
    ]
    with nothing_left_behind():
        answers = [refused(post(cast, body), 400, "unknown_parent") for body in bodies]
    assert all(answer == answers[0] for answer in answers)


def test_parent_that_one_may_see_and_not_write_below(cast: Cast, pipeline: Hierarchy) -> None:
    root = record(cast)
    with nothing_left_behind():
        response = client_of(cast.dave).post("/v1/artifacts/", {"parent_id": root.pk, "data": {}})
        refused(response, 403, "role_too_low")


@pytest.mark.parametrize("named", [{"project": "bob"}, {"hierarchy": "default"}])
def test_child_that_names_another_place_than_its_parent(cast: Cast, pipeline: Hierarchy, named: dict[str, str]) -> None:
    root = record(cast)
    with nothing_left_behind():
        refused(post(cast, {"parent_id": root.pk, "data": {}, **named}), 400, "other_than_parent")
    same = {"project": "vision", "hierarchy": "pipeline"}
    assert post(cast, {"parent_id": root.pk, "data": {}, **same}).status_code == 201


def test_parent_in_another_hierarchy(cast: Cast, pipeline: Hierarchy) -> None:
    here, elsewhere = record(cast), chain(cast, 1)[0]
    with nothing_left_behind():
        refused(put(cast, here.pk, {"data": {}, "parent_id": elsewhere.pk}), 400, "other_than_parent")


def test_hierarchy_that_the_project_has_not(cast: Cast) -> None:
    with nothing_left_behind():
        refused(post(cast, {"project": "vision", "hierarchy": "none", "data": {}}), 400, "unknown_hierarchy")


@pytest.mark.parametrize("name", ["vision", "nothing"])
def test_project_that_one_may_not_see(cast: Cast, name: str) -> None:
    response = client_of(cast.charlie).post("/v1/artifacts/", {"project": name, "data": {}})
    assert (
        refused(response, 404, "not_found")["message"]
        == refused(client_of(cast.charlie).get("/v1/projects/nothing/"), 404, "not_found")["message"]
    )


@pytest.mark.parametrize(
    "garbage", [MISSING, "1", "x" * 26, "8" + "0" * 25, "0" * 300, "01ARZ3NDEKTSV4RRFFQ69G5FAU", "%00", "0" + "ſ" * 25]
)
@pytest.mark.parametrize("below", ["", "$tree/", "$expand/", "$metadata/", "$download/"])
def test_address_that_is_no_artifact(cast: Cast, garbage: str, below: str) -> None:
    refused(client_of(cast.bob).get(f"/v1/artifacts/{garbage}/{below}"), 404, "not_found")


# --- Data


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ([], "invalid"),
        ("text", "invalid"),
        (None, "invalid"),
        ({"a": "x" * 65_536}, "data_too_large"),
        ({"type": "ml_training_of_mine"}, "invalid_data"),
        ({"type": ["ml_training"]}, "invalid_data"),
        ({"type": 1}, "invalid_data"),
        ({"type": "ml_training"}, "invalid_data"),
        ({"type": "ml_training", "metadata": {"status": "success"}}, "invalid_data"),
        ({"type": "ml_training", "metadata": {"config_id": "a"}}, "invalid_data"),
        ({"type": "ml_training", "metadata": {**RUN, "status": ""}}, "invalid_data"),
        ({"type": "ml_training", "metadata": {**RUN, "started_at": "yesterday"}}, "invalid_data"),
        ({"type": "ml_training", "metadata": {**RUN, "started_at": 1}}, "invalid_data"),
        ({"type": "ml_prediction", "metadata": {**RUN, "duration_seconds": -1}}, "invalid_data"),
        ({"type": "ml_prediction", "metadata": {**RUN, "duration_seconds": True}}, "invalid_data"),
        ({"type": "ml_prediction", "metadata": {**RUN, "duration_seconds": "1"}}, "invalid_data"),
        ({"type": "ml_prediction", "metadata": RUN, "content_type": "text/csv\r\nX-Evil: 1"}, "invalid_data"),
        ({"type": "ml_prediction", "metadata": RUN, "content_type": 1}, "invalid_data"),
        ({"type": "ml_prediction", "metadata": RUN, "content_size": -1}, "invalid_data"),
        ({"type": "ml_prediction", "metadata": RUN, "content_size": 1.5}, "invalid_data"),
    ],
    ids=lambda value: str(value)[:70],
)
def test_data_that_cannot_be_kept(cast: Cast, data: Any, code: str) -> None:
    with nothing_left_behind():
        refused(post(cast, {"project": "vision", "data": data}), 400, code)


def test_run_that_is_completed_before_it_is_started(cast: Cast) -> None:
    times = {"started_at": "2026-03-01T10:00:00+01:00", "completed_at": "2026-03-01T08:59:59"}
    with nothing_left_behind():
        body = {"project": "vision", "data": {"type": "ml_training", "metadata": {**RUN, **times}}}
        error = refused(post(cast, body), 400, "invalid_data")
    assert list(error["fields"]) == ["data.metadata.completed_at"]


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ('{"data": {"a": NaN}}', 400, "invalid_json"),
        ('{"data": {"a": 1e999}}', 400, "invalid_data"),
        ('{"data": {"a": "\\ud800"}}', 400, "invalid_data"),
        ('{"data": ' + '{"a":' * 101 + "1" + "}" * 102, 400, "invalid_data"),
        ('{"data": ' + "[" * 90_000 + "]" * 90_000 + "}", 400, "invalid_json"),
        ('{"data": {"a": "' + "x" * 2**20 + '"}}', 413, "too_large"),
        ('{"data": {}, "dta": 1}', 400, "unknown_field"),
        ('{"data": {}, "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}', 400, "unknown_field"),
        ("{}", 400, "invalid"),
        ("[]", 400, "invalid"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_body_that_cannot_be_read(cast: Cast, text: str, status: int, code: str) -> None:
    with nothing_left_behind(but=PERSONAL):
        refused(client_of(cast.bob).post("/v1/artifacts/", text, content_type="application/json"), status, code)


@pytest.mark.parametrize("data", ["", "{", "[]", "nothing", "NaN", '{"a": NaN}'])
def test_form_whose_data_are_no_json_object(cast: Cast, data: str) -> None:
    form = {"project": "vision", "data": data, "content": SimpleUploadedFile("a", b"bytes")}
    with nothing_left_behind():
        response = post(cast, form, format="multipart")
        refused(response, 400, response.json()["error"]["code"])
        assert response.json()["error"]["code"] in ("invalid", "invalid_json")


def test_data_come_back_as_they_were_sent(cast: Cast) -> None:
    text = '{"z":1.0,"a":{"y":1e300,"b":[]},"nul":"\\u0000","small":0.1,"large":123456789012345678901234567890,"ü":"€"}'
    sent = client_of(cast.bob).post("/v1/artifacts/", f'{{"data": {text}}}', content_type="application/json")
    assert sent.status_code == 201
    got = client_of(cast.bob).get(f"/v1/artifacts/{sent.json()['id']}/")
    kept = got.json()["data"]
    assert list(kept) == ["z", "a", "nul", "small", "large", "ü"]
    assert kept == sent.json()["data"]
    assert kept["nul"] == "\0"
    assert repr(kept["z"]) == "1.0"


@pytest.mark.parametrize("kind", ["ml_training", "ml_prediction"])
def test_data_of_a_run(cast: Cast, kind: str) -> None:
    times = {"started_at": "2026-03-01T09:00:00Z", "completed_at": "2026-03-01T09:00:12.500Z", "duration_seconds": 12.5}
    about = {"content": None, "content_type": "application/zip", "content_size": None}
    data = {"type": kind, "metadata": {**RUN, **times, "exit_code": 0}, **about}
    assert post(cast, {"project": "vision", "data": data}).json()["data"] == data


def test_times_of_a_run_may_be_null(cast: Cast) -> None:
    times = {"started_at": None, "completed_at": None, "duration_seconds": None}
    data = {"type": "ml_training", "metadata": {**RUN, **times}}
    assert post(cast, {"project": "vision", "data": data}).status_code == 201


@pytest.mark.parametrize(
    "data", [{}, {"type": "generic", "metadata": 5}, {"type": None}, {"name": "free", "content": [1]}]
)
def test_other_data_are_free(cast: Cast, data: dict[str, Any]) -> None:
    assert post(cast, {"project": "vision", "data": data}).json()["data"] == data


# --- Content


HELLO = b"hello"
HELLO_SHA = hashlib.sha256(HELLO).hexdigest()


def upload(cast: Cast, content: bytes) -> str:
    """Send bytes to the project `vision`; return their SHA-256."""
    client = client_of(cast.bob)
    (offer,) = client.post("/v1/projects/vision/uploads/", [{"size": len(content)}]).json()
    return client.generic("PUT", offer["href"].removeprefix("http://testserver"), content).json()["sha256"]


def test_bytes_are_sent_to_a_project_first(cast: Cast) -> None:
    client, wanted = client_of(cast.bob), [{"size": 5, "sha256": HELLO_SHA}]
    (offer,) = client.post("/v1/projects/vision/uploads/", wanted).json()
    assert (offer["id"], offer["status"]) == (UUID, "missing")
    href = offer["href"].removeprefix("http://testserver")
    assert client.generic("PUT", href, b"other").json()["error"]["code"] == "digest_mismatch"
    assert client.generic("PUT", href, HELLO).json()["sha256"] == HELLO_SHA
    assert client.post("/v1/projects/vision/uploads/", wanted).json() == [
        {"sha256": HELLO_SHA, "size": 5, "status": "stored"}
    ]
    assert Upload.objects.get().model is None


def test_content_by_digest(cast: Cast) -> None:
    upload(cast, HELLO)
    named = {"sha256": HELLO_SHA, "content_type": "text/plain"}
    answer = post(cast, {"project": "vision", "data": {}, "content": named}).json()
    assert answer["content"] == {"sha256": HELLO_SHA, "size": 5, "content_type": "text/plain"}
    alone = post(cast, {"project": "vision", "data": {"content_type": "text/plain"}, "content": HELLO_SHA}).json()
    assert alone["content"] == answer["content"]


def test_content_in_a_form(cast: Cast) -> None:
    file = SimpleUploadedFile("table.csv", HELLO, "text/csv")
    answer = post(cast, {"project": "vision", "data": '{"rows": 1}', "content": file}, format="multipart").json()
    assert answer["data"] == {"rows": 1}
    assert answer["content"] == {"sha256": HELLO_SHA, "size": 5, "content_type": "text/csv"}
    assert Blob.objects.get().pk == HELLO_SHA


def test_content_is_marked_as_used(cast: Cast) -> None:
    upload(cast, HELLO)
    Blob.objects.update(used_at="2020-01-01T00:00:00Z")
    post(cast, {"project": "vision", "data": {}, "content": HELLO_SHA})
    assert Blob.objects.get().used_at.year > 2020


@pytest.mark.parametrize("known", [True, False])
def test_naming_bytes_that_one_may_not_read_is_the_same_error_as_naming_unknown_ones(cast: Cast, known: bool) -> None:
    if known:
        theirs = create_model(actor=cast.charlie, project=create_project(actor=cast.charlie, name="secret"), name="m")
        publish(cast.charlie, theirs, {"a": HELLO})
    body = {"project": "vision", "data": {}, "content": HELLO_SHA}
    with nothing_left_behind():
        assert refused(post(cast, body), 400, "unknown_blob")["fields"] == {"content": [HELLO_SHA]}


def test_content_of_an_artifact_is_read_by_those_who_see_its_project_alone(cast: Cast) -> None:
    upload(cast, HELLO)
    post(cast, {"project": "vision", "data": {}, "content": HELLO_SHA})
    Upload.objects.all().delete()
    with nothing_left_behind(but=PERSONAL):
        response = client_of(cast.charlie).post("/v1/artifacts/", {"data": {}, "content": HELLO_SHA})
        refused(response, 400, "unknown_blob")
    (offer,) = client_of(cast.charlie).post("/v1/projects/charlie/uploads/", [{"size": 5, "sha256": HELLO_SHA}]).json()
    assert offer["status"] == "missing"
    assert client_of(cast.dave).post("/v1/artifacts/", {"data": {}, "content": HELLO_SHA}).status_code == 201


def test_blob_that_is_being_deleted_is_not_taken(cast: Cast) -> None:
    upload(cast, HELLO)
    Blob.objects.update(state=Blob.State.DELETING)
    with nothing_left_behind():
        refused(post(cast, {"project": "vision", "data": {}, "content": HELLO_SHA}), 400, "unknown_blob")


@pytest.mark.parametrize(
    ("content", "data", "code"),
    [
        ("abc", {}, "invalid_digest"),
        (HELLO_SHA.upper(), {}, "invalid_digest"),
        ({"sha256": "0" * 64}, {}, "unknown_blob"),
        ({"sha256": HELLO_SHA, "content_type": "text"}, {}, "invalid_content_type"),
        ({"sha256": HELLO_SHA, "content_type": "text/csv\r\nX-Evil: 1"}, {}, "invalid_content_type"),
        ({"sha256": HELLO_SHA, "content_type": "text/" + "x" * 200}, {}, "invalid_content_type"),
        (HELLO_SHA, {"content_type": 7}, "invalid_content_type"),
        (HELLO_SHA, {"content_size": 6}, "size_mismatch"),
        (HELLO_SHA, {"content": [1]}, "two_contents"),
        ({"content_type": "text/csv"}, {}, "invalid"),
        ({"sha256": HELLO_SHA, "path": "a"}, {}, "invalid"),
        ({"sha256": 1}, {}, "invalid"),
        ([HELLO_SHA], {}, "invalid"),
        (5, {}, "invalid"),
    ],
    ids=str,
)
def test_content_that_is_not_what_it_says(cast: Cast, content: Any, data: dict[str, Any], code: str) -> None:
    upload(cast, HELLO)
    with nothing_left_behind():
        refused(post(cast, {"project": "vision", "data": data, "content": content}), 400, code)


@pytest.mark.parametrize("data", ['{"content_size": 6}', '{"content": 1}', '{"type": "nothing"}'])
def test_form_with_data_that_its_bytes_belie_keeps_no_byte(cast: Cast, data: str) -> None:
    form = {"project": "vision", "data": data, "content": SimpleUploadedFile("a", HELLO)}
    with nothing_left_behind():
        assert post(cast, form, format="multipart").status_code == 400


@pytest.mark.parametrize("files", [["content", "content"], ["contents"], ["data"]])
def test_form_with_files_that_do_not_belong_there(cast: Cast, files: list[str]) -> None:
    form: dict[str, Any] = {"project": "vision", "data": "{}"}
    for name in files:
        form[name] = [SimpleUploadedFile("a", HELLO) for _ in range(files.count(name))]
    with nothing_left_behind():
        assert post(cast, form, format="multipart").status_code == 400


def test_nothing_is_written_into_a_project_that_was_deleted_meanwhile(cast: Cast) -> None:
    """It was looked up while it was still there, and so was the right."""
    there = chain(cast, 1)[0]
    trash.delete(actor=cast.alice, row=Project.objects.get(pk=cast.project.pk))
    assert there.project.trashed_at is None
    with nothing_left_behind():
        with pytest.raises(Hierarchy.DoesNotExist):
            artifacts.replace_artifact(actor=cast.bob, artifact=there, recording=Recording({"n": 1}))
        with pytest.raises(Hierarchy.DoesNotExist):
            artifacts.delete_artifact(actor=cast.bob, artifact=there)
        with pytest.raises(Hierarchy.DoesNotExist), transaction.atomic():  # as what is recorded stands in one
            hierarchies.lock(there.hierarchy)


def test_outsiders_form_is_not_kept(cast: Cast) -> None:
    form = {"project": "vision", "data": "{}", "content": SimpleUploadedFile("a", HELLO)}
    with nothing_left_behind():
        refused(client_of(cast.charlie).post("/v1/artifacts/", form, format="multipart"), 404, "not_found")
        form["content"].seek(0)
        refused(client_of(cast.dave).post("/v1/artifacts/", form, format="multipart"), 403, "role_too_low")


# --- A version


def test_version_that_an_artifact_stands_for(cast: Cast) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"}, tag="release")
    answer = post(cast, {"project": "vision", "data": {}, "version": "vision/classifier@release"}).json()
    assert answer["version"] == "vision/classifier@1"


@pytest.mark.parametrize(
    "text",
    ["secret/plans@1", "secret/plans@2", "nothing/plans@1", "vision/classifier@9", "vision", "@", "a/b", "x@1", "ſ"],
)
def test_version_that_is_not_there_or_not_for_the_caller(cast: Cast, text: str) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})
    secret = create_project(actor=cast.charlie, name="secret")
    publish(cast.charlie, create_model(actor=cast.charlie, project=secret, name="plans"), {"a": b"2"})
    with nothing_left_behind():
        error = refused(post(cast, {"project": "vision", "data": {}, "version": text}), 400, "unknown_version")
    assert error["message"] == f"There is no version “{text}” that you may see. Write it as project/model@revision."


def test_version_of_a_project_that_the_reader_may_not_see_is_not_named(cast: Cast) -> None:
    publish(
        cast.bob,
        create_model(actor=cast.bob, project=create_project(actor=cast.bob, name="own"), name="m"),
        {"a": b"1"},
    )
    made = post(cast, {"project": "vision", "data": {}, "version": "own/m@1"}).json()
    assert made["version"] == "own/m@1"
    assert client_of(cast.dave).get(f"/v1/artifacts/{made['id']}/").json() == {**made, "version": None}


# --- Recorded, shown, changed


def test_recorded_root_and_child(cast: Cast, pipeline: Hierarchy) -> None:
    root = post(cast, {"project": "vision", "hierarchy": "pipeline", "data": {"name": "first"}})
    assert root.status_code == 201
    assert root.json() == {
        "id": ID,
        "parent_id": None,
        "level": 0,
        "data": {"name": "first"},
        "created_at": JUST_NOW,
        "updated_at": JUST_NOW,
        "project": "vision",
        "hierarchy": "pipeline",
        "content": None,
        "version": None,
        "created_by": "bob",
    }
    child = post(cast, {"parent_id": root.json()["id"], "data": {}}).json()
    assert (child["parent_id"], child["level"], child["hierarchy"]) == (root.json()["id"], 1, "pipeline")
    client = client_of(cast.dave)
    assert client.get(f"/v1/artifacts/{child['id']}/").json() == child
    assert client.get(f"/v1/artifacts/{child['id'].lower()}/").json() == child


def test_root_without_a_place_goes_to_the_personal_project(cast: Cast) -> None:
    answer = post(cast, {"data": {}}).json()
    assert (answer["project"], answer["hierarchy"], answer["level"]) == ("bob", "default", 0)
    assert Project.objects.get(name="bob").personal_of == cast.bob
    assert Hierarchy.objects.get().level_labels == {}


def test_put_replaces_the_data_and_keeps_what_it_does_not_name(cast: Cast, pipeline: Hierarchy) -> None:
    upload(cast, HELLO)
    publish(cast.bob, cast.model(), {"a": b"1"})
    root = record(cast)
    named = {"parent_id": root.pk, "content": HELLO_SHA, "version": "vision/classifier@1"}
    made = post(cast, {"data": {"old": 1}, **named}).json()
    changed = put(cast, made["id"], {"data": {"new": 2}})
    assert changed.status_code == 200
    assert changed.json() == {**made, "data": {"new": 2}, "updated_at": JUST_NOW}
    assert changed.json()["updated_at"] > made["updated_at"]
    cleared = put(cast, made["id"], {"data": {}, "content": None, "version": None, "parent_id": None}).json()
    assert (cleared["content"], cleared["version"], cleared["parent_id"], cleared["level"]) == (None, None, None, 0)


def test_put_with_other_bytes_in_a_form(cast: Cast) -> None:
    made = post(cast, {"project": "vision", "data": {}}).json()
    form = {"data": '{"n": 1}', "content": SimpleUploadedFile("a.txt", HELLO, "text/plain")}
    answer = put(cast, made["id"], form, format="multipart").json()
    assert answer["content"] == {"sha256": HELLO_SHA, "size": 5, "content_type": "text/plain"}
    with nothing_left_behind():
        refused(put(cast, made["id"], {"data": {"content": 1}}), 400, "two_contents")


def test_moved_artifact_takes_what_is_below_it_to_its_levels(cast: Cast) -> None:
    line, other = chain(cast, 4), chain(cast, 3)
    answer = put(cast, line[1].pk, {"data": {}, "parent_id": other[2].pk}).json()
    assert (answer["parent_id"], answer["level"]) == (other[2].pk, 3)
    assert [Artifact.objects.get(pk=one.pk).level for one in line] == [0, 3, 4, 5]
    put(cast, line[1].pk, {"data": {}, "parent_id": None})
    assert [Artifact.objects.get(pk=one.pk).level for one in line] == [0, 0, 1, 2]


def test_move_that_would_push_the_deepest_out_of_the_hierarchy(cast: Cast, pipeline: Hierarchy) -> None:
    root, other = record(cast), record(cast)
    record(cast, record(cast, root))
    with nothing_left_behind():
        refused(put(cast, root.pk, {"data": {}, "parent_id": other.pk}), 400, "level_not_in_hierarchy")
    assert Artifact.objects.get(pk=root.pk).level == 0


def test_every_write_is_told_in_the_log(cast: Cast, pipeline: Hierarchy) -> None:
    made = record(cast, name="a")
    put(cast, made.pk, {"data": {"name": "b"}})
    client_of(cast.bob).delete(f"/v1/artifacts/{made.pk}/")
    log = list(Event.objects.filter(project=cast.project).values_list("action", "subject")[:4])
    assert log == [
        ("artifact.deleted", made.pk),
        ("artifact.changed", made.pk),
        ("artifact.recorded", made.pk),
        ("hierarchy.created", "vision: pipeline"),
    ]
    changed = Event.objects.get(action="artifact.changed")
    digests = [hashlib.sha256(text).hexdigest() for text in (b'{"name":"a"}', b'{"name":"b"}')]
    assert [changed.before, changed.after] == [{"data_sha256": digest} for digest in digests]


def test_log_does_not_name_a_version_that_its_readers_may_not_see(cast: Cast) -> None:
    secret = create_model(actor=cast.bob, project=create_project(actor=cast.bob, name="own"), name="hidden")
    version = publish(cast.bob, secret, {"a": b"1"})
    made = post(cast, {"project": "vision", "data": {}, "version": "own/hidden@1"}).json()
    put(cast, made["id"], {"data": {}, "version": None})
    told = client_of(cast.carol).get("/v1/projects/vision/events/").json()["results"][:2]
    assert [one["action"] for one in told] == ["artifact.changed", "artifact.recorded"]
    assert told[0]["before"] == {"version": version.digest}
    assert told[1]["after"]["version"] == version.digest
    assert "hidden" not in str(told)


# --- Lists, trees, parts


def test_list_is_paged_as_asked(cast: Cast, pipeline: Hierarchy) -> None:
    roots = [record(cast, n=n) for n in range(3)]
    ids = sorted(root.pk for root in roots)
    client = client_of(cast.dave)
    answer = client.get("/v1/artifacts/?page=2&size=2").json()
    assert [item["id"] for item in answer.pop("items")] == ids[2:]
    assert answer == {"total": 3, "page": 2, "size": 2, "pages": 2}
    assert client.get("/v1/artifacts/?page=9").json() == {"items": [], "total": 3, "page": 9, "size": 50, "pages": 1}
    empty = {"items": [], "total": 0, "page": 1, "size": 50, "pages": 0}
    assert client_of(cast.charlie).get("/v1/artifacts/").json() == empty
    assert client_of(None).get("/v1/artifacts/").json() == empty


@pytest.mark.parametrize(
    "said", ["page=0", "page=-1", "page=x", "page=", "page=1.5", "page=99999999999", "size=0", "size=201", "size=٣"]
)
def test_pages_that_are_none(cast: Cast, said: str) -> None:
    refused(client_of(cast.bob).get(f"/v1/artifacts/?{said}"), 400, "invalid")


def test_list_is_filtered(cast: Cast, pipeline: Hierarchy) -> None:
    root, plain = record(cast), chain(cast, 1)[0]
    child, own = record(cast, root), artifacts.record_artifact(actor=cast.bob, recording=Recording(data={}))

    def found(query: str) -> set[str]:
        return {item["id"] for item in client_of(cast.bob).get(f"/v1/artifacts/?{query}").json()["items"]}

    assert found("project=vision") == {root.pk, plain.pk, child.pk}
    assert found("project=bob") == {own.pk}
    assert found("hierarchy=pipeline") == {root.pk, child.pk}
    assert found("parent_id=null") == {root.pk, plain.pk, own.pk}
    assert found(f"parent_id={root.pk.lower()}&project=vision") == {child.pk}
    assert found("parent_id=nonsense") == set()
    refused(client_of(cast.charlie).get("/v1/artifacts/?project=vision"), 404, "not_found")


def test_list_has_a_fixed_number_of_queries(cast: Cast, pipeline: Hierarchy) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"})

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            client_of(cast.bob).get("/v1/artifacts/")
        return len(seen)

    record(cast)
    one = queries()
    for _ in range(5):
        post(cast, {"project": "vision", "data": {}, "version": "vision/classifier@1"})
    assert queries() == one


def test_tree_is_nested(cast: Cast, pipeline: Hierarchy) -> None:
    root = record(cast, name="root")
    first, second = record(cast, root, name="first"), record(cast, root, name="second")
    leaf = record(cast, first, name="leaf")
    client = client_of(cast.dave)

    def shown(one: Artifact, *children: Any) -> dict[str, Any]:
        return client.get(f"/v1/artifacts/{one.pk}/$expand/").json() | {"children": list(children)}

    below = sorted([shown(first, shown(leaf)), shown(second)], key=lambda node: node["id"])
    assert client.post("/v1/artifacts/$tree", {"root_id": root.pk}).json() == shown(root, *below)
    assert client.get(f"/v1/artifacts/{root.pk}/$tree").json() == shown(root, *below)
    assert client.post("/v1/artifacts/$tree", {"root_id": first.pk}).json() == shown(first, shown(leaf))
    assert client.post("/v1/artifacts/$tree", {"root_id": root.pk, "max_depth": 0}).json() == shown(root)
    short = sorted([shown(first), shown(second)], key=lambda node: node["id"])
    assert client.post("/v1/artifacts/$tree", {"root_id": root.pk, "max_depth": 1}).json() == shown(root, *short)
    assert client.get(f"/v1/artifacts/{root.pk}/$tree?max_depth=1").json() == shown(root, *short)
    assert client.post("/v1/artifacts/$tree", {"root_id": leaf.pk, "max_depth": None}).json() == shown(leaf)


@pytest.mark.parametrize("address", ["$tree", "$tree/", "%24tree", "%24tree/"])
@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
def test_dollar_is_spelled_as_programs_spell_it(cast: Cast, prefix: str, address: str) -> None:
    root = chain(cast, 1)[0].pk
    client = client_of(cast.bob)
    assert client.post(f"{prefix}/artifacts/{address}", {"root_id": root}).json()["id"] == root
    assert client.get(f"{prefix}/artifacts/{root}/{address}").json()["children"] == []


def test_tree_is_one_query(cast: Cast) -> None:
    line = chain(cast, 20)
    with CaptureQueriesContext(connection) as seen:
        found = artifacts.tree_of(actor=cast.bob, root=line[0], depth=None)
    assert [one.pk for one in found] == [one.pk for one in line]
    assert len(seen) == 1


def test_deepest_tree_can_be_read(cast: Cast) -> None:
    line = chain(cast, 100)
    node, depth = client_of(cast.bob).post("/v1/artifacts/$tree", {"root_id": line[0].pk}).json(), 1
    while node["children"]:
        (node,), depth = node["children"], depth + 1
    assert depth == 100


def test_tree_that_is_too_large_says_how_to_get_a_part(cast: Cast) -> None:
    root = chain(cast, 1)[0]
    Artifact.objects.bulk_create(
        Artifact(
            id=ulid(milliseconds=n, randomness=bytes(10)), project=root.project, hierarchy=root.hierarchy,
            parent=root, level=1, created_by=cast.bob,
        )
        for n in range(10_000)
    )  # fmt: skip
    client = client_of(cast.bob)
    error = refused(client.post("/v1/artifacts/$tree", {"root_id": root.pk}), 400, "tree_too_large")
    assert "max_depth" in error["message"]
    assert client.post("/v1/artifacts/$tree", {"root_id": root.pk, "max_depth": 0}).status_code == 200
    Artifact.objects.filter(pk=ulid(milliseconds=0, randomness=bytes(10))).delete()
    assert len(client.post("/v1/artifacts/$tree", {"root_id": root.pk}).json()["children"]) == 9_999


def test_tree_whose_data_are_too_much(cast: Cast) -> None:
    root = chain(cast, 1)[0]
    Artifact.objects.bulk_create(
        Artifact(
            id=ulid(milliseconds=n, randomness=bytes(10)), project=root.project, hierarchy=root.hierarchy,
            parent=root, level=1, created_by=cast.bob, data={"a": "x" * 65_000},
        )
        for n in range(260)
    )  # fmt: skip
    refused(client_of(cast.bob).post("/v1/artifacts/$tree", {"root_id": root.pk}), 400, "tree_too_large")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"root_id": 5},
        {"root_id": None},
        {"root_id": MISSING, "max_depth": -1},
        {"root_id": MISSING, "depth": 1},
        [],
    ],
)
def test_tree_that_is_not_asked_for_properly(cast: Cast, body: Any) -> None:
    response = client_of(cast.bob).post("/v1/artifacts/$tree", body)
    assert response.status_code in (400, 404)
    assert response.json()["error"]["code"] in ("invalid", "unknown_field", "not_found")


def test_tree_of_another_project_is_not_there(cast: Cast) -> None:
    root = chain(cast, 1)[0]
    there = client_of(cast.charlie).post("/v1/artifacts/$tree", {"root_id": root.pk})
    missing = client_of(cast.charlie).post("/v1/artifacts/$tree", {"root_id": MISSING})
    assert refused(there, 404, "not_found") == refused(missing, 404, "not_found")


def test_anonymous_reads_the_trees_of_a_public_project(cast: Cast) -> None:
    root = chain(cast, 2)[0]
    refused(client_of(None).post("/v1/artifacts/$tree", {"root_id": root.pk}), 401, "not_authenticated")
    update_project(actor=cast.alice, project=cast.project, visibility=Visibility.PUBLIC)
    answer = client_of(None).post("/v1/artifacts/$tree", {"root_id": root.pk})
    assert len(answer.json()["children"]) == 1
    assert client_of(None).get("/v1/artifacts/").json()["total"] == 2


def test_artifacts_of_a_trashed_project_are_not_seen(cast: Cast) -> None:
    root = chain(cast, 1)[0]
    Project.objects.filter(pk=cast.project.pk).update(trashed_at=root.created_at)
    refused(client_of(cast.bob).get(f"/v1/artifacts/{root.pk}/"), 404, "not_found")
    assert client_of(cast.bob).get("/v1/artifacts/").json()["total"] == 0


def test_expanded_artifact_has_the_label_of_its_level(cast: Cast, pipeline: Hierarchy) -> None:
    child, plain = record(cast, record(cast)), chain(cast, 1)[0]
    client = client_of(cast.dave)
    base = client.get(f"/v1/artifacts/{child.pk}/").json()
    expanded = client.get(f"/v1/artifacts/{child.pk}/$expand").json()
    assert expanded == base | {"level_label": "model", "hierarchy": "pipeline"}
    assert client.get(f"/v1/artifacts/{plain.pk}/$expand").json()["level_label"] is None


def test_metadata_is_what_stands_in_the_data(cast: Cast) -> None:
    run = post(cast, {"project": "vision", "data": {"type": "ml_training", "metadata": RUN}}).json()
    bare = post(cast, {"project": "vision", "data": {}}).json()
    client = client_of(cast.dave)
    assert client.get(f"/v1/artifacts/{run['id']}/$metadata").json() == RUN
    assert client.get(f"/v1/artifacts/{bare['id']}/$metadata").json() == {}


# --- Hierarchies


def test_hierarchies_are_made_and_listed(cast: Cast) -> None:
    client = client_of(cast.bob)
    made = client.post(
        "/v1/projects/vision/hierarchies/", {"name": "pipeline", "level_labels": dict(reversed(LABELS.items()))}
    )
    shown = {"name": "pipeline", "project": "vision", "level_labels": LABELS, "created_at": JUST_NOW}
    assert (made.status_code, made.json()) == (201, shown)
    page = {"count": 1, "next": None, "previous": None, "results": [shown]}
    assert client_of(cast.dave).get("/v1/projects/vision/hierarchies/").json() == page
    refused(
        client.post("/v1/projects/vision/hierarchies/", {"name": "pipeline", "level_labels": {"0": "a"}}),
        409,
        "name_taken",
    )


@pytest.mark.parametrize(
    ("name", "labels", "code"),
    [
        ("default", {"0": "a"}, "reserved_name"),
        ("a\x07b", {"0": "a"}, "invalid_name"),
        ("x" * 101, {"0": "a"}, "invalid"),
        ("h", {"1": "a"}, "invalid_level_labels"),
        ("h", {"0": "a", "2": "b"}, "invalid_level_labels"),
        ("h", {"00": "a"}, "invalid_level_labels"),
        ("h", {"٠": "a"}, "invalid_level_labels"),
        ("h", {"-1": "a", "0": "b"}, "invalid_level_labels"),
        ("h", {str(n): "a" for n in range(51)}, "invalid_level_labels"),
        ("h", {"0": "x" * 101}, "invalid_level_labels"),
        ("h", {"0": "  "}, "invalid_level_labels"),
        ("h", {"0": "a\nb"}, "invalid_level_labels"),
        ("h", {"0": ""}, "invalid"),
        ("h", {"0": None}, "invalid"),
        ("h", {"0": ["a"]}, "invalid"),
        ("h", ["a"], "invalid"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_hierarchies_that_cannot_be(cast: Cast, name: str, labels: Any, code: str) -> None:
    with nothing_left_behind():
        body = {"name": name, "level_labels": labels}
        refused(client_of(cast.bob).post("/v1/projects/vision/hierarchies/", body), 400, code)


def test_hierarchy_without_labels_takes_any_depth(cast: Cast) -> None:
    client_of(cast.bob).post("/v1/projects/vision/hierarchies/", {"name": "free", "level_labels": {}})
    assert chain(cast, 5, hierarchy="free")[-1].level == 4


# --- Ids


def test_ulids_are_those_of_the_specification() -> None:
    assert ulid(milliseconds=0, randomness=bytes(10)) == "0" * 26
    assert ulid(milliseconds=2**48 - 1, randomness=b"\xff" * 10) == "7" + "Z" * 25
    assert ulid(milliseconds=1469918176385, randomness=bytes(10))[:10] == "01ARYZ6S41"  # the example of the spec
    with pytest.raises(OverflowError):
        ulid(milliseconds=2**48, randomness=bytes(10))


def test_later_ulids_sort_behind_earlier_ones() -> None:
    made = [ulid(milliseconds=n, randomness=bytes([255 - n]) * 10) for n in range(100)]
    assert made == sorted(made)


def test_ulids_are_read_in_any_case() -> None:
    assert normal(MISSING.lower()) == MISSING
    for text in ("", MISSING[:-1], MISSING + "0", "8" + "0" * 25, "0" * 25 + "U", "0" * 25 + "ſ"):
        with pytest.raises(ValueError, match="no ULID"):
            normal(text)
