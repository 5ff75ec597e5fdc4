"""Lines of first parents are told by strands: the same versions as a walk finds, however the history branches and merges."""

from __future__ import annotations

import random
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models.expressions import RawSQL
from django.test.utils import CaptureQueriesContext

from registry.models import Metric, RegisteredModel, Version, VersionParent
from registry.models.strands import FEW, FIRST_PARENTS, MOST_PARTS, strand_behind
from registry.services.merging import merge
from registry.services.metrics import Measured
from registry.services.refs import Move, create_ref, set_ref
from tests.cast import Cast, client_of, publish

pytestmark = pytest.mark.django_db
VERSIONS = "/v1/projects/vision/models/classifier/versions/"


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    return cast.model()


def version(cast: Cast, model: RegisteredModel, branch: str = "main", **more: Any) -> Version:
    return publish(cast.bob, model, {branch: str(model.last_number).encode()}, branch=branch, **more)


def strands(model: RegisteredModel) -> dict[int, int | None]:
    """By the number of each version that has a parent, the number at which its strand began; None: here."""
    number_of = dict(model.versions.values_list("pk", "number"))
    links = VersionParent.objects.filter(version__model=model, position=0).order_by("version")
    return {number_of[pk]: number_of.get(strand) for pk, strand in links.values_list("version", "strand")}


def walked(head: Version) -> list[int]:
    rows = Version.objects.filter(pk__in=RawSQL(FIRST_PARENTS, [head.pk]))
    return list(rows.order_by("number").values_list("number", flat=True))


def told(head: Version) -> list[int]:
    return list(Version.objects.on_line_of(head).order_by("number").values_list("number", flat=True))


def test_a_branch_is_one_strand_and_one_that_leaves_it_another(cast: Cast, model: RegisteredModel) -> None:
    for branch in ("main", "main", "wide", "wide", "main", "wide"):
        version(cast, model, branch)
    assert strands(model) == {2: 1, 3: None, 4: 3, 5: 1, 6: 3}
    assert told(model.versions.get(number=6)) == [1, 2, 3, 4, 6]
    assert told(model.versions.get(number=5)) == [1, 2, 5]
    assert told(model.versions.get(number=1)) == [1]


def test_a_branch_that_was_set_back_begins_another_strand(cast: Cast, model: RegisteredModel) -> None:
    for _ in range(3):
        version(cast, model)
    create_ref(actor=cast.alice, model=model, move=Move("tag", "lost", "3"))
    set_ref(actor=cast.alice, model=model, move=Move("branch", "main", "1"))
    for _ in range(2):
        version(cast, model)
    assert strands(model) == {2: 1, 3: 1, 4: None, 5: 4}
    assert told(model.versions.get(number=5)) == [1, 4, 5]
    assert told(model.versions.get(number=3)) == [1, 2, 3]


def test_a_merge_goes_on_with_the_strand_of_its_branch(cast: Cast, model: RegisteredModel) -> None:
    version(cast, model)
    version(cast, model, "wide")
    version(cast, model)
    merge(actor=cast.bob, model=model, source="wide", target="main")
    assert strands(model) == {2: None, 3: 1, 4: 1}
    assert told(model.versions.get(number=4)) == [1, 3, 4]


def name_strands() -> None:
    """As the migration does with what was published before."""
    migration = import_module("registry.migrations.0018_strands_of_versions")
    migration.name_strands(apps, SimpleNamespace(connection=connection))


# --- Whatever the history


def grown(base: Version, count: int, chance: random.Random, unnamed: float) -> list[Version]:
    """Versions on top of any earlier ones, on three branches, with two parents: as publishing names their strands.

    `unnamed`: how many of them were published by a server that knew no strands.
    """
    model, made = base.model, [base]
    same = {name: getattr(base, name) for name in ("tree_id", "author", "author_name", "created_at")}
    for number in range(base.number + 1, base.number + count + 1):
        parent = made[-1] if chance.random() < 0.5 else chance.choice(made)
        branch = parent.branch if chance.random() < 0.7 else chance.choice(["main", "wide", "deep"])
        strand = strand_behind(parent, branch) if chance.random() >= unnamed else None
        one = Version.objects.create(model=model, number=number, digest=f"{number:064x}", branch=branch, **same)
        VersionParent.objects.create(version=one, parent=parent, position=0, strand=strand)
        VersionParent.objects.create(version=one, parent=chance.choice(made), position=1)
        made.append(one)
    return made


def straight(first: Version, count: int, loss: float | None = None) -> Version:
    """A strand that goes on for longer than there is time to publish; return its end."""
    model, same = first.model, ("tree_id", "author", "author_name", "branch", "created_at")
    numbers = range(first.number + 1, first.number + count + 1)
    made = Version.objects.bulk_create(
        Version(model=model, number=number, digest=f"{number:064x}", **{name: getattr(first, name) for name in same})
        for number in numbers
    )
    strand = strand_behind(first, first.branch)
    VersionParent.objects.bulk_create(
        VersionParent(version=child, parent=parent, strand=strand)
        for parent, child in zip([first, *made], made, strict=False)
    )
    if loss is not None:
        Metric.objects.bulk_create(
            Metric(version=one, model=model, name="loss", value=loss, latest=True, author=first.author) for one in made
        )
    return [first, *made][-1]


@pytest.mark.parametrize("below", [0, FEW])
@pytest.mark.parametrize(("seed", "unnamed"), [(1, 0.0), (2, 0.0), (3, 0.1), (4, 0.5), (5, 1.0)])
def test_every_line_is_the_one_that_a_walk_finds(
    cast: Cast, model: RegisteredModel, seed: int, unnamed: float, below: int
) -> None:
    other = version(cast, cast.model("other"))
    made = grown(straight(version(cast, model), below), 80, random.Random(seed), unnamed)
    expected = [walked(head) for head in made]
    assert [line[-1] for line in expected] == [head.number for head in made]
    assert [told(head) for head in made] == expected
    name_strands()
    assert [told(head) for head in made] == expected
    assert told(other) == [1]


@pytest.mark.parametrize("below", [0, FEW])
def test_lists_of_a_branch_in_every_order(cast: Cast, model: RegisteredModel, below: int) -> None:
    head = straight(version(cast, model), below)
    RegisteredModel.objects.filter(pk=model.pk).update(last_number=head.number)
    model.refs.filter(name="main").update(version=head)
    for number, branch in enumerate(("main", "wide", "wide", "main", "wide", "deep", "deep")):
        version(cast, model, branch, metrics=[Measured("loss", [0.25, 0.5, 0.75, 0.5][number % 4])])
    ask = client_of(cast.dave).get

    def numbers(**said: str) -> list[int]:
        return [found["number"] - below for found in ask(VERSIONS, said).json()["results"]]

    assert numbers(branch="wide", order_by="number", **{"metric:loss__gt": "0"}) == [2, 3, 4, 6]
    assert numbers(branch="wide", order_by="metric:loss") == [2, 6, 3, 4]
    assert numbers(branch="wide", order_by="-metric:loss") == [4, 3, 6, 2]
    assert numbers(branch="wide", order_by="number", **{"metric:loss__lt": "0.5"}) == [2, 6]
    assert numbers(branch="main", order_by="-metric:loss", author="bob") == [5, 2]
    best = ask("/v1/projects/vision/models/classifier/best/", {"metric": "loss", "branch": "main", "goal": "max"})
    assert best.json()["number"] - below == 5


def test_a_line_through_very_many_strands_is_walked(cast: Cast, model: RegisteredModel) -> None:
    for number in range(MOST_PARTS + 5):
        made = version(cast, model, f"b{number}", parent=str(number) if number else None)
    assert set(strands(model).values()) == {None}
    with CaptureQueriesContext(connection) as captured:
        assert told(made) == walked(made) == list(range(1, MOST_PARTS + 6))
    assert len(captured) == 3


# --- What was published before


def test_the_migration_names_what_publishing_would_have_named(cast: Cast, model: RegisteredModel) -> None:
    other = cast.model("other")
    for branch in ("main", "main", "wide", "main", "wide"):
        version(cast, model, branch)
        version(cast, other, branch)
    merge(actor=cast.bob, model=model, source="wide", target="main")
    named = strands(model), strands(other)
    VersionParent.objects.update(strand=None)
    name_strands()
    assert (strands(model), strands(other)) == named


# --- At size


def test_postgresql_looks_at_one_page_of_a_long_line(cast: Cast, model: RegisteredModel) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("about PostgreSQL's planner")
    head = straight(version(cast, model), 4 * FEW)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    plan = Version.objects.filter(model=model).on_line_of(head).order_by("number")[:51].explain(analyze=True)
    assert "SubPlan" in plan
    assert "hashed SubPlan" not in plan  # a table of the whole line
    assert "Sort" not in plan


def test_as_many_queries_for_a_long_line_as_for_a_short_one(cast: Cast, model: RegisteredModel) -> None:
    ask, first = client_of(cast.dave), version(cast, model, metrics=[Measured("loss", 1.0)])
    first = version(cast, model, metrics=[Measured("loss", 0.75)])
    addresses = [f"{VERSIONS}?branch=main&order_by={order}" for order in ("number", "metric:loss", "-metric:loss")]

    def count() -> list[int]:
        found = []
        for address in addresses:
            with CaptureQueriesContext(connection) as captured:
                assert ask.get(address).status_code == 200
            found.append(len(captured))
        return found

    straight(first, 2, loss=0.5)
    few = count()
    model.refs.filter(name="main").update(version=straight(model.versions.latest("number"), 2 * FEW, loss=0.25))
    assert count() == few
