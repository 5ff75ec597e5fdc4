"""Queries compiled once find what their querysets find, whatever they are asked with; rows written short are whole rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import AccessToken
from accounts.services.access_tokens import create_access_token
from lmvp.prepared import prepared, prepared_page, prepared_update
from registry.models import Membership, RegisteredModel, Role, Version
from registry.services.metrics import Measured
from tests.cast import Cast, publish

HOSTILE = ["classifier", "CLASSIFIER", "no such", "a' OR '1'='1", "%s", "é\x1f", '"; DROP TABLE x']


@pytest.fixture
def versions(cast: Cast) -> list[Version]:
    model = cast.model()
    return [publish(cast.alice, model, {"a.bin": b"%d" % n}, metrics=[Measured("loss", n / 10)]) for n in range(6)]


@pytest.fixture
def built() -> Iterator[list[tuple[Any, ...]]]:
    """What the functions of a test were called with."""
    return []


def test_rows_are_those_of_the_queryset_with_what_is_joined_and_annotated(cast: Cast, versions) -> None:
    def build(user: int | None, name: str) -> QuerySet[RegisteredModel]:
        rows = RegisteredModel.objects.select_related("project__created_by").with_role_of(user)
        return rows.filter(name=name)

    ask = prepared(build)
    for user in (cast.alice.pk, cast.dave.pk, cast.charlie.pk, None):
        for name in HOSTILE:
            expected = [{**vars(row), "_state": None} for row in build(user, name)]
            assert [{**vars(row), "_state": None} for row in ask(user, name)] == expected
    [model] = ask(cast.dave.pk, "classifier")
    assert (model.role, model.project.created_by) == (Role.VIEWER, cast.alice)
    assert not model._state.adding


def test_a_list_of_any_length_is_one_of_few_queries(versions, built) -> None:
    @prepared
    def numbers(ids: list[int]) -> QuerySet[Any, tuple[int]]:
        built.append(tuple(ids))
        return Version.objects.filter(pk__in=ids).order_by("number").values_list("number")

    for length in range(1, 7):
        assert numbers([version.pk for version in versions[:length]]) == [(n,) for n in range(1, length + 1)]
    assert [len(ids) for ids in built] == [1, 2, 4, 8]


def test_none_truth_and_members_of_enumerations_are_queries_of_their_own(cast: Cast, built) -> None:
    @prepared
    def members(role: Role | None, active: bool, since: datetime) -> QuerySet[Any, tuple[str]]:
        built.append((role, active))
        rows = Membership.objects.filter(user__is_active=active, created_at__gte=since)
        return (
            (rows if role is None else rows.filter(role=role)).values_list("user__username").order_by("user__username")
        )

    past, future = timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1)
    assert members(Role.MAINTAINER, True, past) == [("carol",)]
    assert members(Role.OWNER, True, past) == [("alice",)]
    assert members(None, True, past) == [("alice",), ("bob",), ("carol",), ("dave",)]
    assert members(None, False, past) == members(None, True, future) == []
    assert built == [(Role.MAINTAINER, True), (Role.OWNER, True), (None, True), (None, False)]


def test_a_page_has_so_many_rows_at_most(versions) -> None:
    @prepared_page
    def newest(model: int) -> QuerySet[Version]:
        return Version.objects.filter(model=model).order_by("-number").defer("message")

    model = versions[0].model_id
    assert [version.number for version in newest(2, model)] == [6, 5]
    assert len(newest(50, model)) == 6
    assert newest(1, model)[0].get_deferred_fields() == {"message"}


def test_an_update_changes_its_rows_and_says_how_many(cast: Cast) -> None:
    tokens = [create_access_token(actor=cast.alice, name=name, scope="read")[0] for name in "abc"]

    @prepared_update
    def rename(ids: list[int], name: str, now: datetime) -> tuple[QuerySet[AccessToken], dict[str, Any]]:
        return AccessToken.objects.filter(pk__in=ids), {"name": name, "last_used_at": now}

    now = timezone.now()
    assert rename([tokens[0].pk], "it's", now) == 1
    assert rename([token.pk for token in tokens], "100%s", now) == 3
    assert rename([0], "nobody", now) == 0
    assert set(AccessToken.objects.values_list("name", "last_used_at")) == {("100%s", now)}
