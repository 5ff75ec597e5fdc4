"""Branches, tags and aliases: made, moved forward and back, protected, deleted; each change with its line in the log."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from registry.models import Event, Ref, RefMove, RegisteredModel, Version
from registry.services import commits
from registry.services.refs import Move, set_ref
from tests.cast import Cast, client_of, publish, send
from tests.matchers import JUST_NOW, SHA256, nothing_left_behind, refused

BASE = "/v1/projects/vision/models/classifier"


@pytest.fixture
def model(cast: Cast) -> RegisteredModel:
    """1 ← 2 ← 3 on main, and 4, made from 2, on side."""
    model = cast.model()
    for content in (b"1", b"2", b"3"):
        publish(cast.bob, model, {"a": content})
    set_ref(actor=cast.bob, model=model, move=Move("branch", "side", "2"))
    publish(cast.bob, model, {"a": b"4"}, branch="side")
    return model


def at(name: str) -> int:
    return Ref.objects.get(name=name).version.number


def last_event() -> tuple[str, str, Any, Any]:
    event = Event.objects.order_by("-id")[0]
    return event.action, event.subject, event.before, event.after


# --- Making


@pytest.mark.parametrize(("plural", "kind"), [("branches", "branch"), ("tags", "tag"), ("aliases", "alias")])
def test_name_is_made_by_post_once(cast: Cast, model: RegisteredModel, plural: str, kind: str) -> None:
    body = {"name": "first", "revision": "v1", "comment": "where it began"}
    response = client_of(cast.bob).post(f"{BASE}/{plural}/", body)
    shown = {"kind": kind, "name": "first", "version": 1, "digest": SHA256, "deprecated": None}
    shown |= {"protected": False, "updated_at": JUST_NOW}
    if kind == "alias":
        shown |= {"active": False, "materialised": None}
    assert (response.status_code, response.json()) == (201, shown)
    assert client_of(cast.dave).get(f"{BASE}/{plural}/first/").json() == shown
    assert last_event() == (
        f"{kind}.set",
        "vision/classifier@first",
        None,
        {"version": 1, "comment": "where it began"},
    )
    with nothing_left_behind():
        error = refused(client_of(cast.bob).post(f"{BASE}/{plural}/", body), 409, "ref_exists")
    assert error["fields"] == {"current": 1}


def test_branch_begins_at_the_newest_version_of_the_default_one(cast: Cast, model: RegisteredModel) -> None:
    response = client_of(cast.bob).post(f"{BASE}/branches/", {"name": "try"})
    assert (response.status_code, response.json()["version"]) == (201, 3)
    assert publish(cast.bob, model, {"a": b"5"}, branch="try").parents[0].number == 3
    assert (at("try"), at("main")) == (5, 3)


@pytest.mark.parametrize("plural", ["tags", "aliases"])
def test_tag_or_alias_needs_a_revision(cast: Cast, model: RegisteredModel, plural: str) -> None:
    with nothing_left_behind():
        refused(client_of(cast.bob).post(f"{BASE}/{plural}/", {"name": "x"}), 400, "invalid")


def test_branch_of_a_model_without_versions(cast: Cast) -> None:
    cast.model()
    with nothing_left_behind():
        refused(client_of(cast.bob).post(f"{BASE}/branches/", {"name": "x"}), 400, "unknown_revision")


@pytest.mark.parametrize("plural", ["branches", "tags"])
def test_only_aliases_know_active(cast: Cast, model: RegisteredModel, plural: str) -> None:
    with nothing_left_behind():
        body = {"name": "x", "revision": "1", "active": True}
        refused(client_of(cast.bob).post(f"{BASE}/{plural}/", body), 400, "unknown_field")


# --- Moving


def test_branch_goes_forward_by_a_contributors_hand(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.bob, model=model, move=Move("branch", "behind", "1"))
    body = {"revision": "3", "expected": "1", "comment": "caught up"}
    response = client_of(cast.bob).put(f"{BASE}/branches/behind/", body)
    assert (response.status_code, response.json()["version"]) == (200, 3)
    assert last_event() == (
        "branch.moved",
        "vision/classifier@behind",
        {"version": 1},
        {"version": 3, "comment": "caught up"},
    )


@pytest.mark.parametrize("revision", ["2", "side"])
def test_branch_that_would_lose_versions_is_for_maintainers(cast: Cast, model: RegisteredModel, revision: str) -> None:
    body = {"revision": revision, "comment": "3 was wrong"}
    with nothing_left_behind():
        error = refused(client_of(cast.bob).put(f"{BASE}/branches/main/", body), 403, "not_fast_forward")
    assert "maintainer" in error["message"]
    assert client_of(cast.carol).put(f"{BASE}/branches/main/", body).status_code == 200
    moves = client_of(cast.dave).get(f"{BASE}/branches/main/moves/").json()["results"]
    assert (moves[0]["from"], moves[0]["comment"], len(moves)) == (3, "3 was wrong", 4)
    assert Version.objects.count() == 4, "every version stays"


def test_branch_goes_forward_along_a_second_parent_too(cast: Cast, model: RegisteredModel) -> None:
    side, main = Version.objects.get(number=4), Version.objects.get(number=3)
    # As a merge does:
    commit = commits.Commit(tree=main.tree_id, parents=[main, side], branch="main", message="Merge")
    commits.write_version(actor=cast.bob, model=commits.lock_model(model), commit=commit)
    assert client_of(cast.bob).put(f"{BASE}/branches/side/", {"revision": "main"}).status_code == 200
    assert at("side") == 5


def test_stale_expectation_names_where_the_name_is(cast: Cast, model: RegisteredModel) -> None:
    with nothing_left_behind():
        for call in (client_of(cast.carol).put, client_of(cast.carol).delete):
            error = refused(call(f"{BASE}/branches/side/", {"revision": "3", "expected": "1"}), 409, "ref_moved")
            assert error["fields"] == {"current": 4}


# --- Protecting


@pytest.mark.parametrize(
    ("plural", "kind", "name"), [("branches", "branch", "side"), ("tags", "tag", "x"), ("aliases", "alias", "x")]
)
def test_protecting_is_no_move_and_is_told(
    cast: Cast, model: RegisteredModel, plural: str, kind: str, name: str
) -> None:
    set_ref(actor=cast.bob, model=model, move=Move(kind, name, "4"))
    url, moves = f"{BASE}/{plural}/{name}/", RefMove.objects.count()
    with nothing_left_behind():
        refused(client_of(cast.bob).put(url, {"protected": True}), 403, "role_too_low")
    for on in (True, False):
        response = client_of(cast.carol).put(url, {"protected": on})
        assert (response.status_code, response.json()["protected"], response.json()["version"]) == (200, on, 4)
        told = (f"{kind}.changed", f"vision/classifier@{name}", {"protected": not on}, {"protected": on})
        assert last_event() == told
    assert RefMove.objects.count() == moves


def test_protected_name_is_moved_deleted_and_rolled_back_by_maintainers_alone(
    cast: Cast, model: RegisteredModel
) -> None:
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "1"))
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "2", protected=True))
    bob, url = client_of(cast.bob), f"{BASE}/aliases/production/"
    with nothing_left_behind():
        refused(bob.put(url, {"revision": "3"}), 403, "role_too_low")
        refused(bob.put(url, {"active": True}), 403, "role_too_low")
        refused(bob.put(url, {"protected": False}), 403, "role_too_low")
        refused(bob.delete(url), 403, "role_too_low")
        refused(bob.post(f"{url}rollback/"), 403, "role_too_low")
        refused(bob.post(f"{BASE}/versions/1/restore/", {"alias": "production"}), 403, "role_too_low")
    assert client_of(cast.carol).post(f"{url}rollback/").json()["version"] == 1


def test_protected_branch_is_published_onto_by_maintainers_alone(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.carol, model=model, move=Move("branch", "main", protected=True))
    body = {"files": [{"path": "a", "sha256": send(cast.bob, model, b"5")}]}
    with nothing_left_behind():
        refused(client_of(cast.bob).post(f"{BASE}/versions/", body), 403, "role_too_low")
        refused(client_of(cast.bob).post(f"{BASE}/versions/1/restore/", {"branch": "main"}), 403, "role_too_low")
        form = {"files": SimpleUploadedFile("weights", b"never kept"), "branch": "main"}
        refused(client_of(cast.bob).post(f"{BASE}/versions/", form, format="multipart"), 403, "role_too_low")
    assert client_of(cast.bob).post(f"{BASE}/versions/", body | {"branch": "side"}).status_code == 201
    body = {"files": [{"path": "a", "sha256": send(cast.carol, model, b"5")}]}
    assert client_of(cast.carol).post(f"{BASE}/versions/", body).status_code == 201


def test_form_that_leaves_protection_out_does_not_lift_it(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "1", protected=True, active=True))
    response = client_of(cast.carol).put(
        f"{BASE}/aliases/production/", "revision=2", content_type="application/x-www-form-urlencoded"
    )
    assert response.status_code == 200, response.content
    assert Ref.objects.filter(name="production", protected=True, active=True, version__number=2).exists()


def test_move_and_protection_in_one_call_are_one_line(cast: Cast, model: RegisteredModel) -> None:
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "1"))
    count = Event.objects.count()
    client_of(cast.carol).put(f"{BASE}/aliases/production/", {"revision": "2", "protected": True, "active": True})
    assert Event.objects.count() == count + 1
    assert last_event() == (
        "alias.moved",
        "vision/classifier@production",
        {"version": 1, "active": False, "protected": False},
        {"version": 2, "active": True, "protected": True, "comment": ""},
    )


# --- Deleting


@pytest.mark.parametrize("where", ["query", "body"])
def test_deletion_takes_an_expectation_and_a_comment(cast: Cast, model: RegisteredModel, where: str) -> None:
    def delete(said: dict[str, str]) -> Any:
        url, query = f"{BASE}/branches/side/", "&".join(f"{key}={value}" for key, value in said.items())
        client = client_of(cast.bob)
        return client.delete(f"{url}?{query}") if where == "query" else client.delete(url, said)

    with nothing_left_behind():
        assert refused(delete({"expected": "3"}), 409, "ref_moved")["fields"] == {"current": 4}
        refused(delete({"expcted": "4"}), 400, "unknown_field")
    assert delete({"expected": "4", "comment": "merged"}).status_code == 204
    assert not Ref.objects.filter(name="side").exists()
    move = client_of(cast.dave).get(f"{BASE}/branches/side/moves/").json()["results"][0]
    assert (move["from"], move["to"], move["comment"]) == (4, None, "merged")
    assert last_event() == (
        "branch.deleted",
        "vision/classifier@side",
        {"version": 4},
        {"comment": "merged"},
    )


def test_tag_is_deleted_and_may_then_name_another_version(cast: Cast, model: RegisteredModel) -> None:
    client = client_of(cast.bob)
    assert client.put(f"{BASE}/tags/release/", {"revision": "1"}).status_code == 201
    assert client.delete(f"{BASE}/tags/release/").status_code == 204
    assert client.put(f"{BASE}/tags/release/", {"revision": "2"}).status_code == 201
    assert RefMove.objects.filter(name="release").count() == 3


def test_default_branch_stays(cast: Cast, model: RegisteredModel) -> None:
    with nothing_left_behind():
        refused(client_of(cast.alice).delete(f"{BASE}/branches/main/"), 409, "default_branch")


# --- The default branch


def test_another_branch_becomes_the_default(cast: Cast, model: RegisteredModel) -> None:
    response = client_of(cast.carol).patch(f"{BASE}/", {"default_branch": "side"})
    assert (response.status_code, response.json()["default_branch"]) == (200, "side")
    assert response.json()["latest"]["number"] == 4
    assert client_of(cast.dave).get(f"{BASE}/versions/latest/").json()["number"] == 4
    assert last_event()[2:] == ({"default_branch": "main"}, {"default_branch": "side"})
    assert client_of(cast.bob).delete(f"{BASE}/branches/main/").status_code == 204
    assert publish(cast.bob, RegisteredModel.objects.get(), {"a": b"5"}).branch == "side"
    assert not Ref.objects.filter(name="main").exists()


@pytest.mark.parametrize("name", ["nothing", "release", "", "x" * 101, None])
def test_default_branch_that_is_none(cast: Cast, model: RegisteredModel, name: Any) -> None:
    set_ref(actor=cast.bob, model=model, move=Move("tag", "release", "1"))
    with nothing_left_behind():
        code = "unknown_branch" if name in ("nothing", "release") else "invalid"
        refused(client_of(cast.carol).patch(f"{BASE}/", {"default_branch": name}), 400, code)
