"""PostgreSQL keeps the plans of hot statements in the server's own sessions: with the same rows, and not for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import NotSupportedError, connection
from django.db.models import QuerySet
from django.utils import timezone

from lmvp.prepared import prepared, prepared_page, prepared_update
from registry.models import Blob, Membership, RegisteredModel, Role
from tests.cast import Cast

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = ["classifier", "a' OR '1'='1", "%s", "$1", "é\x1f", "*/ DROP TABLE x /*", "\\"]


@pytest.fixture
def plans(postgresql: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The sessions of a process that answers requests, as in the server's workers."""
    from lmvp.postgresql import base, plans

    connection.close()
    monkeypatch.setattr(base, "_connections", base.Connections(keeping=True))
    yield plans
    connection.close()


def kept() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements ORDER BY name")
        return [statement for (statement,) in cursor.fetchall()]


def test_what_comes_again_and_again_is_executed_by_name_and_finds_the_same(cast: Cast, model, plans: Any) -> None:
    def build(name: str, now: datetime) -> QuerySet[RegisteredModel]:
        rows = RegisteredModel.objects.filter(name=name, created_at__lte=now, trashed_at=None)
        return rows.exclude(description="100% */ of /* it").select_related("project")

    ask, now = prepared(build), timezone.now()
    for name in HOSTILE * 2:
        assert [row.pk for row in ask(name, now)] == [row.pk for row in build(name, now)]
    [statement] = [one for one in kept() if "registry_registeredmodel" in one]
    assert "$1" in statement
    assert "$2" in statement
    assert "100% */ of /* it" in statement, "what never changes stands there itself"


def test_updates_are_executed_by_name_and_pages_are_planned_for_their_values(cast: Cast, model, plans: Any) -> None:
    @prepared_page
    def newest(project: int) -> QuerySet[RegisteredModel]:
        return RegisteredModel.objects.filter(project=project).order_by("-pk")

    @prepared_update
    def rename(pks: list[int], name: str) -> tuple[QuerySet[RegisteredModel], dict[str, Any]]:
        return RegisteredModel.objects.filter(pk__in=pks), {"description": name}

    for text in HOSTILE:
        assert len(newest(5, model.project_id)) == 1
        assert rename([model.pk], text) == 1
        assert rename([0], text) == 0
    model.refresh_from_db()
    assert model.description == HOSTILE[-1]
    assert [statement.split()[3] for statement in kept()] == ["UPDATE"]


def test_what_never_changes_makes_a_plan_of_its_own(cast: Cast, plans: Any) -> None:
    @prepared
    def members(role: Role, project: int) -> QuerySet[Any, tuple[str]]:
        return Membership.objects.filter(role=role, project=project).values_list("user__username")

    for _ in range(plans.WORTH + 1):
        assert members(Role.OWNER, cast.project.pk) == [("alice",)]
        assert members(Role.MAINTAINER, cast.project.pk) == [("carol",)]
    assert len(kept()) == 2


def test_what_comes_seldom_is_not_kept(cast: Cast, model, plans: Any) -> None:
    @prepared
    def named(name: str) -> QuerySet[RegisteredModel]:
        return RegisteredModel.objects.filter(name=name, description="seldom")

    named("classifier")
    assert kept() == []


def test_a_column_of_another_type_is_met_once(cast: Cast, plans: Any) -> None:
    @prepared
    def sizes(digest: str) -> QuerySet[Any, tuple[int]]:
        return Blob.objects.filter(pk=digest).values_list("size")

    def change(kind: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE registry_blob ALTER COLUMN size TYPE {kind}")

    Blob.objects.create(pk="ab" * 32, size=5)
    for _ in range(plans.WORTH):
        assert sizes("ab" * 32) == [(5,)]
    change("numeric")
    try:
        with pytest.raises(NotSupportedError):
            sizes("ab" * 32)
        assert sizes("ab" * 32) == [(5,)]
    finally:
        change("bigint")


def test_sessions_are_kept_for_a_while(cast: Cast, plans: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def session() -> int:
        connection.ensure_connection()
        pid: int = connection.connection.info.backend_pid
        connection.close()
        return pid

    first = session()
    assert session() == first
    monkeypatch.setattr(plans, "LONGEST", -1.0)
    session()
    assert session() != first
