"""Quotas: a project, or a user, holds no more than it may; and whoever is refused learns what to do."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from registry.models import RegisteredModel, Role, Upload
from registry.services import uploads
from registry.services.announcing import Wanted, announce
from registry.services.artifacts import record_artifact
from registry.services.members import set_membership
from registry.services.projects import create_project
from registry.services.recordings import Content, Recording
from registry.services.registered_models import create_model
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, client_of, make_user, publish, send
from tests.housekeeping import digest_of
from tests.matchers import nothing_left_behind, refused
from tests.quotas import HUNDRED, ask, held, held_by, let_it_sleep, over, set_quota_unasked

MB = 2**20
MODEL = "/v1/projects/vision/models/classifier/"
UPLOADS = f"{MODEL}uploads/"


@pytest.fixture
def root(db: None) -> User:
    user = make_user("rooty")
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    return User.objects.get(pk=user.pk)


# --- What is held


def test_a_content_counts_once_wherever_it_stands(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.bob, model, {"a": HUNDRED, "b/c": HUNDRED, "d": b"12345"})
    publish(cast.bob, model, {"e": HUNDRED})
    publish(cast.carol, cast.model("other"), {"a": HUNDRED, "mine": b"123"})
    content = Content(digest_of(HUNDRED))
    record_artifact(actor=cast.bob, recording=Recording(data={}, project="vision", content=content))
    ask(cast.carol, model, HUNDRED)
    assert held(cast.project) == 108
    assert held_by(cast.bob) == 105
    assert held_by(cast.carol) == 103
    assert held_by(cast.dave) == 0


def test_what_is_on_its_way_or_not_published_yet_is_held(cast: Cast, model: RegisteredModel) -> None:
    ask(cast.bob, model, HUNDRED)
    ask(cast.bob, model, HUNDRED)
    ask(cast.carol, model, HUNDRED)
    announce(actor=cast.bob, model=model, files=[Wanted(7), Wanted(7)])
    assert (held(cast.project), held_by(cast.bob), held_by(cast.carol)) == (114, 114, 100)
    send(cast.bob, model, b"123")
    assert held(cast.project) == 117
    let_it_sleep()
    assert held(cast.project) == 3, "what nobody follows up is forgotten; what came is kept for its time"
    Upload.objects.update(expires_at=timezone.now())
    assert held(cast.project) == 0


def test_what_was_begun_is_held_until_it_expires(cast: Cast, model: RegisteredModel) -> None:
    (upload,) = ask(cast.bob, model, HUNDRED)
    Upload.objects.filter(pk=upload.pk).update(offset=1)
    let_it_sleep()
    assert held(cast.project) == 100
    Upload.objects.filter(pk=upload.pk).update(refused="digest_mismatch")
    assert held(cast.project) == 0


def test_what_others_had_in_the_model_first_is_theirs(cast: Cast, model: RegisteredModel) -> None:
    publish(cast.carol, model, {"a": HUNDRED})
    publish(cast.bob, model, {"a": HUNDRED, "b": b"123"}, base="empty")
    Upload.objects.all().delete()
    assert (held_by(cast.carol), held_by(cast.bob)) == (100, 3)


def test_the_same_bytes_are_held_by_every_project_that_has_them(cast: Cast, model: RegisteredModel) -> None:
    other = create_project(actor=cast.bob, name="speech")
    for place in (model, create_model(actor=cast.bob, project=other, name="m")):
        publish(cast.bob, place, {"a": HUNDRED})
    assert (held(cast.project), held(other), held_by(cast.bob)) == (100, 100, 100)


# --- Announcing


def test_an_announcement_over_the_quota_of_the_project(
    cast: Cast, model: RegisteredModel, settings: Any, root: User
) -> None:
    User.objects.filter(username__in=["alice", "dave"]).update(is_staff=True)
    settings.LMVP_PROJECT_QUOTA = 3 * MB
    publish(cast.bob, model, {"a": b"x" * MB})
    with nothing_left_behind():
        answer = client_of(cast.bob).post(UPLOADS, [{"size": 2 * MB}, {"size": MB // 2}])
        error = refused(answer, 507, "quota_exceeded")
    assert error == {
        "code": "quota_exceeded",
        "message": "The project vision may hold 3 MiB and holds 1 MiB; this takes 2.5 MiB more. Delete old versions"
        " (the trash is emptied after 14 days), or ask alice, dave or rooty for more.",
        "fields": {"limit": 3 * MB, "used": MB, "wanted": 5 * MB // 2},
    }
    assert client_of(cast.bob).post(UPLOADS, [{"size": 2 * MB}]).status_code == 200


def test_an_announcement_over_the_quota_of_the_user(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_USER_QUOTA = 150
    publish(cast.bob, model, {"a": HUNDRED})
    error = refused(client_of(cast.bob).post(UPLOADS, [{"size": 51}]), 507, "quota_exceeded")
    assert error["message"].startswith(
        "You may hold 150 bytes in all projects together and hold 100 bytes; this takes 51 bytes more."
    )
    assert error["message"].endswith("or ask the server's administrator for more.")
    elsewhere = create_model(actor=cast.bob, project=create_project(actor=cast.bob, name="speech"), name="m")
    assert over(lambda: ask(cast.bob, elsewhere, b"x" * 51)) == {"limit": 150, "used": 100, "wanted": 51}
    assert len(ask(cast.carol, model, b"x" * 150)) == 1


def test_only_active_staff_are_named_and_three_at_most(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = 0
    User.objects.update(is_staff=True)
    User.objects.filter(username="alice").update(is_active=False)
    error = refused(client_of(cast.bob).post(UPLOADS, [{"size": 1}]), 507, "quota_exceeded")
    assert error["message"].endswith("or ask bob, carol or charlie for more.")


def test_a_quota_of_nothing_takes_nothing_but_empty_files(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = 0
    assert over(lambda: ask(cast.bob, model, b"1")) == {"limit": 0, "used": 0, "wanted": 1}
    publish(cast.bob, model, {"empty": b""})


def test_announced_twice_counts_once(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = 100
    settings.LMVP_USER_QUOTA = 100
    ask(cast.bob, model, HUNDRED)
    assert len(ask(cast.bob, model, HUNDRED, HUNDRED)) == 2
    ask(cast.carol, model, HUNDRED)
    assert over(lambda: ask(cast.bob, model, b"1"))["used"] == 100


def test_a_small_announcement_makes_no_room_for_a_large_one(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    settings.LMVP_PROJECT_QUOTA = 50
    announce(actor=cast.bob, model=model, files=[Wanted(1, digest_of(HUNDRED))])
    assert over(lambda: ask(cast.bob, model, HUNDRED)) == {"limit": 50, "used": 1, "wanted": 99}


def test_what_is_there_already_adds_nothing_even_over_the_quota(
    cast: Cast, model: RegisteredModel, settings: Any
) -> None:
    publish(cast.bob, model, {"a": HUNDRED})
    settings.LMVP_PROJECT_QUOTA = 50
    settings.LMVP_USER_QUOTA = 50
    assert ask(cast.bob, model, HUNDRED) == []
    assert publish_version(actor=cast.bob, model=model, publication=Publication(files=[File("b", digest_of(HUNDRED))]))[
        1
    ]
    assert over(lambda: ask(cast.bob, model, b"1")) == {"limit": 50, "used": 100, "wanted": 1}


def test_without_a_quota_nothing_is_asked(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    def asked() -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            publish(cast.bob, model, {"a": os.urandom(10)})
        return [query["sql"] for query in queries.captured_queries]

    asked()  # a first version costs more
    without = asked()
    assert not any("SUM(most)" in said for said in without)
    assert [said for said in without if 'FROM "registry_project"' in said and "FOR NO KEY UPDATE" in said] == []
    model.project.quota = 1000
    assert sum("SUM(most)" in said for said in asked()) == 2, "when it is announced, and when it is published"
    model.project.quota = None
    assert len(asked()) == len(without)


# --- Publishing


def publish_by_digest(user: User, content: bytes = HUNDRED) -> Any:
    body = {"files": [{"path": "a", "sha256": digest_of(content)}]}
    return client_of(user).post(f"{MODEL}versions/", body)


def test_what_another_project_holds_adds_to_this_one_without_being_sent(cast: Cast, model: RegisteredModel) -> None:
    other = create_model(actor=cast.bob, project=create_project(actor=cast.bob, name="speech"), name="m")
    publish(cast.bob, other, {"a": HUNDRED})
    set_quota_unasked(cast.project, 99)
    with nothing_left_behind():
        found = refused(publish_by_digest(cast.bob), 507, "quota_exceeded")
    assert found["fields"] == {"limit": 99, "used": 0, "wanted": 100}
    set_quota_unasked(cast.project, 100)
    assert publish_by_digest(cast.bob).status_code == 201
    assert held(cast.project) == 100


def test_what_others_brought_adds_to_its_publisher(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    set_membership(
        actor=cast.charlie,
        project=(other := create_project(actor=cast.charlie, name="secret")),
        user=cast.bob,
        role=Role.VIEWER,
    )
    publish(cast.charlie, create_model(actor=cast.charlie, project=other, name="m"), {"a": HUNDRED})
    settings.LMVP_USER_QUOTA = 99
    refused(publish_by_digest(cast.bob), 507, "quota_exceeded")
    settings.LMVP_USER_QUOTA = 100
    assert publish_by_digest(cast.bob).status_code == 201
    assert held_by(cast.bob) == 100


def test_files_of_others_in_the_same_model_are_published_again_for_nothing(
    cast: Cast, model: RegisteredModel, settings: Any
) -> None:
    publish(cast.carol, model, {"a": HUNDRED})
    settings.LMVP_USER_QUOTA = 3
    version = publish(cast.bob, model, {"b": b"123"}, base="parent")
    files = [File("a", digest_of(HUNDRED)), File("b", digest_of(b"123"))]
    publication = Publication(files=files, base="empty", parent=str(version.number), message="all of it")
    assert publish_version(actor=cast.bob, model=model, publication=publication)[0].number == 2 + 1


def test_announcements_that_were_forgotten_are_counted_when_they_are_published(
    cast: Cast, model: RegisteredModel, settings: Any
) -> None:
    settings.LMVP_PROJECT_QUOTA = 150
    contents = [bytes([number]) * 100 for number in range(4)]
    sent = []
    for content in contents:
        (upload,) = ask(cast.bob, model, content)
        let_it_sleep()
        sent.append(upload)
    for upload, content in zip(sent, contents, strict=True):
        uploads.receive(upload=upload, chunks=[content])
    with nothing_left_behind():
        found = refused(publish_by_digest(cast.bob, contents[0]), 507, "quota_exceeded")
    assert found["fields"] == {"limit": 150, "used": 300, "wanted": 100}


def test_a_quota_that_was_lowered_below_what_is_held(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    version = publish(cast.bob, model, {"a": HUNDRED, "b": b"x" * 50})
    digest = send(cast.bob, model, b"new")
    settings.LMVP_PROJECT_QUOTA = 100
    over(lambda: ask(cast.bob, model, b"1"))
    with nothing_left_behind():
        answer = client_of(cast.bob).post(f"{MODEL}versions/", {"files": [{"path": "c", "sha256": digest}]})
        refused(answer, 507, "quota_exceeded")
    body = {"remove": ["b"], "message": "smaller"}
    assert client_of(cast.bob).post(f"{MODEL}versions/", body).status_code == 201, "that adds nothing"
    assert client_of(cast.dave).get(f"{MODEL}versions/{version.number}/files/a").status_code == 200


def test_the_same_call_again_is_answered_as_before(cast: Cast, model: RegisteredModel, settings: Any) -> None:
    publication = Publication(files=[File("a", send(cast.bob, model, HUNDRED))], idempotency_key="run-1")
    publish_version(actor=cast.bob, model=model, publication=publication)
    settings.LMVP_PROJECT_QUOTA = 0
    _, new = publish_version(actor=cast.bob, model=model, publication=publication)
    assert not new
