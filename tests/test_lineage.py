"""A version's lineage: what it came from and what came of it, across models and artifacts, as far as the reader may see."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry import lineage
from registry.models import Artifact, Hierarchy, Project, RegisteredModel, Version
from registry.services.projects import create_project
from registry.services.registered_models import create_model
from tests.cast import Cast, client_of, publish
from tests.matchers import JUST_NOW, SHA256, refused

V1 = "http://testserver/v1"


def line(cast: Cast, name: str, project: Project | None = None, kind: str = "model") -> RegisteredModel:
    return create_model(actor=cast.alice, project=project or cast.project, name=name, kind=kind)


def artifact(cast: Cast, number: int, parent: Artifact | None = None, version: Version | None = None) -> Artifact:
    """A node as the artifacts' own calls make it."""
    labels = {"0": "experiment", "1": "model", "2": "predictions"}
    hierarchy, _ = Hierarchy.objects.get_or_create(project=cast.project, name="ml", defaults={"level_labels": labels})
    return Artifact.objects.create(
        id=f"01K1HZX3M5T0Q8R7N2V4W6Y8Z{number}",
        project=cast.project,
        hierarchy=hierarchy,
        parent=parent,
        level=parent.level + 1 if parent else 0,
        version=version,
        created_by=cast.alice,
    )


def lineage_of(user: Any, name: str, **query: Any) -> dict[str, Any]:
    """The lineage of project/model@number, or of a model of `vision`."""
    model, number = name.split("@")
    project, _, model = model.rpartition("/")
    address = f"/v1/projects/{project or 'vision'}/models/{model}/versions/{number}/lineage/"
    response = client_of(user).get(address, query)
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def ids(answer: dict[str, Any]) -> set[str]:
    return {node["id"].removeprefix("vision/") for node in answer["nodes"]}


def edges(answer: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (edge["from"].removeprefix("vision/"), edge["to"].removeprefix("vision/"), edge["kind"])
        for edge in answer["edges"]
    }


@pytest.fixture
def history(cast: Cast) -> None:
    """scans@1 → scans@2; base@1; reader 1 → 2 (from scans@2 and base@1) → 3; student@1 from reader@2; idle@1 from scans@1."""
    scans, base, reader = line(cast, "scans", kind="dataset"), line(cast, "base"), line(cast, "reader")
    student, idle = line(cast, "student"), line(cast, "idle")
    for content in (b"1", b"2"):
        publish(cast.alice, scans, {"scan": content})
    publish(cast.alice, base, {"w": b"base"})
    publish(cast.alice, reader, {"w": b"1"})
    publish(cast.alice, reader, {"w": b"2"}, derived_from=["vision/scans@2", "vision/base@1"], message="Tuned\n\nLong.")
    publish(cast.bob, reader, {"w": b"3"})
    publish(cast.alice, student, {"w": b"s"}, derived_from=["vision/reader@2"])
    publish(cast.alice, idle, {"w": b"i"}, derived_from=["vision/scans@1"])


def test_nodes_and_edges_both_ways(cast: Cast, history: None) -> None:
    answer = lineage_of(cast.dave, "reader@2")
    assert answer["nodes"][0] == {
        "id": "vision/reader@2",
        "type": "version",
        "project": "vision",
        "model": "reader",
        "kind": "model",
        "number": 2,
        "digest": SHA256,
        "title": "Tuned",
        "author": "alice",
        "created_at": JUST_NOW,
        "deprecated": None,
        "trashed": False,
        "url": f"{V1}/projects/vision/models/reader/versions/2/",
    }
    assert (answer["root"], answer["hidden"], answer["truncated"]) == ("vision/reader@2", 0, False)
    assert ids(answer) == {"reader@1", "reader@2", "reader@3", "scans@1", "scans@2", "base@1", "student@1"}
    assert edges(answer) == {
        ("reader@1", "reader@2", "parent"),
        ("reader@2", "reader@3", "parent"),
        ("scans@1", "scans@2", "parent"),
        ("scans@2", "reader@2", "derived"),
        ("base@1", "reader@2", "derived"),
        ("reader@2", "student@1", "derived"),
    }


def test_what_came_of_a_dataset_is_one_call(cast: Cast, history: None) -> None:
    assert ids(lineage_of(cast.dave, "scans@1")) == {
        *("scans@1", "scans@2", "idle@1", "reader@2", "reader@3", "student@1"),
    }


@pytest.mark.parametrize(
    ("depth", "found"),
    [
        (0, {"student@1"}),
        (1, {"student@1", "reader@2"}),
        (2, {"student@1", "reader@2", "reader@1", "scans@2", "base@1"}),
        (20, {"student@1", "reader@2", "reader@1", "scans@2", "base@1", "scans@1"}),
    ],
)
def test_depth_is_steps_each_way(cast: Cast, history: None, depth: int, found: set[str]) -> None:
    assert ids(lineage_of(cast.dave, "student@1", depth=depth)) == found


@pytest.mark.parametrize("depth", ["-1", "21", "all", "1.5", "9" * 40])
def test_depth_has_bounds(cast: Cast, history: None, depth: str) -> None:
    address = f"/v1/projects/vision/models/reader/versions/2/lineage/?depth={depth}"
    assert "depth" in refused(client_of(cast.dave).get(address), 400, "invalid")["fields"]


def test_artifacts_around_a_version(cast: Cast, history: None) -> None:
    reader = Version.objects.get(model__name="reader", number=2)
    experiment = artifact(cast, 0)
    model = artifact(cast, 1, experiment, reader)
    artifact(cast, 2, model, Version.objects.get(model__name="idle"))
    artifact(cast, 3, experiment)  # a sister: neither before nor after
    answer = lineage_of(cast.dave, "reader@2", depth=2)
    nodes = {node["id"]: node for node in answer["nodes"]}
    assert nodes[model.pk] == {
        "id": model.pk,
        "type": "artifact",
        "project": "vision",
        "hierarchy": "ml",
        "level": 1,
        "label": "model",
        "created_at": JUST_NOW,
        "url": f"{V1}/artifacts/{model.pk}/",
    }
    assert {key[-1] for key in nodes if key.startswith("01K")} == set("012")
    assert {(one[-1], other[-1], kind) for one, other, kind in edges(answer) if "01K" in one} == {
        ("0", "1", "child"),
        ("1", "2", "child"),
    }
    assert ("reader@2", model.pk, "artifact") in edges(answer)
    assert "idle@1" in ids(lineage_of(cast.dave, "reader@2", depth=3))


def test_what_the_reader_may_not_see_is_counted_and_ends_there(cast: Cast, history: None) -> None:
    secret = create_project(actor=cast.alice, name="secret")
    publish(cast.alice, line(cast, "tool", secret), {"w": b"t"}, derived_from=["vision/scans@2"])
    beyond = line(cast, "beyond")
    publish(cast.alice, beyond, {"w": b"b"}, derived_from=["secret/tool@1"])
    assert {"secret/tool@1", "beyond@1"} <= ids(lineage_of(cast.alice, "scans@2"))
    answer = lineage_of(cast.dave, "scans@2")
    assert answer["hidden"] == 1
    assert "secret" not in str(answer)
    assert "beyond@1" not in ids(answer)
    assert lineage_of(cast.dave, "beyond@1")["nodes"][1:] == []
    assert lineage_of(cast.dave, "beyond@1")["hidden"] == 1


def test_artifacts_of_another_project_are_hidden_too(cast: Cast, history: None) -> None:
    node = artifact(cast, 0, version=Version.objects.get(model__name="base"))
    secret = create_project(actor=cast.alice, name="secret")
    Artifact.objects.filter(pk=node.pk).update(project=secret)
    assert (lineage_of(cast.dave, "base@1")["hidden"], lineage_of(cast.alice, "base@1")["hidden"]) == (1, 0)


def test_trashed_version_keeps_its_place_and_loses_its_words(cast: Cast, history: None) -> None:
    Version.objects.filter(model__name="reader", number=2).update(trashed_at="2026-01-01T00:00:00Z")
    (node,) = [node for node in lineage_of(cast.dave, "student@1")["nodes"] if node["model"] == "reader"][:1]
    assert (node["number"], node["digest"], node["title"], node["url"], node["trashed"]) == (2, SHA256, "", None, True)


def test_as_many_nodes_as_a_page_can_show(cast: Cast, history: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MOST_NODES", 4)
    answer = lineage_of(cast.dave, "reader@2")
    assert (len(answer["nodes"]), answer["truncated"]) == (4, True)
    assert all({edge["from"], edge["to"]} <= {node["id"] for node in answer["nodes"]} for edge in answer["edges"])


def test_as_many_links_of_one_kind_as_can_be_followed(
    cast: Cast, history: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "MOST_LINKS", 1)
    answer = lineage_of(cast.dave, "reader@2", depth=1)
    assert answer["truncated"]
    assert ids(answer) == {"reader@1", "reader@2", "reader@3", "base@1", "student@1"}


def test_queries_grow_with_levels_and_not_with_nodes(cast: Cast, history: None) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            lineage_of(cast.dave, "scans@2", depth=1)
        return len(queries)

    few = asked()
    for number in range(5):
        publish(cast.alice, line(cast, f"more-{number}"), {"w": b"w"}, derived_from=["vision/scans@2", "vision/base@1"])
    assert asked() == few
