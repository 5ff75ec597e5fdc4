"""Rows by one short INSERT are those that Django's own save() writes, whatever the types of their values."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import Name
from lmvp.inserting import insert, insert_missing
from registry.models import Blob, Metric, RegisteredModel, Upload, Version
from registry.services.metrics import Measured
from tests.cast import Cast, publish

pytestmark = pytest.mark.django_db
THEN = datetime(2026, 3, 3, 12, tzinfo=UTC)
DIGEST = "ab" * 32


@pytest.fixture
def version(cast: Cast, model: RegisteredModel) -> Version:
    return publish(cast.bob, model, {"a": b"1"}, metrics=[Measured("loss", 0.5)])


def rows_of(model: Any) -> list[dict[str, Any]]:
    keys = [field.attname for field in model._meta.concrete_fields if field.attname not in ("id", "created_at")]
    return [{key: getattr(row, key) for key in keys} for row in model.objects.order_by("pk")]


def test_rows_are_those_that_save_writes(cast: Cast, model: RegisteredModel) -> None:
    def uploads() -> list[Upload]:
        common = {"project_id": model.project_id, "model": model, "actor": cast.bob, "expires_at": THEN}
        return [
            Upload(**common, size=5),
            Upload(**common, size=5, sha256=DIGEST, offset=5, stored_at=THEN, pieces=[["piece", 5]]),
            Upload(
                **common, size=Decimal(7), refused="size_mismatch", leased_until=THEN
            ),  # of a type that is converted
        ]

    mine, theirs = uploads(), uploads()
    insert(*mine)
    written = sorted(rows_of(Upload), key=str)
    Upload.objects.all().delete()
    for row in theirs:
        row.save(force_insert=True)
    expected = sorted(rows_of(Upload), key=str)
    for row in (*written, *expected):
        row.pop("alive_at", None)
    assert written == expected


def test_a_value_of_another_type_is_converted_as_save_does(version: Version) -> None:
    insert(Metric(version=version, model=version.model, name="f1", value=1, latest=1, step=3.0, author=version.author))
    found = Metric.objects.get(name="f1")
    assert (found.value, found.latest, found.step) == (1.0, True, 3)


def test_many_rows_take_few_statements_and_keep_their_keys(cast: Cast, model: RegisteredModel) -> None:
    rows = [Upload(project_id=model.project_id, model=model, actor=cast.bob, size=size) for size in range(200)]
    keys = [row.pk for row in rows]
    with CaptureQueriesContext(connection) as captured:
        insert(*rows)
    assert len(captured) < 20
    assert [row.pk for row in rows] == keys
    assert dict(Upload.objects.values_list("pk", "size")) == {key: size for size, key in enumerate(keys)}
    assert not any(row._state.adding for row in rows)


def test_inserted_rows_are_whole_and_know_their_keys(version: Version) -> None:
    author = version.author
    rows = [
        Metric(version=version, model_id=version.model_id, name=f"m{n:03}", value=n / 7, author=author)
        for n in range(120)
    ]
    insert(*rows)
    assert all(row.pk and row.created_at and not row._state.adding for row in rows)
    assert [row.pk for row in rows] == sorted(row.pk for row in rows)
    there = Metric.objects.in_bulk([row.pk for row in rows])
    for row in rows:
        assert {**vars(there[row.pk]), "_state": None} == {
            **{name: value for name, value in vars(row).items() if name != "_state"},
            "_state": None,
        }


def test_what_may_not_be_inserted_leaves_nothing(version: Version) -> None:
    def row(name: str) -> Metric:
        return Metric(version=version, model_id=version.model_id, name=name, value=1.0, author=version.author)

    before = Metric.objects.count()
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(row("fresh"), row("loss"))
    assert Metric.objects.count() == before
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(Name(name="alice"))  # a key of its own, and taken


def test_what_is_there_already_stays_as_it_is(model: RegisteredModel) -> None:
    insert(Blob(pk=DIGEST, size=1))
    insert_missing(Blob(pk=pk, size=2) for pk in ("cd" * 32, DIGEST, "ef" * 32, "cd" * 32))
    assert dict(Blob.objects.values_list("pk", "size")) == {DIGEST: 1, "cd" * 32: 2, "ef" * 32: 2}


def test_nothing_is_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        insert()
        insert_missing([])
