"""The collector at work while others publish: real threads on PostgreSQL, real processes that are killed in the middle."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from registry.digests import EMPTY
from registry.directories import entries
from registry.errors import Refusal
from registry.incoming import Incoming
from registry.models import Blob, Occurrence, RegisteredModel, Tree, Upload, Version
from registry.services import garbage, purging, trash
from registry.services.announcing import Wanted, announce
from registry.services.uploads import receive
from registry.services.versions import File, Publication, publish_version
from tests.cast import Cast, make_cast, publish, send
from tests.housekeeping import AT_ONCE, LONG_AGO, check_integrity, digest_of, is_kept, let_grace_pass, path_of
from tests.servers import ROOT, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("postgresql")]
TRANSIENT = {"unknown_blob", "being_deleted"}  # what a client answers by sending again


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


@contextmanager
def all_the_time(work: Callable[[], Any], *, threads: int = 1) -> Iterator[None]:
    """Do something again and again in threads, until the block ends; what one raises is raised here."""
    stop = threading.Event()

    def loop() -> int:
        done = 0
        try:
            while not stop.is_set():
                work()
                done += 1
        finally:
            connection.close()
        return done

    with ThreadPoolExecutor(threads) as pool:
        loops = [pool.submit(loop) for _ in range(threads)]
        try:
            yield
        finally:
            stop.set()
        assert all(one.result() > 1 for one in loops), "it had its turns"


def run_now() -> None:
    """A run that takes everything which is not referenced or held at this moment."""
    Upload.objects.exclude(stored_at=None).update(expires_at=timezone.now() - LONG_AGO)
    with transaction.atomic():
        for kind in (Blob, Tree):
            rows = kind._default_manager.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True)
            kind._default_manager.filter(pk__in=list(rows)).update(used_at=timezone.now() - LONG_AGO)
    garbage.collect(grace=AT_ONCE)


def persistently(call: Callable[[], Any]) -> Any:
    """Do what a client does that is told to send again."""
    while True:
        try:
            return call()
        except Refusal as refusal:
            if refusal.code not in TRANSIENT:
                raise


def test_publishing_while_everything_unused_is_collected_loses_nothing(cast: Cast) -> None:
    models = [cast.model(f"model-{n}") for n in range(3)]
    dice = random.Random(11)
    contents = [os.urandom(20) for _ in range(6)]  # few, so that all hands are on the same bytes and directories

    def publisher(model: RegisteredModel, seed: int) -> int:
        mine = random.Random(seed)
        try:
            for n in range(15):
                files = {f"{mine.choice('ab')}/{mine.choice('cd')}": mine.choice(contents) for _ in range(3)}
                persistently(lambda files=files, n=n: publish(cast.bob, model, files, base="empty", message=str(n)))
        finally:
            connection.close()
        return 15

    with all_the_time(run_now), ThreadPoolExecutor(4) as pool:
        work = [pool.submit(publisher, model, dice.randrange(1000)) for model in [*models, models[0]]]
        assert [one.result() for one in work] == [15] * 4
    assert Version.objects.count() == 60
    check_integrity()


def test_purging_while_others_publish_the_same_content_keeps_theirs(cast: Cast) -> None:
    model = cast.model()
    contents = [os.urandom(20) for _ in range(4)]

    def delete_and_collect() -> None:
        for version in Version.objects.filter(trashed_at=None, refs=None).select_related("model__project"):
            with suppress(Version.DoesNotExist, Refusal):
                row = trash.delete(actor=cast.carol, row=version)
                Version.objects.filter(pk=row.pk).update(trashed_at=timezone.now() - LONG_AGO)
        run_now()

    dice = random.Random(5)
    with all_the_time(delete_and_collect):
        for n in range(40):
            files = {f"{dice.choice('ab')}/x": dice.choice(contents), "y": dice.choice(contents)}
            persistently(lambda files=files, n=n: publish(cast.bob, model, files, base="empty", message=str(n)))
    run_now()
    assert Version.objects.exclude(purged_at=None).exists()
    assert Occurrence.objects.filter(first_version__purged_at__isnull=False).count() == 0
    check_integrity()


def test_uploads_of_the_same_bytes_while_they_are_collected_all_succeed(cast: Cast) -> None:
    model = cast.model()

    def upload() -> None:
        (offer,) = announce(actor=cast.bob, model=model, files=[Wanted(5)])
        assert offer.upload
        receive(upload=offer.upload, chunks=[b"bytes"])

    def orphan() -> None:
        with Incoming(limit=10) as incoming:
            incoming.write(b"bytes")
            incoming.store()
        past = (timezone.now() - LONG_AGO).timestamp()
        with suppress(FileNotFoundError):
            os.utime(path_of(b"bytes"), (past, past))

    with all_the_time(upload, threads=3), all_the_time(orphan):
        for _ in range(30):
            run_now()
            rows = set(Blob.objects.live().values_list("pk", flat=True))
            assert rows <= {digest_of(b"bytes")}
    for _ in range(2):
        send(cast.bob, model, b"bytes")
        assert is_kept(b"bytes")


def test_collector_passes_over_directories_that_a_publication_is_about_to_name(cast: Cast) -> None:
    model = cast.model()
    digest = send(cast.bob, model, b"1")
    publication = Publication(files=[File("deep/a", digest)])
    named, collected = threading.Event(), threading.Event()

    def publisher() -> int:
        try:
            with transaction.atomic():
                version, _ = publish_version(actor=cast.bob, model=model, publication=publication)
                named.set()
                assert collected.wait(20), "the collector waits for this transaction"
            return version.number
        finally:
            connection.close()

    publish(cast.bob, cast.model("other"), {"deep/a": b"1"})  # the same directories, seen as there by the publication
    Occurrence.objects.all().delete()
    publish(cast.bob, cast.model("third"), {"x": b"1"})  # the bytes are needed, whatever becomes of the directories
    Version.objects.filter(model__name="other").update(trashed_at=timezone.now())
    purging.empty(Version.objects.filter(model__name="other"))
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(publisher)
        assert named.wait(20)
        assert garbage.collect(grace=-LONG_AGO).trees.count == 0  # whenever they were used
        collected.set()
        assert publishing.result() == 1
    assert Tree.objects.count() == 4
    check_integrity()


def test_collector_takes_what_nobody_holds_and_a_publication_finds_it_gone(cast: Cast) -> None:
    """A publication holds the root and asks for what is below; the collector goes by digest: they do not wait in a circle."""
    publish(cast.bob, cast.model(), {"deep/a": b"1"})
    root = Version.objects.get().tree_id
    (below,) = (entry.digest for entry in entries(Tree.objects.content_of(root), 0, 2))
    Version.objects.update(trashed_at=timezone.now())
    purging.empty(Version.objects.all())
    with transaction.atomic():
        Tree.objects.held_contents_of({root})
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(_collect_elsewhere).result(20) == 1
        with pytest.raises(Tree.DoesNotExist):
            Tree.objects.held_contents_of({below})
    assert garbage.collect(grace=-LONG_AGO).trees.count == 1
    assert not Tree.objects.exclude(pk=EMPTY).exists()


def _collect_elsewhere() -> int:
    try:
        return garbage.collect(grace=-LONG_AGO).trees.count  # whenever they were used
    finally:
        connection.close()


def test_place_that_a_publication_relies_on_meanwhile_is_passed_on_to_it(cast: Cast) -> None:
    """Its version was not there when the collector looked who still has the place, and is when it has the lock."""
    model = cast.model()
    publish(cast.bob, model, {"a": b"shared"})
    publish(cast.bob, model, {"a": b"2"})
    digest = send(cast.bob, model, b"shared")
    publication = Publication(files=[File("a", digest)])
    Version.objects.filter(number=1).update(trashed_at=timezone.now())
    purging.empty(Version.objects.filter(number=1))
    published, go_on = threading.Event(), threading.Event()

    def publisher() -> int:
        try:
            with transaction.atomic():
                version, _ = publish_version(actor=cast.bob, model=model, publication=publication)
                published.set()
                go_on.wait(20)
            return version.number
        finally:
            connection.close()

    def collector() -> None:
        published.wait(20)
        try:
            garbage.collect()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        publishing, collecting = pool.submit(publisher), pool.submit(collector)
        wait_until(lambda: is_waited_for("registry_registeredmodel"))
        go_on.set()
        assert publishing.result() == 3
        collecting.result()
    assert Occurrence.objects.get(path="a", digest=digest).first_version.number == 3
    check_integrity()


def is_waited_for(table: str) -> bool:
    """Whether somebody waits for a lock with a statement about this table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND query LIKE %s",
            [f"%{table}%"],
        )
        return bool(cursor.fetchone()[0])


# --- Killed in the middle

# The plug is pulled when the collector is about to delete its first or second file: Python tells before it does.
KILLED = """
import os, sys, django
django.setup()
from datetime import timedelta
from registry.services import garbage
left = [int(sys.argv[1])]
def pull_the_plug(event, arguments):
    if event == "os.remove" and "/blobs/" in str(arguments[0]):
        left[0] -= 1
        if not left[0]:
            os._exit(9)
sys.addaudithook(pull_the_plug)
garbage.collect(grace=timedelta(0))
"""


@pytest.mark.parametrize("file", [1, 2], ids=["between mark and file", "between file and row"])
def test_killed_collector_leaves_what_the_next_run_finishes(cast: Cast, settings, file: int) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"stays"})
    goes = sorted((b"goes", b"goes too"), key=digest_of)
    for content in goes:
        send(cast.bob, model, content)
    let_grace_pass()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "lmvp.settings",
        "LMVP_DATA_DIR": str(settings.LMVP_DATA_DIR),
        "DATABASE_URL": _database_url(),
    }
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)], cwd=ROOT, env=environment, check=False)
    assert done.returncode == 9
    marked = Blob.objects.filter(state=Blob.State.DELETING).order_by("pk").values_list("pk", flat=True)
    assert list(marked) == list(map(digest_of, goes)), "marked, and committed"
    assert [path_of(content).exists() for content in goes] == [file == 1, True]
    check_integrity()
    garbage.collect()
    for content in goes:
        assert not Blob.objects.filter(pk=digest_of(content)).exists()
        assert not path_of(content).exists()
    assert is_kept(b"stays")
    for content in goes:
        send(cast.bob, model, content)
        assert is_kept(content)
    check_integrity()


def _database_url() -> str:
    facts = connection.settings_dict
    password = f":{facts['PASSWORD']}" if facts.get("PASSWORD") else ""
    return f"postgres://{facts['USER']}{password}@{facts['HOST']}:{facts['PORT'] or 5432}/{facts['NAME']}"
