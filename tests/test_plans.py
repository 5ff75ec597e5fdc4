"""What is asked all the time is found by an index, however long the history: no statement reads a growing table whole, or many rows.

Real calls are made to a model of 100,000 versions on PostgreSQL (2,000 on SQLite, whose plans do not depend on how many there
are), and each statement that they make is explained. Rows are counted, never seconds.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from rest_framework.response import Response

from registry.models import Event, RefMove, Version
from registry.models.metrics import FEW
from registry.services import garbage, verification
from tests.cast import client_of
from tests.explaining import BIG, GLANCE, Explained, explained
from tests.long_history import OLD_EVERY, START, LongHistory, make_long_history
from tests.tars import pack_of, send_pack

pytestmark = pytest.mark.django_db

VERSIONS = 2_000 if connection.vendor == "sqlite" else 100_000
MOST = 500  # rows that one statement may read: some for each row of a page of 50
OLD = VERSIONS // OLD_EVERY  # blobs and trees that are older than the grace
PROJECT = "/v1/projects/vision"
MODEL = f"{PROJECT}/models/sweep"
Address = Callable[[LongHistory], str]


@pytest.fixture(scope="module")
def there(django_db_setup: None, django_db_blocker: Any) -> Iterator[LongHistory]:
    """One history for the module, in a transaction around those of the tests."""
    with django_db_blocker.unblock():
        with transaction.atomic():
            yield make_long_history(VERSIONS)
            transaction.set_rollback(True)
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                tables = sorted(table for table in BIG if "_search_" not in table)  # those go with the others
                cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")  # empty they are; now their files are short


def behind(position: object) -> str:
    """The query of the page behind a position; the cursor is DRF's: the position in base64."""
    return urlencode({"cursor": base64.b64encode(f"p={position}".encode()).decode()})


def middle_of(rows: Any) -> int:
    keys = rows.order_by("pk").values_list("pk", flat=True)
    return (keys.first() + keys.last()) // 2


def day(there: LongHistory) -> str:
    """A day on which `production` stood for something, and had been moved before and was moved after."""
    return f"{START + timedelta(minutes=there.stable // 2):%Y-%m-%d}"


def refuse(statements: Sequence[Explained], most: int = MOST) -> None:
    """Fail on what reads a growing table whole, or more rows than it may."""
    assert statements, "nothing was asked"
    bad = [one for one in statements if one.whole or (one.rows or 0) > most]
    assert not bad, "\n\n".join(map(str, bad))


# --- That the tests themselves would see it


def test_a_question_without_an_index_is_seen(there: LongHistory) -> None:
    with explained() as statements:
        list(Version.objects.filter(model=there.model, message="no such").order_by())
        list(Version.objects.filter(message="no such").order_by())
    _, whole = statements
    assert whole.whole == ("registry_version",)
    if connection.vendor == "postgresql":
        assert all((one.rows or 0) >= VERSIONS for one in statements)
    with pytest.raises(AssertionError, match="registry_version"):
        refuse(statements)


def test_compiled_questions_are_explained_as_well(there: LongHistory) -> None:
    with explained() as statements:
        assert client_of(there.alice).get(f"{MODEL}/versions/production/").status_code == 200
    asked = [one.sql for one in statements]
    assert any('"registry_ref"' in sql and '"registry_version"' in sql for sql in asked), asked


# --- Reading


READING: dict[str, Address] = {
    "by alias": lambda there: f"{MODEL}/versions/production/",
    "by tag": lambda there: f"{MODEL}/versions/trial-700/",
    "by number": lambda there: f"{MODEL}/versions/777/",
    "by the beginning of a digest": lambda there: f"{MODEL}/versions/{there.version(777).digest[:9]}/",
    "latest": lambda there: f"{MODEL}/versions/latest/",
    "the list, first page": lambda there: f"{MODEL}/versions/",
    "the list, deep page": lambda there: f"{MODEL}/versions/?{behind(there.stable)}",
    "the list, oldest first": lambda there: f"{MODEL}/versions/?order_by=number",
    "the list, oldest first, deep page": lambda there: f"{MODEL}/versions/?order_by=number&{behind(there.stable)}",
    "a branch, first page": lambda there: f"{MODEL}/versions/?branch=side",
    "a branch, deep page": lambda there: f"{MODEL}/versions/?branch=side&{behind(there.stable)}",
    "a branch, oldest first": lambda there: f"{MODEL}/versions/?branch=side&order_by=number",
    "an author's": lambda there: f"{MODEL}/versions/?author=bob",
    "an author's on a branch": lambda there: f"{MODEL}/versions/?author=bob&branch=main&order_by=number",
    "by a metric": lambda there: f"{MODEL}/versions/?order_by=-metric:accuracy",
    "by a metric, ascending": lambda there: f"{MODEL}/versions/?order_by=metric:accuracy",
    "by a metric, deep page": lambda there: f"{MODEL}/versions/?order_by=-metric:accuracy&{behind(f'0.5 {2**59}')}",
    "by a metric on a branch": lambda there: f"{MODEL}/versions/?branch=main&order_by=-metric:accuracy",
    "few by a metric": lambda there: f"{MODEL}/versions/?metric:accuracy__gt=0.999&order_by=metric:loss",
    "many by a metric": lambda there: f"{MODEL}/versions/?metric:accuracy__gt=0.5",
    "many by two metrics": lambda there: (
        f"{MODEL}/versions/?metric:accuracy__gt=0.5&metric:loss__lt=0.5&order_by=-metric:loss"
    ),
    "the best": lambda there: f"{MODEL}/best/?metric=accuracy",
    "the best of a branch": lambda there: f"{MODEL}/best/?metric=loss&goal=min&branch=main",
    "metrics of a version": lambda there: f"{MODEL}/versions/777/metrics/",
    "a series": lambda there: f"{MODEL}/versions/latest/metrics/?name=curve",
    "names of metrics": lambda there: f"{MODEL}/metrics/",
    "a metric over versions": lambda there: f"{MODEL}/metrics/?name=accuracy",
    "a metric over versions, deep page": lambda there: (
        f"{MODEL}/metrics/?name=accuracy&{behind(middle_of(Version.objects))}"
    ),
    "neighbours compared": lambda there: f"{MODEL}/compare/776...777/",
    "files of a version": lambda there: f"{MODEL}/versions/777/tree/",
    "lineage of a version": lambda there: f"{MODEL}/versions/777/lineage/",
    "branches": lambda there: f"{MODEL}/branches/",
    "aliases": lambda there: f"{MODEL}/aliases/",
    "moves of an alias": lambda there: f"{MODEL}/aliases/production/moves/",
    "moves of a branch": lambda there: f"{MODEL}/branches/main/moves/",
    "moves of a branch, deep page": lambda there: f"{MODEL}/branches/main/moves/?{behind(middle_of(RefMove.objects))}",
    "what production was on a day": lambda there: f"{MODEL}/aliases/production/at/?time={day(there)}",
    "events of a project": lambda there: f"{PROJECT}/events/",
    "events of a project, deep page": lambda there: f"{PROJECT}/events/?{behind(middle_of(Event.objects))}",
    "events of a subject": lambda there: f"{PROJECT}/events/?{urlencode({'subject': f'{there.model} v777'})}",
    "events of an action": lambda there: f"{PROJECT}/events/?action=version.published",
    "events of a day": lambda there: f"{PROJECT}/events/?since={day(there)}&until={day(there)}T00:10:00Z",
    "models of a project": lambda there: f"{PROJECT}/models/",
    "models by name": lambda there: "/v1/search/?q=classifier-7777&type=model",
    "a word of one version": lambda there: "/v1/search/?q=trial777",
    "versions by digest": lambda there: f"/v1/search/?q={there.version(777).digest[:9]}&type=version",
    "files by digest": lambda there: f"/v1/search/?q={there.config(777)[:9]}&type=file",
    "versions in the trash": lambda there: f"{MODEL}/trash/",
}
# Where a branch or a filter leaves no more than FEW, they are named one by one: that is tried first.
BY_THE_FEW = {
    "a branch, oldest first",
    "an author's on a branch",
    "by a metric on a branch",
    "few by a metric",
    "many by a metric",
    "many by two metrics",
    "the best of a branch",
}
# A word that all versions have: the newest thousand are found, and each is looked at.
BY_THE_THOUSAND: dict[str, Address] = {
    "a word of all versions": lambda there: "/v1/search/?q=dropout&type=version",
    "a file of all versions": lambda there: "/v1/search/?q=config.json&type=file",
    "a name of all models": lambda there: "/v1/search/?q=classifier&type=model",
}


@pytest.mark.parametrize("what", READING)
def test_reading_looks_at_little_more_than_it_shows(there: LongHistory, what: str) -> None:
    address, client = READING[what](there), client_of(there.alice)
    with explained() as statements:
        assert_well(client.get(address))
    refuse(statements, most=MOST + 2 * FEW if what in BY_THE_FEW else MOST)


BLOCK = 1 << 14  # rows that search looks through at once, where the thousand are not among fewer


@pytest.mark.parametrize("what", BY_THE_THOUSAND)
def test_searching_looks_at_the_newest_thousand(there: LongHistory, what: str) -> None:
    with explained() as statements:
        assert_well(client_of(there.alice).get(BY_THE_THOUSAND[what](there)))
    refuse(statements, most=2 * (BLOCK + 1000) + 3 * 1000)  # in the index and in the table, and what is shown


PAGES: dict[str, str] = {
    "a project": "/vision/",
    "a project's activity": "/vision/-/activity/",
    "a project's metrics": "/vision/-/metrics/",
    "a model": "/vision/sweep/",
    "versions": "/vision/sweep/versions/",
    "versions of a branch": "/vision/sweep/versions/?branch=side",
    "the graph": "/vision/sweep/graph/",
    "a version": "/vision/sweep/versions/777/",
    "the history of a name": "/vision/sweep/refs/alias/production/",
}


@pytest.mark.parametrize("what", PAGES)
def test_pages_look_at_little_more_than_they_show(there: LongHistory, what: str) -> None:
    client = Client()
    client.force_login(there.alice)
    with explained() as statements:
        assert_well(client.get(PAGES[what]))
    refuse(statements)


def assert_well(response: Any, status: int = 200) -> None:
    assert response.status_code == status, getattr(response, "data", response.content)


# --- Writing


METRICS = [{"name": "accuracy", "value": 0.5}, {"name": "f1", "value": 0.25}]


def body(there: LongHistory, **more: Any) -> dict[str, Any]:
    return {"files": [{"path": "config.json", "sha256": there.config(5)}], "message": "one more", **more}


def post(there: LongHistory, address: str, said: Any, **headers: str) -> Response:
    return client_of(there.alice).post(f"{MODEL}/{address}", said, format="json", headers=headers)


def put(there: LongHistory, address: str, said: Any) -> Response:
    return client_of(there.alice).put(f"{MODEL}/{address}", said, format="json")


WRITING: dict[str, tuple[int, Callable[[LongHistory], Response]]] = {
    "publish": (201, lambda there: post(there, "versions/", body(there, metrics=METRICS))),
    "publish with a key": (201, lambda there: post(there, "versions/", body(there), idempotency_key="a new run")),
    "publish on an expected parent, with names": (
        201,
        lambda there: post(
            there, "versions/", body(there, parent=str(there.split), tag="release-1.0", alias="production")
        ),
    ),
    "publish on a new branch": (201, lambda there: post(there, "versions/", body(there, branch="trial"))),
    "set an alias": (201, lambda there: put(there, "aliases/staging/", {"revision": "777"})),
    "move an alias": (200, lambda there: put(there, "aliases/production/", {"revision": "777"})),
    "take a move back": (200, lambda there: post(there, "aliases/production/rollback/", {})),
    "announce what is there": (200, lambda there: post(there, "uploads/", [{"size": 400, "sha256": there.config(5)}])),
    "announce what is not": (200, lambda there: post(there, "uploads/", [{"size": 1, "sha256": "f" * 64}] * 2)),
    "send a pack": (200, lambda there: send_pack(there.alice, pack_of(b"one", b"two"), model="vision/models/sweep")),
    "log a metric": (201, lambda there: post(there, "versions/777/metrics/", [{"name": "recall", "value": 0.5}])),
    "delete a version": (200, lambda there: client_of(there.alice).delete(f"{MODEL}/versions/778/")),
}


@pytest.mark.parametrize("what", WRITING)
def test_writing_looks_at_little_more_than_it_writes(there: LongHistory, what: str) -> None:
    status, write = WRITING[what]
    with explained() as statements, whole_reads_counted() as whole:
        assert_well(write(there), status)
        connection.check_constraints()  # foreign keys are looked up at the end of a transaction
    refuse(statements)
    assert not whole  # by triggers either


@pytest.fixture
def kept_plans(postgresql: None, there: LongHistory) -> Iterator[None]:
    """Let the session execute by name what comes again, as those of the server's workers do."""
    session: Any = connection.connection
    session.keeps_plans = True
    yield
    session.keeps_plans = False
    session.texts.clear()
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")


AGAIN = 9  # times: a plan is kept after a few, and made without the values after five more


@pytest.mark.parametrize("what", [*READING, *WRITING])
def test_kept_plans_read_no_table_from_its_beginning(kept_plans: None, there: LongHistory, what: str) -> None:
    def work() -> None:
        with transaction.atomic():
            if what in READING:
                assert_well(client_of(there.alice).get(READING[what](there)))
            else:
                status, write = WRITING[what]
                assert_well(write(there), status)
            transaction.set_rollback(True)

    for _ in range(AGAIN):
        work()
    with whole_reads_counted() as whole:
        work()
    assert not whole


@contextmanager
def whole_reads_counted() -> Iterator[dict[str, int]]:
    """Give a dictionary that will tell which growing tables were read from the beginning, how far; empty on SQLite, which does not count."""
    found: dict[str, int] = {}
    before = _whole_reads()
    yield found
    found.update(
        {table: read - before[table] for table, read in _whole_reads().items() if read > before[table] + GLANCE}
    )


def _whole_reads() -> dict[str, int]:
    if connection.vendor != "postgresql":
        return {}
    with closing(connection.create_cursor()) as cursor:  # below what explains
        cursor.execute(
            "SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = ANY(%s)", [sorted(BIG)]
        )
        return dict(cursor.fetchall())


# --- Housekeeping


def test_the_collector_looks_for_what_nothing_uses_some_hundred_at_a_time(there: LongHistory) -> None:
    with explained(only='"used_at" <=') as swept:
        garbage.collect(rehearsal=True)
    assert {table for table in BIG for one in swept if f'FROM "{table}"' in one.sql} == {
        "registry_blob",
        "registry_tree",
    }
    refuse(swept, most=2 * OLD)


def test_verifying_takes_the_longest_unverified_without_looking_for_them(there: LongHistory) -> None:
    """Half of them were verified by a run that was cut off."""
    (settings.LMVP_DATA_DIR / "blobs").mkdir()
    with explained() as statements:
        report = verification.verify(most=5)
    assert report.files == len(report.findings) == 5  # their bytes are not there
    refuse(statements)
