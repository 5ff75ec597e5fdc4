"""Several at once, with real threads on PostgreSQL: one wins, nobody corrupts, everybody is told the truth."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from accounts.errors import Refusal
from registry import trees
from registry.models import Blob, Membership, Metric, Ref, RefMove, Role, Tree, Upload, Version
from registry.services import members, uploads
from registry.services.announcing import Wanted, announce
from registry.services.commits import lock_model
from registry.services.merging import Outcome, merge
from registry.services.metrics import Measured, log_metrics
from registry.services.refs import Move, create_ref, delete_ref, set_ref
from registry.services.registered_models import update_model
from registry.services.restoring import restore_to_branch
from registry.services.rollbacks import roll_back
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, make_cast, publish, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("postgresql")]


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in threads that start together; return what each returned, or the refusal it raised."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        except Refusal as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_two_publishers_with_the_same_parent_one_wins_and_the_other_learns_the_head(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"0"})
    digests = [send(cast.bob, model, bytes([n])) for n in range(8)]

    def publisher(digest: str) -> Callable[[], Any]:
        publication = Publication(files=[File("a", digest)], parent="1")
        return lambda: publish_version(actor=cast.bob, model=model, publication=publication)

    results = at_once(*map(publisher, digests))
    refused = [result for result in results if isinstance(result, Refusal)]
    assert len(refused) == 7
    assert {refusal.code for refusal in refused} == {"parent_moved"}
    head = Ref.objects.get(model=model, name="main").version
    assert [refusal.fields["head"] for refusal in refused] == [{"number": 2, "digest": head.digest}] * 7
    assert list(Version.objects.order_by("number").values_list("number", flat=True)) == [1, 2]


def test_publishers_without_a_parent_all_go_in_one_after_the_other(cast: Cast) -> None:
    model = cast.model()
    digests = {f"file-{n}": send(cast.bob, model, bytes([n])) for n in range(8)}

    def publisher(path: str) -> Callable[[], Any]:
        publication = Publication(files=[File(path, digests[path])])
        return lambda: publish_version(actor=cast.bob, model=model, publication=publication)

    results = at_once(*map(publisher, digests))
    assert sorted(version.number for version, new in results if new) == list(range(1, 9))
    head = Version.objects.select_related("tree").get(number=8)
    assert head.tree.files == 8, "each stands on the one before; no file was lost"
    assert Ref.objects.get(model=model, name="main").version == head


def test_the_same_idempotency_key_at_once_is_one_version(cast: Cast) -> None:
    model = cast.model()
    publication = Publication(files=[File("a", send(cast.bob, model, b"1"))], idempotency_key="run-1")
    results = at_once(*[lambda: publish_version(actor=cast.bob, model=model, publication=publication)] * 6)
    assert {version.number for version, _ in results} == {1}
    assert sorted(new for _, new in results) == [False] * 5 + [True]


def test_the_same_bytes_sent_at_once_are_one_blob(cast: Cast) -> None:
    model, content = cast.model(), b"x" * 100_000
    offers = announce(actor=cast.bob, model=model, files=[Wanted(len(content))] * 6)
    results = at_once(
        *[lambda offer=offer: uploads.receive(upload=offer.upload, chunks=[content]).sha256 for offer in offers]
    )
    assert len(set(results)) == 1
    assert Blob.objects.count() == 1
    assert Upload.objects.exclude(stored_at=None).count() == 6


def test_two_movers_of_an_alias_that_expect_the_same_one_wins(cast: Cast) -> None:
    model = cast.model()
    for n in range(3):
        publish(cast.bob, model, {"a": bytes([n])})
    set_ref(actor=cast.bob, model=model, move=Move("alias", "production", "1"))

    def mover(revision: str) -> Callable[[], Any]:
        return lambda: set_ref(actor=cast.bob, model=model, move=Move("alias", "production", revision, expected="1"))

    results = at_once(mover("2"), mover("3"))
    assert [getattr(result, "code", "moved") for result in results].count("ref_moved") == 1
    assert RefMove.objects.filter(name="production").count() == 2


def test_one_rollback_each_however_many_at_once(cast: Cast) -> None:
    model = cast.model()
    for n in range(5):
        publish(cast.bob, model, {"a": bytes([n])}, alias="production")
    results = at_once(*[lambda: roll_back(actor=cast.bob, model=model, name="production")] * 3)
    assert sorted(ref.version.number for ref in results) == [2, 3, 4], "three steps, one after the other"


def test_rollbacks_that_expect_the_same_one_wins(cast: Cast) -> None:
    model = cast.model()
    for n in range(3):
        publish(cast.bob, model, {"a": bytes([n])}, alias="production")
    results = at_once(*[lambda: roll_back(actor=cast.bob, model=model, name="production", expected="3")] * 4)
    assert [getattr(result, "code", "moved") for result in results].count("ref_moved") == 3
    assert Ref.objects.get(name="production").version.number == 2


def test_a_name_that_several_make_at_once_is_made_once(cast: Cast) -> None:
    model = cast.model()
    for n in range(3):
        publish(cast.bob, model, {"a": bytes([n])})
    calls = [
        lambda kind=kind: create_ref(actor=cast.bob, model=model, move=Move(kind, "draft", "2"))
        for kind in ("branch", "branch", "alias", "tag")
    ]
    codes = [getattr(result, "code", "made") for result in at_once(*calls)]
    assert codes.count("made") == 1
    assert set(codes) <= {"made", "ref_exists", "name_taken"}
    assert RefMove.objects.filter(name="draft").count() == 1


def test_default_branch_is_not_deleted_while_it_becomes_the_default(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"})
    set_ref(actor=cast.bob, model=model, move=Move("branch", "next", "1"))
    at_once(
        lambda: update_model(actor=cast.carol, model=model, default_branch="next"),
        lambda: delete_ref(actor=cast.bob, model=model, kind="branch", name="next"),
    )
    model.refresh_from_db()
    assert Ref.objects.filter(model=model, kind="branch", name=model.default_branch).exists()


def test_restoring_at_once_makes_one_version(cast: Cast) -> None:
    model = cast.model()
    for n in range(2):
        publish(cast.bob, model, {"a": bytes([n])})
    results = at_once(*[lambda: restore_to_branch(actor=cast.bob, model=model, revision="1", branch="main")] * 4)
    assert sorted((version.number, new) for version, new in results) == [(3, False)] * 3 + [(3, True)]


def test_different_values_of_one_metric_at_once_one_stands(cast: Cast) -> None:
    version = publish(cast.bob, cast.model(), {"a": b"1"})

    def logger(value: float) -> Callable[[], Any]:
        return lambda: log_metrics(actor=cast.bob, version=version, measured=[Measured("loss", value, 1)])

    results = at_once(*[logger(n / 10) for n in range(5)])
    assert sum(result == 1 for result in results if isinstance(result, int)) == 1
    assert sum(getattr(result, "code", "") == "metric_exists" for result in results) == 4
    assert Metric.objects.count() == 1


def test_two_owners_leaving_at_once_one_stays(cast: Cast) -> None:
    members.set_membership(actor=cast.alice, project=cast.project, user=cast.carol, role=Role.OWNER)
    results = at_once(
        *[
            lambda user=user: members.remove_member(actor=user, project=cast.project, user=user)
            for user in (cast.alice, cast.carol)
        ]
    )
    assert [getattr(result, "code", "left") for result in results].count("last_owner") == 1
    assert Membership.objects.filter(project=cast.project, role=Role.OWNER).count() == 1


def test_upload_waits_for_a_blob_that_is_being_deleted(cast: Cast) -> None:
    model = cast.model()
    digest = send(cast.bob, model, b"abc")
    Blob.objects.update(state=Blob.State.DELETING)
    (offer,) = announce(actor=cast.bob, model=model, files=[Wanted(3)])
    waiting = threading.Event()

    def upload() -> str:
        def chunks():
            yield b"abc"
            waiting.set()

        return uploads.receive(upload=offer.upload, chunks=chunks()).sha256

    def collector() -> None:
        waiting.wait(10)
        Blob.objects.filter(pk=digest, state=Blob.State.DELETING).delete()

    results = at_once(upload, collector)
    assert results[0] == digest
    assert Blob.objects.live().filter(pk=digest).exists()


def test_ordinary_calls_on_one_model_do_not_lock_each_other_out(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"0"})
    digests = [send(cast.bob, model, bytes([n])) for n in range(10)]

    def publish_all() -> int:
        for n, digest in enumerate(digests):
            publication = Publication(files=[File("a", digest)], message=str(n))
            publish_version(actor=cast.bob, model=model, publication=publication)
        return len(digests)

    def log_all() -> int:
        for step in range(10):
            version = Version.objects.at(model, "latest")
            log_metrics(actor=cast.bob, version=version, measured=[Measured("loss", step / 10, step)])
        return 10

    def describe_all() -> int:
        for n in range(10):
            update_model(actor=cast.alice, model=model, description=f"description {n}")
        return 10

    assert at_once(publish_all, log_all, describe_all, log_all, publish_all) == [10, 10, 10, 10, 10]


def test_merge_that_somebody_publishes_before_starts_again_on_the_new_head(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"0"})
    publish(cast.bob, model, {"ours": b"1"}, branch="wider")
    publish(cast.bob, model, {"theirs": b"2"})
    digest = send(cast.bob, model, b"3")

    locked = threading.Event()

    def merger() -> Any:
        locked.wait(10)
        return merge(actor=cast.bob, model=model, source="wider", target="main")

    def publisher() -> Any:
        with transaction.atomic(), connection.cursor() as cursor:
            lock_model(model)
            locked.set()
            while True:  # until the merge is computed, and waits for the row
                cursor.execute("SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
                if cursor.fetchone() != (0,):
                    break
            publication = Publication(files=[File("between", digest)])
            return publish_version(actor=cast.bob, model=model, publication=publication)[0]

    (version, outcome), between = at_once(merger, publisher)
    assert (between.number, version.number, outcome) == (4, 5, Outcome.MERGED)
    assert [parent.number for parent in version.parents] == [4, 2]
    paths = [place.path for place in trees.files_between(Tree.objects.contents_of, version.tree_id)]
    assert paths == ["a", "between", "ours", "theirs"]
    assert Ref.objects.get(model=model, name="main").version == version


def test_merges_and_publications_at_once_lose_nothing(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"0"})
    branches = [f"line-{n}" for n in range(4)]
    for branch in branches:
        publish(cast.bob, model, {branch: b"1"}, branch=branch)
    digest = send(cast.bob, model, b"2")

    def merger(branch: str) -> Callable[[], Any]:
        return lambda: merge(actor=cast.bob, model=model, source=branch, target="main")

    def publisher(path: str) -> Callable[[], Any]:
        publication = Publication(files=[File(path, digest)])
        return lambda: publish_version(actor=cast.bob, model=model, publication=publication)

    at_once(*map(merger, branches), *map(publisher, ("p", "q")))
    head = Ref.objects.get(model=model, name="main").version
    paths = [place.path for place in trees.files_between(Tree.objects.contents_of, head.tree_id)]
    assert paths == ["a", *branches, "p", "q"]


def test_threads_wait_for_a_connection_and_never_hold_more_than_allowed(cast: Cast) -> None:
    most, holding, lock = 0, 0, threading.Lock()

    def ask() -> int:
        nonlocal most, holding
        with connection.cursor() as cursor:
            with lock:
                holding += 1
                most = max(most, holding)
            cursor.execute("SELECT pg_sleep(0.05)")
            with lock:
                holding -= 1
        return 1

    threads = settings.DATABASE_CONNECTIONS + 10
    assert sum(at_once(*[ask] * threads)) == threads
    assert most <= settings.DATABASE_CONNECTIONS
