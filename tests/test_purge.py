"""Purging: of a version its number, digest and parents are left; what others need of it stays whole."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.db import Error, connection, transaction

from registry.digests import EMPTY
from registry.errors import Conflict
from registry.models import (
    Artifact,
    Derivation,
    Event,
    Hierarchy,
    IdempotencyKey,
    Invitation,
    Membership,
    Metric,
    Occurrence,
    Project,
    Ref,
    RefMove,
    RegisteredModel,
    Role,
    Upload,
    Version,
)
from registry.services import garbage, purging, trash
from registry.services.alone import run_alone
from registry.services.members import invite
from registry.services.metrics import Measured
from registry.services.refs import Move, delete_ref, set_ref
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, client_of, publish, send
from tests.housekeeping import (
    AT_ONCE,
    check_integrity,
    digest_of,
    is_kept,
    let_grace_pass,
    let_trash_days_pass,
    purge,
)
from tests.matchers import SHA256, refused

MODEL = "/v1/projects/vision/models/classifier/"


def version(number: int) -> Version:
    return Version.objects.select_related("model__project").get(model__name="classifier", number=number)


def first_versions(model: RegisteredModel) -> dict[str, int]:
    """Path and first letters of the digest → the version that brought it."""
    rows = Occurrence.objects.filter(model=model).values_list("path", "digest", "first_version__number")
    return {f"{path} {digest[:6]}": number for path, digest, number in rows}


def place(path: str, content: bytes) -> str:
    return f"{path} {digest_of(content)[:6]}"


def test_purged_version_keeps_number_digest_and_parents_alone(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    scans = cast.model("scans")
    publish(cast.bob, scans, {"page": b"0"})
    publication = Publication(
        files=[File("b/c", send(cast.bob, model, b"2"))],
        derived_from=["vision/scans@1"],
        message="secret\nsecret too",
        metadata={"secret": 1},
        metrics=[Measured("loss", 0.5), Measured("loss", 0.4, 1)],
        idempotency_key="secret",
    )
    second, _ = publish_version(actor=cast.bob, model=model, publication=publication)
    publish(cast.bob, model, {"a": b"3"}, base="empty")
    publish(cast.bob, scans, {"labels": b"0"}, derived_from=["vision/classifier@2"])
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "2", comment="the best"))
    delete_ref(actor=cast.carol, model=model, kind="alias", name="production")
    before = version(2)
    purge(cast.carol, second)
    left = version(2)
    assert (left.number, left.digest, left.author, left.created_at) == (2, before.digest, cast.bob, before.created_at)
    assert [parent.number for parent in left.parents] == [1]
    assert (left.message, left.metadata, left.tree_id) == ("", {}, EMPTY)
    assert left.purged_at
    assert not Metric.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert list(Derivation.objects.values_list("source__model__name", "source__number")) == [("classifier", 2)]
    assert set(first_versions(model)) == {place("a", b"1"), place("a", b"3")}
    assert list(RefMove.objects.filter(to_version=left).values_list("name", "comment")) == [
        ("production", "the best"),
        ("main", ""),
    ]
    event = Event.objects.first()
    assert (event.action, event.subject, event.actor) == ("version.purged", "vision/classifier v2", None)
    assert client_of(cast.dave).get(f"{MODEL}versions/3/").json()["parents"] == [{"number": 2, "digest": SHA256}]
    check_integrity()


def test_what_is_younger_in_the_trash_stays(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    publish(cast.bob, model, {"a": b"2"})
    trash.delete(actor=cast.carol, row=version(1))
    garbage.collect(grace=AT_ONCE)
    assert version(1).purged_at is None
    assert client_of(cast.carol).post(f"{MODEL}versions/1/undelete/").status_code == 200
    assert b"".join(client_of(cast.dave).get(f"{MODEL}versions/1/files/a").streaming_content) == b"1"


def test_purged_version_is_gone_and_its_number_stays_taken(cast: Cast, model: RegisteredModel) -> None:
    for content in (b"1", b"2"):
        publish(cast.bob, model, {"a": content})
    purge(cast.carol, version(1))
    carol = client_of(cast.carol)
    refused(carol.get(f"{MODEL}versions/1/"), 404, "not_found")
    refused(carol.post(f"{MODEL}versions/1/undelete/"), 410, "purged")
    refused(client_of(cast.bob).post(f"{MODEL}versions/1/undelete/"), 404, "not_found")
    assert carol.get(f"{MODEL}trash/").json()["results"] == []
    assert publish(cast.bob, model, {"a": b"3"}).number == 3


def test_places_go_to_the_oldest_version_that_has_them(cast: Cast, model: RegisteredModel) -> None:
    files = {"stays/deep/a": b"a", "stays/deep/b": b"b", "goes": b"g", "comes back": b"c", "same": b"s"}
    publish(cast.bob, model, files)
    publish(cast.bob, model, {"same": b"other"}, remove=["comes back", "goes", "stays/deep/b"])
    publish(cast.bob, model, {"comes back": b"c", "stays/deep/b": b"b"})
    publish(cast.bob, model, {"same": b"s"})
    purge(cast.carol, version(1))
    found = first_versions(model)
    assert found[place("stays/deep/a", b"a")] == 2
    assert found[place("comes back", b"c")] == 3
    assert found[place("stays/deep/b", b"b")] == 3
    assert found[place("same", b"s")] == 4
    assert place("goes", b"g") not in found
    check_integrity()
    page = client_of(cast.dave).get(f"{MODEL}versions/4/tree/stays/deep/").json()["results"]
    assert [(entry["name"], entry["version"]) for entry in page] == [("a", 2), ("b", 3)]


def test_version_in_the_trash_keeps_what_it_shares(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"shared", "b": b"1"})
    publish(cast.bob, model, {"b": b"2"})
    publish(cast.bob, model, {"a": b"3"}, base="empty")
    trash.delete(actor=cast.carol, row=version(2))
    purge(cast.carol, version(1))
    let_grace_pass()
    garbage.collect()
    assert is_kept(b"shared")
    assert not is_kept(b"1")
    assert client_of(cast.carol).post(f"{MODEL}versions/2/undelete/").status_code == 200
    check_integrity()


def test_several_purged_at_once_hand_nothing_to_each_other(cast: Cast, model: RegisteredModel) -> None:
    for number in range(6):
        publish(cast.bob, model, {"same/file": b"shared", f"own/{number}": b"%d" % number, "n": b"n%d" % number})
    purge(cast.carol, *(version(number) for number in (1, 2, 4)))
    assert set(first_versions(model).values()) == {3, 5, 6}
    assert first_versions(model)[place("same/file", b"shared")] == 3
    check_integrity()


def test_cut_off_purge_is_finished_by_the_next_run(cast: Cast, model: RegisteredModel) -> None:
    for content in (b"1", b"2"):
        publish(cast.bob, model, {"a": content, "b": b"both"})
    row = trash.delete(actor=cast.carol, row=version(1))
    purging.empty(Version.objects.filter(pk=row.pk))  # as far as a run gets that dies before the places
    check_integrity()
    garbage.collect()
    assert first_versions(model)[place("b", b"both")] == 2
    assert place("a", b"1") not in first_versions(model)
    check_integrity()


def test_purged_model_is_a_name_that_stays_taken(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"}, alias="production", tag="first")
    publish(cast.bob, model, {"a": b"2"})
    report = purge(cast.carol, model)
    assert (report.purged["vision"].models, report.purged["vision"].versions) == (1, 2)
    assert (report.purged["vision"].files, report.purged["vision"].bytes) == (2, 2)
    assert Version.objects.filter(purged_at=None).count() == 0
    assert not Ref.objects.exists()
    assert not Occurrence.objects.exists()
    assert not Upload.objects.exists()
    carol = client_of(cast.carol)
    refused(carol.post("/v1/projects/vision/models/", {"name": "classifier"}), 400, "name_taken")
    refused(carol.post(f"{MODEL}undelete/"), 410, "purged")
    refused(carol.get(MODEL), 404, "not_found")
    let_grace_pass()
    garbage.collect()
    assert not is_kept(b"1")
    assert not is_kept(b"2")


def test_purged_project_is_a_name_that_stays_taken(
    cast: Cast, model: RegisteredModel, django_capture_on_commit_callbacks
) -> None:
    publish(cast.bob, model, {"a": b"1"})
    invite(actor=cast.alice, project=cast.project, email="erin@example.org", role=Role.VIEWER)
    hierarchy = Hierarchy.objects.create(project=cast.project, name="default")
    facts = {"project": cast.project, "hierarchy": hierarchy, "created_by": cast.alice}
    root = Artifact.objects.create(id="1", **facts)
    Artifact.objects.create(id="2", parent=root, level=1, content_id=digest_of(b"1"), **facts)
    purge(cast.alice, cast.project)
    for rows in (Membership, Invitation, Upload, Artifact, Hierarchy, Occurrence, Ref):
        assert not rows.objects.filter(**({"model": model} if rows in (Occurrence, Ref) else {"project": cast.project})).exists()  # fmt: skip
    assert Project.objects.get(name="vision").purged_at
    assert RegisteredModel.objects.get().purged_at
    assert Version.objects.get().purged_at
    alice = client_of(cast.alice)
    refused(alice.post("/v1/projects/vision/undelete/"), 410, "purged")
    refused(client_of(cast.carol).post("/v1/projects/vision/undelete/"), 404, "not_found")
    refused(alice.post("/v1/projects/", {"name": "vision"}), 400, "name_taken")
    assert alice.get("/v1/trash/").json()["results"] == []
    assert [event.action for event in Event.objects.filter(project=cast.project)[:3]] == [
        "version.purged",
        "model.purged",
        "project.purged",
    ]


def test_bytes_that_another_project_has_too_stay(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"shared"})
    client_of(cast.bob).post("/v1/projects/bob/models/", {"name": "mine"})
    publish(cast.bob, RegisteredModel.objects.get(name="mine"), {"x": b"shared"})
    purge(cast.alice, cast.project)
    let_grace_pass()
    garbage.collect()
    assert is_kept(b"shared")
    check_integrity()


def test_artifact_keeps_its_link_to_a_purged_version(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    publish(cast.bob, model, {"a": b"2"})
    hierarchy = Hierarchy.objects.create(project=cast.project, name="default")
    Artifact.objects.create(
        id="1", project=cast.project, hierarchy=hierarchy, created_by=cast.alice, version=version(1)
    )
    digest = version(1).digest
    purge(cast.carol, version(1))
    assert Artifact.objects.get().version.digest == digest


def test_administrator_purges_at_once(cast: Cast, model: RegisteredModel) -> None:
    for content in (b"1", b"2"):
        publish(cast.bob, model, {"a": content})
    row = trash.delete(actor=cast.carol, row=version(1))
    with pytest.raises(PermissionDenied):
        purging.purge_now(actor=cast.alice, row=row)
    cast.alice.is_superuser = True
    assert purging.purge_now(actor=cast.alice, row=row)
    assert version(1).purged_at
    assert (Event.objects.first().action, Event.objects.first().actor) == ("version.purged", cast.alice)
    check_integrity()


def test_administrator_waits_for_the_collector(cast: Cast, model: RegisteredModel) -> None:
    """Which has found out who holds a place, and counts on it."""
    for content in (b"1", b"2"):
        publish(cast.bob, model, {"a": content})
    row = trash.delete(actor=cast.carol, row=version(1))
    cast.alice.is_superuser = True
    with run_alone("collect"), pytest.raises(Conflict) as refusal:
        purging.purge_now(actor=cast.alice, row=row)
    assert refusal.value.code == "another_run"
    assert version(1).purged_at is None
    assert purging.purge_now(actor=cast.alice, row=row)


@pytest.mark.parametrize(
    "changes",
    [
        "purged_at = '2026-01-01'",
        "message = '', metadata_json = '{}', tree_id = '%(empty)s'",
        "purged_at = '2026-01-01', message = '', metadata_json = '{}'",
        "purged_at = '2026-01-01', message = '', metadata_json = '{}', tree_id = '%(empty)s', trashed_at = NULL",
        "purged_at = '2026-01-01', message = 'x', metadata_json = '{}', tree_id = '%(empty)s'",
    ],
)
def test_seal_lets_nothing_through_but_a_whole_purge(cast: Cast, model: RegisteredModel, changes: str) -> None:
    publish(cast.bob, model, {"a": b"1"}, message="one")
    publish(cast.bob, model, {"a": b"2"}, message="two")
    trash.delete(actor=cast.carol, row=version(1))
    with pytest.raises(Error, match="sealed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE registry_version SET {changes % {'empty': EMPTY}} WHERE number = 1")


def test_seal_lets_nobody_purge_what_is_not_in_the_trash(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"}, message="one")
    with pytest.raises(Error, match="sealed"), transaction.atomic():
        purging.empty(Version.objects.all())


@pytest.mark.parametrize(
    "change", ["purged_at = NULL", "purged_at = '2020-01-01'", "trashed_at = NULL", "message = 'back'", "number = 9"]
)
def test_seal_keeps_what_is_purged_as_it_is(cast: Cast, model: RegisteredModel, change: str) -> None:
    publish(cast.bob, model, {"a": b"1"}, message="one")
    publish(cast.bob, model, {"a": b"2"}, message="two")
    purge(cast.carol, version(1))
    with pytest.raises(Error, match="sealed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE registry_version SET {change} WHERE number = 1")


def test_comments_of_moves_are_taken_out_of_purged_versions_alone(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"}, message="one")
    with pytest.raises(Error, match="sealed"), transaction.atomic():
        RefMove.objects.update(comment="")
    publish(cast.bob, model, {"a": b"2"})
    purge(cast.carol, version(1))
    with pytest.raises(Error, match="sealed"), transaction.atomic():
        RefMove.objects.filter(to_version=version(1)).update(comment="rewritten")


def test_taking_back_what_became_due_meanwhile_is_still_possible(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": b"1"})
    publish(cast.bob, model, {"a": b"2"})
    let_trash_days_pass(trash.delete(actor=cast.carol, row=version(1)))
    assert client_of(cast.carol).post(f"{MODEL}versions/1/undelete/").status_code == 200
    garbage.collect(grace=AT_ONCE)
    assert version(1).purged_at is None
    check_integrity()
