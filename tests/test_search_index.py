"""The index of words is kept by the database itself: a write that goes round the services cannot forget it either."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from registry.models import Occurrence, Project, Ref, RegisteredModel, Tree, Version
from tests.burying import let_sealed_rows_go
from tests.cast import Cast, make_cast, publish

index: Any = importlib.import_module("registry.migrations.0008_search_index")
KINDS = {"project": Project, "model": RegisteredModel, "version": Version, "ref": Ref, "file": Occurrence}


def indexed(kind: str) -> set[int]:
    column = "rowid" if connection.vendor == "sqlite" else "id"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM registry_search_{kind}")
        return {pk for (pk,) in cursor.fetchall()}


def there(kind: str) -> set[int]:
    rows = KINDS[kind].objects.all()
    if kind == "file":
        rows = rows.exclude(digest__in=Tree.objects.values("pk"))
    return set(rows.values_list("pk", flat=True))


def triggers() -> set[str]:
    table = {"sqlite": "sqlite_master WHERE type = 'trigger'", "postgresql": "pg_trigger WHERE NOT tgisinternal"}
    name = "name" if connection.vendor == "sqlite" else "tgname"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM {table[connection.vendor]}")
        return {found for (found,) in cursor.fetchall() if found.startswith("registry_search_")}


@pytest.fixture
def filled(cast: Cast) -> RegisteredModel:
    model = cast.model()
    publish(cast.alice, model, {"a/b": b"1", "c": b"2"}, tag="release")
    publish(cast.alice, model, {"c": b"3"})
    return model


@pytest.mark.django_db
def test_no_migration_has_lost_a_trigger() -> None:
    assert triggers() == {name for name, *_ in index.triggers(index.database(connection))}


def test_every_row_is_indexed_and_no_other(filled: RegisteredModel) -> None:
    for kind in KINDS:
        assert indexed(kind) == there(kind) != set(), kind


def test_deleted_rows_leave_the_index(filled: RegisteredModel) -> None:
    filled.occurrences.filter(path="c").delete()
    Ref.objects.filter(name="release").delete()
    empty = RegisteredModel.objects.create(project=filled.project, name="empty", created_by=filled.created_by)
    assert indexed("model") == there("model")
    empty.delete()
    for kind in KINDS:
        assert indexed(kind) == there(kind) != set(), kind


def test_row_that_was_there_already_is_not_indexed_twice(filled: RegisteredModel) -> None:
    again = list(Occurrence.objects.all())
    for one in again:
        one.pk = None
    Occurrence.objects.bulk_create(again, ignore_conflicts=True)
    assert indexed("file") == there("file")


@pytest.mark.django_db(transaction=True)
def test_migration_indexes_what_is_there_and_can_be_taken_back() -> None:
    cast = make_cast()
    model = cast.model()
    publish(cast.alice, model, {"a/b": b"1", "c": b"2"}, tag="release", message="Wider")
    before = {kind: indexed(kind) for kind in KINDS}
    with connection.schema_editor() as editor:
        index.tear_down(apps, editor)
    assert triggers() == set()
    with connection.schema_editor() as editor:
        index.build(apps, editor)
    assert {kind: indexed(kind) for kind in KINDS} == before
    publish(cast.alice, model, {"d": b"3"})
    for kind in KINDS:
        assert indexed(kind) == there(kind), kind


@pytest.mark.django_db(transaction=True)
def test_emptied_tables_empty_the_index() -> None:
    """By TRUNCATE on PostgreSQL, as between tests."""
    publish((cast := make_cast()).alice, cast.model(), {"a": b"1"}, tag="release")
    let_sealed_rows_go()
    call_command("flush", interactive=False)
    for kind in KINDS:
        assert indexed(kind) == there(kind) == set(), kind
