"""Several at once in one tree, with real threads on PostgreSQL: it stays a tree, and nobody's child loses its parent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.errors import Refusal
from registry.models import Artifact, Hierarchy
from registry.services import artifacts
from registry.services.recordings import Recording
from tests.cast import Cast, make_cast
from tests.test_races import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("postgresql")]


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def record(cast: Cast, parent: Artifact | None = None) -> Artifact:
    place: dict[str, Any] = {"parent_id": parent.pk} if parent else {"project": "vision"}
    return artifacts.record_artifact(actor=cast.bob, recording=Recording(data={}, **place))


def moving(cast: Cast, artifact: Artifact, parent: Artifact) -> Callable[[], Any]:
    recording = Recording(data={}, parent_id=parent.pk)
    return lambda: artifacts.replace_artifact(actor=cast.bob, artifact=artifact, recording=recording)


def codes(results: list[Any]) -> list[str]:
    return [result.code if isinstance(result, Refusal) else "done" for result in results]


def test_two_moves_at_once_make_no_cycle(cast: Cast) -> None:
    for _ in range(5):
        first, second = record(cast), record(cast)
        results = at_once(moving(cast, first, second), moving(cast, second, first))
        assert sorted(codes(results)) == ["cycle", "done"]
        levels = {one.level for one in Artifact.objects.filter(pk__in=[first.pk, second.pk])}
        assert levels == {0, 1}


def test_three_moves_around_make_no_cycle(cast: Cast) -> None:
    one, two, three = (record(cast) for _ in range(3))
    results = at_once(moving(cast, one, two), moving(cast, two, three), moving(cast, three, one))
    assert sorted(codes(results)) == ["cycle", "done", "done"]
    assert sorted(Artifact.objects.values_list("level", flat=True)) == [0, 1, 2]


def test_parent_is_deleted_or_gets_a_child_and_never_both(cast: Cast) -> None:
    for _ in range(8):
        parent = record(cast)
        delete = lambda parent=parent: artifacts.delete_artifact(actor=cast.bob, artifact=parent)  # noqa: E731
        results = at_once(delete, lambda parent=parent: record(cast, parent))
        assert codes(results) in (["done", "unknown_parent"], ["has_children", "done"])
        assert Artifact.objects.filter(parent=parent).exists() == Artifact.objects.filter(pk=parent.pk).exists()


def test_moved_while_a_child_is_recorded_below_keeps_the_levels_right(cast: Cast) -> None:
    for _ in range(5):
        root, node = record(cast), record(cast)
        at_once(moving(cast, node, root), lambda node=node: record(cast, node))
        child = Artifact.objects.select_related("parent__parent").get(parent=node)
        assert [child.level, child.parent.level, child.parent.parent.level] == [2, 1, 0]


def test_default_hierarchy_is_made_once(cast: Cast) -> None:
    results = at_once(*[lambda: record(cast)] * 6)
    assert codes(results) == ["done"] * 6
    assert Hierarchy.objects.count() == 1
