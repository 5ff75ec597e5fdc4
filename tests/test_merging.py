"""Merging a revision into a branch: forward when possible, three ways otherwise, and never silently in a conflict."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from registry import tree_merging, trees
from registry.ancestry import common_ancestors
from registry.errors import Conflict, Forbidden, Invalid
from registry.models import Event, Occurrence, Ref, RefMove, RegisteredModel, Tree, Version
from registry.services.merging import Outcome, merge
from registry.services.refs import Move, set_ref
from registry.services.versions import File, Publication, publish_version
from registry.trees import Entry
from tests.burying import bury
from tests.cast import Cast, client_of, publish, send
from tests.matchers import JUST_NOW, SHA256, nothing_left_behind, refused

URL = "/v1/projects/vision/models/classifier/merge/"
BASE = {"README.md": b"# hello", "a/x": b"1", "a/y": b"2", "b/z": b"3"}


def at(content: bytes, mode: str = "100644") -> dict[str, object]:
    return {"digest": hashlib.sha256(content).hexdigest(), "size": len(content), "mode": mode}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def on(cast: Cast, model: RegisteredModel, branch: str, files: dict[str, bytes], **more: Any) -> Version:
    """Publish changes on a branch; a new one starts at the head of main."""
    return publish(cast.bob, model, files, branch=branch, **more)


def forked(
    cast: Cast,
    source: dict[str, bytes],
    target: dict[str, bytes],
    *,
    base: dict[str, bytes] = BASE,
    source_removes: tuple[str, ...] = (),
    target_removes: tuple[str, ...] = (),
) -> RegisteredModel:
    """A model with version 1 on main, 2 on `wider`, and 3 on main again."""
    model = cast.model()
    publish(cast.bob, model, base)
    on(cast, model, "wider", source, remove=source_removes)
    on(cast, model, "main", target, remove=target_removes)
    return model


def merged(cast: Cast, model: RegisteredModel, **more: Any) -> Version:
    version, outcome = merge(actor=cast.bob, model=model, source="wider", target="main", **more)
    assert outcome is Outcome.MERGED
    return version


def files_of(version: Version) -> dict[str, tuple[str, str]]:
    """Path → digest and mode."""
    places = trees.files_between(Tree.objects.contents_of, version.tree_id)
    return {place.path: (place.entry.digest, place.entry.mode) for place in places}


def plain(files: dict[str, bytes]) -> dict[str, tuple[str, str]]:
    return {path: (sha(content), "100644") for path, content in files.items()}


def conflict(cast: Cast, model: RegisteredModel, **more: Any) -> dict[str, Any]:
    """Merge, be refused for conflicts, and return what the refusal says of them."""
    with pytest.raises(Conflict) as refusal, nothing_left_behind():
        merge(actor=cast.bob, model=model, source="wider", target="main", **more)
    assert refusal.value.code == "merge_conflict"
    return refusal.value.fields


# --- What comes of it


def test_changes_of_both_sides_are_together_in_a_version_with_two_parents(cast: Cast) -> None:
    model = forked(cast, {"a/x": b"11", "a/new": b"4"}, {"b/z": b"33"}, target_removes=("README.md",))
    source, target = model.versions.get(number=2), model.versions.get(number=3)
    response = client_of(cast.bob).post(URL, {"source": "wider", "target": "main"})
    assert response.status_code == 201, response.json()
    assert response.json() == {
        "project": "vision",
        "model": "classifier",
        "number": 4,
        "digest": SHA256,
        "tree": SHA256,
        "parents": [{"number": 3, "digest": target.digest}, {"number": 2, "digest": source.digest}],
        "branch": "main",
        "author": "bob",
        "message": "Merge wider into main",
        "metadata": {},
        "created_at": JUST_NOW,
        "refs": [{"kind": "branch", "name": "main"}],
        "metrics": {},
        "files": {"count": 4, "size": 6},
        "deprecated": None,
        "derived_from": [],
        "url": "http://testserver/v1/projects/vision/models/classifier/versions/4/",
        "merge": "merged",
    }
    version = model.versions.get(number=4)
    assert files_of(version) == plain({"a/x": b"11", "a/y": b"2", "a/new": b"4", "b/z": b"33"})
    assert Ref.objects.get(model=model, name="main").version == version
    assert Ref.objects.get(model=model, name="wider").version == source
    event = Event.objects.latest("id")
    assert (event.action, event.subject, event.actor) == ("version.published", "vision/classifier v4", cast.bob)
    assert event.after == {"digest": version.digest, "branch": "main", "merged": 2}
    move = RefMove.objects.latest("id")
    assert (move.name, move.from_version, move.to_version, move.comment) == (
        *("main", target, version),
        "Merge wider into main",
    )


def test_what_came_in_is_still_brought_by_the_version_that_brought_it(cast: Cast) -> None:
    model = forked(cast, {"a/new": b"4"}, {"b/z": b"33"})
    merged(cast, model)
    listed = client_of(cast.dave).get("/v1/projects/vision/models/classifier/versions/4/tree/?recursive=true").json()
    assert {entry["path"]: entry["version"] for entry in listed["results"]} == {
        "README.md": 1, "a/new": 2, "a/x": 1, "a/y": 1, "b/z": 3,
    }  # fmt: skip
    assert not Occurrence.objects.filter(first_version__number=4).exclude(path="a").exists(), "nothing came but paths"


def test_branch_whose_head_the_source_stands_on_moves_forward(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, BASE)
    source = on(cast, model, "wider", {"a/x": b"11"})
    with nothing_left_behind(but=(Event, RefMove)):
        response = client_of(cast.bob).post(URL, {"source": "wider", "target": "main", "message": "Take it\n\nall"})
    assert response.status_code == 200
    answer = response.json()
    assert (answer["number"], answer["digest"], answer["merge"]) == (2, source.digest, "fast_forward")
    assert Ref.objects.get(model=model, name="main").version == source
    move = RefMove.objects.latest("id")
    assert (move.name, move.from_version.number, move.to_version.number) == ("main", 1, 2)  # type: ignore[union-attr]
    assert move.comment == "Take it"
    (event,) = Event.objects.filter(action="branch.moved")
    assert (event.subject, event.before, event.after) == (
        *("vision/classifier@main", {"version": 1}),
        {"version": 2, "comment": "Take it"},
    )


@pytest.mark.parametrize("source", ["main", "1", "wider", "latest"])
def test_nothing_is_written_where_the_branch_stands_on_the_source_already(cast: Cast, source: str) -> None:
    model = forked(cast, {"a/x": b"11"}, {"b/z": b"33"})
    head = merged(cast, model)
    with nothing_left_behind():
        response = client_of(cast.bob).post(URL, {"source": source, "target": "main", "expected": "1"})
    assert response.status_code == 200
    answer = response.json()
    assert (answer["number"], answer["digest"], answer["merge"]) == (4, head.digest, "up_to_date")


def test_second_merge_starts_where_the_first_one_ended(cast: Cast) -> None:
    model = forked(cast, {"a/x": b"11"}, {"a/x": b"12"})
    merged(cast, model, resolve={"a/x": "target"})
    on(cast, model, "wider", {"a/y": b"22"})
    version = merged(cast, model)
    assert files_of(version) == plain(BASE | {"a/x": b"12", "a/y": b"22"}), "no conflict is asked about twice"


def test_the_same_change_on_both_sides_is_no_conflict(cast: Cast) -> None:
    model = forked(cast, {"a/x": b"11", "new": b"4"}, {"a/x": b"11", "new": b"4"}, source_removes=("b/z",))
    assert files_of(merged(cast, model)) == plain({"README.md": b"# hello", "a/x": b"11", "a/y": b"2", "new": b"4"})


def test_file_moved_on_one_side_and_directory_deleted_on_the_other(cast: Cast) -> None:
    model = forked(cast, {"a/moved": b"1"}, {"c/n": b"5"}, source_removes=("a/x",), target_removes=("b",))
    assert files_of(merged(cast, model)) == plain({"README.md": b"# hello", "a/moved": b"1", "a/y": b"2", "c/n": b"5"})


def test_file_becomes_a_directory_where_the_other_side_left_it_alone(cast: Cast) -> None:
    model = forked(cast, {"README.md/en": b"hello"}, {"b/z": b"33"}, source_removes=("README.md",))
    version = merged(cast, model)
    assert files_of(version) == plain({"README.md/en": b"hello", "a/x": b"1", "a/y": b"2", "b/z": b"33"})


def test_message_and_metadata(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, BASE, metadata={"lr": 1, "kept": 0, "same": 1, "flag": 1})
    on(cast, model, "wider", {"a/x": b"11"}, metadata={"lr": 2, "both": "source", "same": 1, "flag": True})
    on(cast, model, "main", {"b/z": b"33"}, metadata={"lr": 1, "kept": 0, "both": "target", "same": 3, "flag": 1})
    version = merged(cast, model, message="Together\n\nat last")
    assert version.title == "Together"
    assert version.metadata == {"lr": 2, "kept": 0, "both": "source", "same": 3, "flag": True}


def test_together_too_much_metadata_is_refused(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, BASE)
    on(cast, model, "wider", {"a/x": b"11"}, metadata={"one": "x" * 40_000})
    on(cast, model, "main", {"b/z": b"33"}, metadata={"two": "x" * 40_000})
    with nothing_left_behind():
        refused(client_of(cast.bob).post(URL, {"source": "wider", "target": "main"}), 400, "metadata_too_large")


# --- Conflicts


def test_conflicts_are_told_with_both_sides_and_nothing_is_written(cast: Cast) -> None:
    model = forked(
        cast,
        {"README.md": b"# source", "a/x": b"11", "new": b"s", "quiet": b"s"},
        {"README.md": b"# target", "new": b"target", "b/z": b"33"},
        source_removes=("b",),
        target_removes=("a/x",),
    )
    with nothing_left_behind():
        response = client_of(cast.bob).post(URL, {"source": "2", "target": "main"})
    assert refused(response, 409, "merge_conflict")["fields"] == {
        "count": 4,
        "conflicts": [
            {"path": "README.md", "base": at(b"# hello"), "source": at(b"# source"), "target": at(b"# target")},
            {"path": "a/x", "base": at(b"1"), "source": at(b"11"), "target": None},
            {"path": "b/z", "base": at(b"3"), "source": None, "target": at(b"33")},
            {"path": "new", "base": None, "source": at(b"s"), "target": at(b"target")},
        ],
    }
    picks = {"README.md": "source", "a/x": "target", "b/z": "source", "new": "target"}
    rest = conflict(cast, model, resolve={"README.md": "source", "new": "target"})
    assert [one["path"] for one in rest["conflicts"]] == ["a/x", "b/z"], "what is left to be said"
    response = client_of(cast.bob).post(URL, {"source": "2", "target": "main", "resolve": picks})
    assert (response.status_code, response.json()["merge"]) == (201, "merged")
    assert files_of(model.versions.get(number=4)) == plain(
        {"README.md": b"# source", "a/y": b"2", "new": b"target", "quiet": b"s"}
    )


@pytest.mark.parametrize(("side", "kept"), [("source", {"a": b"file"}), ("target", {"a/x": b"11", "a/y": b"2"})])
def test_file_against_a_directory_is_one_conflict_about_the_whole(
    cast: Cast, side: str, kept: dict[str, bytes]
) -> None:
    model = forked(cast, {"a": b"file"}, {"a/x": b"11"}, source_removes=("a",))
    base, target = (model.versions.get(number=number).tree_id for number in (1, 3))
    (told,) = conflict(cast, model)["conflicts"]
    directories = [trees.find(Tree.objects.content_of, root, "a") for root in (base, target)]
    assert told == {"path": "a", "source": at(b"file")} | {
        name: {"digest": one.digest, "size": one.size, "mode": "040000"}
        for name, one in zip(("base", "target"), directories, strict=True)
        if one
    }
    version = merged(cast, model, resolve={"a": side})
    assert files_of(version) == plain({"README.md": b"# hello", "b/z": b"3"} | kept)


@pytest.mark.parametrize(("side", "kept"), [("source", {"n/1": b"s", "n/2": b"s"}), ("target", {"n": b"t"})])
def test_new_directory_against_a_new_file(cast: Cast, side: str, kept: dict[str, bytes]) -> None:
    model = forked(cast, {"n/1": b"s", "n/2": b"s"}, {"n": b"t"})
    assert [one["path"] for one in conflict(cast, model)["conflicts"]] == ["n"]
    assert files_of(merged(cast, model, resolve={"n": side})) == plain(BASE | kept)


def test_modes_are_changes_too(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"run": b"1", "go": b"2", "z": b"3"})
    digests = {content: send(cast.bob, model, content) for content in (b"1", b"2", b"22")}

    def put(branch: str, *files: File) -> None:
        publish_version(actor=cast.bob, model=model, publication=Publication(files=files, branch=branch))

    put("wider", File("run", digests[b"1"], "100755"), File("go", digests[b"2"], "100755"))
    put("main", File("go", digests[b"22"]))
    assert conflict(cast, model)["conflicts"] == [
        {"path": "go", "base": at(b"2"), "source": at(b"2", "100755"), "target": at(b"22")}
    ]
    version = merged(cast, model, resolve={"go": "source"})
    assert files_of(version) == {"run": (sha(b"1"), "100755"), "go": (sha(b"2"), "100755"), "z": (sha(b"3"), "100644")}


def test_only_the_first_thousand_conflicts_are_listed_and_all_are_counted(cast: Cast) -> None:
    model = cast.model()
    ours, theirs = send(cast.bob, model, b"ours"), send(cast.bob, model, b"theirs")
    publish(cast.bob, model, {"z": b"0"})
    paths = [f"d{n % 7}/{n:04d}" for n in range(1003)]
    for branch, digest in (("wider", ours), ("main", theirs)):
        publication = Publication(files=[File(path, digest) for path in paths], branch=branch)
        publish_version(actor=cast.bob, model=model, publication=publication)
    told = conflict(cast, model)
    assert told["count"] == 1003
    assert [one["path"] for one in told["conflicts"]] == sorted(paths)[:1000]
    version = merged(cast, model, resolve=dict.fromkeys(paths, "source"))
    assert files_of(version) == plain({"z": b"0"} | dict.fromkeys(paths, b"ours"))


# --- Refusals


def test_names_that_differ_only_by_case_do_not_come_together(cast: Cast) -> None:
    forked(cast, {"Data/x": b"1"}, {"data/y": b"2"})
    with nothing_left_behind():
        error = refused(client_of(cast.bob).post(URL, {"source": "wider", "target": "main"}), 400, "case_conflict")
    assert error["fields"] == {"path": "Data"}


def test_nothing_left_of_both_is_no_version(cast: Cast) -> None:
    model = forked(
        cast, {"s": b"1"}, {"t": b"2"}, base={"s": b"0", "t": b"0"}, source_removes=("t",), target_removes=("s",)
    )
    with nothing_left_behind():
        answer = client_of(cast.bob).post(
            URL, {"source": "wider", "target": "main", "resolve": {"s": "target", "t": "source"}}
        )
    refused(answer, 400, "no_files")
    assert conflict(cast, model)["count"] == 2


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"resolve": {"a/x": "target", "b/z": "source"}}, "no_such_conflict"),
        ({"resolve": {"nothing": "source"}}, "no_such_conflict"),
        ({"resolve": {"a": "source"}}, "no_such_conflict"),
        ({"resolve": {"a/x": "mine"}}, "invalid_resolve"),
        ({"resolve": {"a/x": ""}}, "invalid"),
        ({"resolve": {"a/x": None}}, "invalid"),
        ({"resolve": {"a/x": {"side": "source"}}}, "invalid"),
        ({"resolve": ["a/x"]}, "invalid"),
        ({"resolve": {"../a/x": "source"}}, "invalid_path"),
        ({"resolve": {"a\\x": "source"}}, "invalid_path"),
        ({"resolve": {"a/x\0": "source"}}, "invalid_path"),
        ({"resolve": {"\ud800": "source"}}, "invalid_path"),
        ({"resolve": {"": "source"}}, "invalid_path"),
        ({"resolve": {"x" * 2000: "source"}}, "invalid_path"),
        ({"resolve": {"é": "source", "e\u0301": "source"}}, "duplicate_path"),
        ({"resolves": {"a/x": "source"}}, "unknown_field"),
        ({"target": "production"}, "unknown_branch"),
        ({"target": "release"}, "unknown_branch"),
        ({"target": "3"}, "unknown_branch"),
        ({"target": "latest"}, "unknown_branch"),
        ({"target": "nothing"}, "unknown_branch"),
        ({"target": "../main"}, "unknown_branch"),
        ({"target": "main\0"}, "invalid"),
        ({"target": "x" * 101}, "invalid"),
        ({"target": None}, "invalid"),
        ({"source": "nothing"}, "unknown_revision"),
        ({"source": "9"}, "unknown_revision"),
        ({"source": "deadbeef"}, "unknown_revision"),
        ({"source": "vision/other@main"}, "unknown_revision"),
        ({"source": ""}, "invalid"),
        ({"source": 2.5}, "unknown_revision"),
        ({"expected": "9"}, "unknown_revision"),
        ({"message": "x" * 10_001}, "message_too_long"),
        ({"message": "\0"}, "invalid"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_hostile_bodies(cast: Cast, said: dict[str, Any], code: str) -> None:
    model = forked(cast, {"a/x": b"11"}, {"a/x": b"12"})
    for kind, name in (("tag", "release"), ("alias", "production")):
        set_ref(actor=cast.bob, model=model, move=Move(kind, name, "1"))
    with nothing_left_behind():
        body = json.dumps({"source": "wider", "target": "main"} | said).encode()
        refused(client_of(cast.bob).generic("POST", URL, body, "application/json"), 400, code)


@pytest.mark.parametrize("field", ["source", "target"])
def test_both_ends_are_needed(cast: Cast, field: str) -> None:
    forked(cast, {"a/x": b"11"}, {"b/z": b"33"})
    body = {"source": "wider", "target": "main"}
    del body[field]
    refused(client_of(cast.bob).post(URL, body), 400, "invalid")


def test_needless_picks_are_listed_and_do_not_pass_in_a_fast_forward_either(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, BASE)
    on(cast, model, "wider", {"a/x": b"11"})
    with pytest.raises(Invalid) as refusal, nothing_left_behind():
        merge(actor=cast.bob, model=model, source="wider", target="main", resolve={"b": "source", "a/x": "target"})
    assert (refusal.value.code, refusal.value.fields) == ("no_such_conflict", {"paths": ["a/x", "b"]})


def test_unrelated_histories_are_refused(cast: Cast) -> None:
    model = cast.model()
    on(cast, model, "one", {"a": b"1"})
    on(cast, model, "two", {"b": b"2"})
    with nothing_left_behind():
        error = refused(client_of(cast.bob).post(URL, {"source": "one", "target": "two"}), 409, "unrelated_histories")
    assert "Publish" in error["message"]


def test_trashed_version_is_not_merged(cast: Cast) -> None:
    model = forked(cast, {"a/x": b"11"}, {"b/z": b"33"})
    model.versions.filter(number=2).update(trashed_at=timezone.now())
    for source in ("wider", "2"):
        refused(client_of(cast.bob).post(URL, {"source": source, "target": "main"}), 400, "unknown_revision")


def test_head_that_is_not_the_expected_one(cast: Cast) -> None:
    model = forked(cast, {"a/x": b"11"}, {"b/z": b"33"})
    head = model.versions.get(number=3)
    with nothing_left_behind():
        response = client_of(cast.bob).post(URL, {"source": "wider", "target": "main", "expected": "1"})
    error = refused(response, 409, "parent_moved")
    assert error["fields"] == {"head": {"number": 3, "digest": head.digest}}
    assert merged(cast, model, expected=head.digest[:12]).number == 4


@pytest.mark.parametrize("forward", [True, False])
def test_protected_branch_is_for_maintainers(cast: Cast, forward: bool) -> None:
    model = cast.model()
    publish(cast.bob, model, BASE)
    on(cast, model, "wider", {"a/x": b"11"})
    if not forward:
        on(cast, model, "main", {"b/z": b"33"})
    Ref.objects.filter(name="main").update(protected=True)
    with pytest.raises(Forbidden) as refusal, nothing_left_behind():
        merge(actor=cast.bob, model=model, source="wider", target="main")
    assert refusal.value.code == "role_too_low"
    _, outcome = merge(actor=cast.carol, model=model, source="wider", target="main")
    assert outcome is (Outcome.FAST_FORWARD if forward else Outcome.MERGED)


# --- The common ancestor


def test_of_several_ancestors_the_newest_is_taken(cast: Cast) -> None:
    model = forked(cast, {"a/x": b"11"}, {"b/z": b"33"})  # 2 on wider, 3 on main
    merge(actor=cast.bob, model=model, source="2", target="main")  # 4: 3 + 2
    merge(actor=cast.bob, model=model, source="3", target="wider")  # 5: 2 + 3, crosswise
    four, five = model.versions.get(number=4), model.versions.get(number=5)
    found = Version.objects.common_ancestor(four, five)
    assert found
    assert found.number == 3
    assert Version.objects.common_ancestor(five, four) == found
    on(cast, model, "wider", {"a/y": b"22"})
    assert files_of(merged(cast, model)) == plain(BASE | {"a/x": b"11", "a/y": b"22", "b/z": b"33"})


def test_purged_ancestor_is_passed_over(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"0"})
    publish(cast.bob, model, {"a": b"1"})
    on(cast, model, "wider", {"w": b"1"})
    on(cast, model, "main", {"m": b"1"})
    ends = model.versions.get(number=3), model.versions.get(number=4)
    bury(model.versions.filter(number=2))
    found = Version.objects.common_ancestor(*ends)
    assert found
    assert found.number == 1
    assert files_of(merged(cast, model)) == plain({"a": b"1", "w": b"1", "m": b"1"})
    bury(model.versions.filter(number=1))
    assert Version.objects.common_ancestor(*ends) is None


def test_versions_of_two_models_have_no_ancestor(cast: Cast) -> None:
    one, other = (publish(cast.bob, cast.model(name), {"a": b"1"}) for name in ("one", "other"))
    assert Version.objects.common_ancestor(one, other) is None


def test_near_ancestor_is_found_in_a_few_queries(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"0"})
    digest = send(cast.bob, model, b"1")
    for n in range(150):
        publication = Publication(files=[File("a", digest)], message=str(n))
        publish_version(actor=cast.bob, model=model, publication=publication)
    on(cast, model, "wider", {"w": b"1"})
    on(cast, model, "main", {"m": b"1"})
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = Version.objects.common_ancestor(*model.versions.filter(number__gt=151))
    assert found
    assert found.number == 151
    assert len(queries) <= 3, "the versions, one stretch of edges, the ancestor"


def test_history_is_read_no_further_than_the_ancestor_and_jumps_over_what_nobody_asks_about() -> None:
    read: list[tuple[int, int]] = []
    parents = {n: [n - 1] for n in range(2, 100_001)} | {100_001: [99_990], 1: []} | {500_000: [100_000]}

    def edges(above: int, to: int) -> list[tuple[int, int]]:
        read.append((above, to))
        return [(n, parent) for n in range(above + 1, to + 1) for parent in parents.get(n, ())]

    assert next(common_ancestors(edges, 500_000, 100_001)) == 99_990
    assert read[0] == (499_936, 500_000)
    assert sum(to - above for above, to in read) < 1000
    assert len(read) <= 3


def test_ancestors_of_random_histories_are_those_of_a_plain_walk() -> None:
    chance = random.Random(1)
    for _ in range(200):
        size = chance.randint(1, 300)
        parents = {
            n: chance.sample(range(max(1, n - 80), n), min(n - 1, chance.choice([0, 1, 1, 1, 2])))
            for n in range(1, size + 1)
        }

        def edges(above: int, to: int, parents: dict[int, list[int]] = parents) -> list[tuple[int, int]]:
            return [(n, parent) for n in range(above + 1, to + 1) for parent in parents.get(n, ())]

        def line_of(number: int, parents: dict[int, list[int]] = parents) -> set[int]:
            return {number}.union(*(line_of(parent, parents) for parent in parents[number]))

        one, other = chance.randint(1, size), chance.randint(1, size)
        expected = sorted(line_of(one) & line_of(other), reverse=True)
        assert list(common_ancestors(edges, one, other)) == expected


# --- Trees, against a merge that knows no directories

Files = dict[str, str]  # path → content


def built(store: dict[str, bytes], files: Files) -> str:
    made = trees.apply_changes(
        lambda digests: {}, None, put={path: Entry("", "100644", content, 1) for path, content in files.items()}
    )
    store.update({digest: content for digest, (_, content) in made.directories.items()})
    return made.root.digest


def below(files: Files, path: str) -> Files:
    return {name: content for name, content in files.items() if name == path or name.startswith(f"{path}/")}


def naive_merge(base: Files, source: Files, target: Files) -> tuple[Files, set[str]]:
    """Merge dictionaries of paths; return the files outside of conflicts, and the conflicts."""
    files, conflicts = dict(target), set[str]()
    for path in sorted({*base, *source, *target}, key=len):
        if any(path.startswith(f"{outer}/") for outer in conflicts):
            continue
        was, ours, theirs = (below(side, path) for side in (base, source, target))
        meets = (path in source and theirs.keys() - {path}) or (path in target and ours.keys() - {path})
        if meets and ours != was and theirs != was:
            conflicts.add(path)
        elif source.get(path) != base.get(path) and source.get(path) != target.get(path):
            if target.get(path) != base.get(path):
                conflicts.add(path)
            elif path in source:
                files[path] = source[path]
            else:
                files.pop(path, None)
    return {path: content for path, content in files.items() if not is_in(path, conflicts)}, conflicts


def is_in(path: str, conflicts: set[str]) -> bool:
    return any(path == outer or path.startswith(f"{outer}/") for outer in conflicts)


def random_files(chance: random.Random) -> Files:
    files: Files = {}
    for _ in range(chance.randint(1, 9)):
        path = "/".join(chance.choice("abcä") for _ in range(chance.randint(1, 4)))
        if not any(path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in files):
            files[path] = sha(chance.choice([b"1", b"2", b"3"]))
    return files


def changed(chance: random.Random, files: Files) -> Files:
    """The files with some taken out, some changed, and some that came."""
    kept = {path: content for path, content in files.items() if chance.random() < 0.8}
    for path, content in random_files(chance).items():
        if chance.random() < 0.4 and not any(
            path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in kept
        ):
            kept[path] = content
    return kept or dict(files)


def test_random_trees_are_merged_as_dictionaries_are() -> None:
    chance, clean = random.Random(7), 0
    for _ in range(3000):
        base = random_files(chance)
        source, target = changed(chance, base), changed(chance, base)
        store: dict[str, bytes] = {}
        roots = {name: built(store, side) for name, side in (("base", base), ("source", source), ("target", target))}

        def load(digests: Any, store: dict[str, bytes] = store) -> dict[str, bytes]:
            return {digest: store[digest] for digest in digests}

        found = tree_merging.merge(load, **roots)
        files, conflicts = naive_merge(base, source, target)
        assert found.conflicts.keys() == conflicts, (base, source, target)
        clean += not conflicts
        for side, taken in (("source", source), ("target", target)):
            again = tree_merging.merge(load, **roots)
            again.resolve(dict.fromkeys(conflicts, side))
            made = trees.apply_changes(load, roots["target"], put=again.put, remove=again.remove)
            expected = files | {path: content for path, content in taken.items() if is_in(path, conflicts)}
            assert made.root.digest == built(store, expected), (base, source, target)
            assert (made.root.files, made.root.size) == (len(expected), len(expected))
    assert 300 < clean < 2800, "both kinds were tried"


def test_directories_that_one_side_left_alone_are_not_read() -> None:
    base = {f"{d}/{n}": sha(f"{d}{n}".encode()) for d in "abcdef" for n in range(3)}
    store: dict[str, bytes] = {}
    roots = {
        "base": built(store, base),
        "source": built(store, base | {"a/0": sha(b"s"), "c/0": sha(b"s")}),
        "target": built(store, base | {"b/0": sha(b"t"), "c/1": sha(b"t")}),
    }
    asked: list[set[str]] = []

    def load(digests: Any) -> dict[str, bytes]:
        asked.append(set(digests))
        return {digest: store[digest] for digest in digests}

    found = tree_merging.merge(load, **roots)
    assert [len(digests) for digests in asked] == [3, 3], "the roots, and the three states of c"
    assert (sorted(found.put), found.remove, found.conflicts) == (["a", "c/0"], ["a"], {}), "a is taken whole"


def test_directory_over_the_limit_is_refused() -> None:
    store: dict[str, bytes] = {}
    roots = {
        name: built(store, {"z": sha(b"0")} | {f"{letter}{n}": sha(b"1") for n in range(count)})
        for name, letter, count in (("base", "", 0), ("source", "s", 50_000), ("target", "t", 50_000))
    }

    def load(digests: Any) -> dict[str, bytes]:
        return {digest: store[digest] for digest in digests}

    found = tree_merging.merge(load, **roots)
    with pytest.raises(trees.BadPath) as refusal:
        trees.apply_changes(load, roots["target"], put=found.put, remove=found.remove)
    assert refusal.value.code == "too_many_entries"
