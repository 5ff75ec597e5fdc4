"""What the lists and things of the API look like: whole payloads, and a number of queries that rows do not change."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.models import Role
from registry.services.members import set_membership
from registry.services.metrics import Measured
from registry.services.projects import create_project
from registry.services.registered_models import create_model
from tests.cast import Cast, client_of, make_user, publish
from tests.matchers import JUST_NOW, NUMBER, SHA256

V1 = "http://testserver/v1"
BASE = "/v1/projects/vision/models/classifier"


def page(*results: Any) -> dict[str, Any]:
    return {"count": len(results), "next": None, "previous": None, "results": list(results)}


def cursor_page(*results: Any) -> dict[str, Any]:
    return {"next": None, "previous": None, "results": list(results)}


def test_projects(cast: Cast) -> None:
    create_project(actor=cast.charlie, name="open", visibility="public", description="For all")
    create_project(actor=cast.charlie, name="house", visibility="internal")
    create_project(actor=cast.charlie, name="hidden")

    def project(name: str, **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "description": "",
            "visibility": "private",
            "personal": False,
            "role": None,
            "created_at": JUST_NOW,
            "url": f"{V1}/projects/{name}/",
            **more,
        }

    open_to_all = project("open", description="For all", visibility="public")
    assert client_of(None).get("/v1/projects/").json() == page(open_to_all)
    assert client_of(cast.bob).get("/v1/projects/").json() == page(
        project("bob", personal=True, role="owner"),
        project("house", visibility="internal"),
        open_to_all,
        project("vision", role="contributor"),
    )
    assert client_of(cast.dave).get("/v1/projects/vision/").json() == project("vision", role="viewer")


def test_made_project_is_answered_whole(cast: Cast) -> None:
    body = {"name": "digits", "description": " Reading\n digits ", "visibility": "internal"}
    assert client_of(cast.dave).post("/v1/projects/", body).json() == {
        "name": "digits",
        "description": " Reading\n digits ",
        "visibility": "internal",
        "personal": False,
        "role": "owner",
        "created_at": JUST_NOW,
        "url": f"{V1}/projects/digits/",
    }


def test_members(cast: Cast) -> None:
    expected = [("alice", "owner"), ("carol", "maintainer"), ("bob", "contributor"), ("dave", "viewer")]
    rows = [{"username": name, "role": role, "since": JUST_NOW} for name, role in expected]
    assert client_of(cast.dave).get("/v1/projects/vision/members/").json() == page(*rows)


def test_models(cast: Cast) -> None:
    model = cast.model()
    empty = {
        "project": "vision",
        "name": "classifier",
        "kind": "model",
        "description": "",
        "default_branch": "main",
        "versions": 0,
        "latest": None,
        "aliases": {},
        "created_at": JUST_NOW,
        "url": f"{V1}/projects/vision/models/classifier/",
    }
    assert client_of(cast.dave).get("/v1/projects/vision/models/").json() == page(empty)
    publish(cast.bob, model, {"a": b"1"}, alias="production", tag="release")
    publish(cast.carol, model, {"a": b"2"}, message="Wider\n\nmuch", alias="staging")
    latest = {
        "number": 2,
        "digest": SHA256,
        "message": "Wider\n\nmuch",
        "author": "carol",
        "created_at": JUST_NOW,
    }
    full = empty | {"versions": 2, "latest": latest, "aliases": {"production": 1, "staging": 2}}
    assert client_of(cast.dave).get("/v1/projects/vision/models/").json() == page(full)
    assert client_of(cast.dave).get("/v1/projects/vision/models/classifier/").json() == full


def test_versions(cast: Cast) -> None:
    model = cast.model()
    first = publish(cast.alice, model, {"a": b"1"})
    publish(
        cast.bob,
        model,
        {"deep/b": b"22"},
        message="Two",
        metadata={"lr": 0.1, "layers": [1, {"é": None}]},
        metrics=[Measured("loss", 0.5, 1), Measured("loss", 0.25, 2), Measured("note", "good")],
        tag="release",
        alias="production",
    )
    second = {
        "project": "vision",
        "model": "classifier",
        "number": 2,
        "digest": SHA256,
        "tree": SHA256,
        "parents": [{"number": 1, "digest": first.digest}],
        "branch": "main",
        "author": "bob",
        "message": "Two",
        "metadata": {"layers": [1, {"é": None}], "lr": 0.1},
        "created_at": JUST_NOW,
        "refs": [
            {"kind": "alias", "name": "production"},
            {"kind": "branch", "name": "main"},
            {"kind": "tag", "name": "release"},
        ],
        "metrics": {"loss": 0.25, "note": "good"},
        "files": {"count": 2, "size": 3},
        "deprecated": None,
        "url": f"{V1}/projects/vision/models/classifier/versions/2/",
    }
    listed = client_of(cast.dave).get(f"{BASE}/versions/").json()
    assert listed == cursor_page(second, listed["results"][1])
    assert listed["results"][1]["number"] == 1
    assert listed["results"][1]["parents"] == []
    assert client_of(cast.dave).get(f"{BASE}/versions/release/").json() == second | {"derived_from": []}


def test_versions_by_author_and_branch(cast: Cast) -> None:
    model = cast.model()
    publish(cast.alice, model, {"a": b"1"})
    publish(cast.bob, model, {"a": b"2"}, branch="wide")
    publish(cast.alice, model, {"a": b"3"})

    def numbers(query: str) -> list[int]:
        found = client_of(cast.dave).get(f"{BASE}/versions/?{query}").json()["results"]
        return [version["number"] for version in found]

    assert numbers("") == [3, 2, 1]
    assert numbers("branch=main") == [3, 1]
    assert numbers("branch=wide") == [2, 1]
    assert numbers("author=alice") == [3, 1]
    assert numbers("author=nobody") == []
    assert client_of(cast.dave).get(f"{BASE}/versions/?branch=nothing").status_code == 404


def test_pages_of_versions_lead_to_each_other(cast: Cast) -> None:
    model = cast.model()
    for number in range(5):
        publish(cast.bob, model, {"a": str(number).encode()})
    found, address = [], f"{BASE}/versions/?page_size=2"
    while address:
        answer = client_of(cast.dave).get(address.removeprefix("http://testserver")).json()
        found.append([version["number"] for version in answer["results"]])
        address = answer["next"]
    assert found == [[5, 4], [3, 2], [1]]


def entry(path: str, size: int, version: int, *, kind: str = "file", mode: str = "100644") -> dict[str, Any]:
    name = path.rpartition("/")[2]
    return {
        "path": path,
        "name": name,
        "type": kind,
        "mode": mode,
        "size": size,
        "digest": SHA256,
        "version": version,
    }


def test_tree_says_which_version_brought_each_entry(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"README.md": b"# x", "weights/a.bin": b"1", "weights/b.bin": b"22"})
    publish(cast.bob, model, {"weights/a.bin": b"333"})
    client = client_of(cast.dave)
    root = client.get(f"{BASE}/versions/2/tree/").json()
    weights = entry("weights", 5, 2, kind="directory", mode="040000")
    assert root == page(entry("README.md", 3, 1), weights)
    below = [entry("weights/a.bin", 3, 2), entry("weights/b.bin", 2, 1)]
    assert client.get(f"{BASE}/versions/2/tree/weights/").json() == page(*below)
    assert client.get(f"{BASE}/versions/2/tree/weights").json() == page(*below)
    assert client.get(f"{BASE}/versions/2/tree/?recursive=true").json() == page(entry("README.md", 3, 1), *below)
    assert client.get(f"{BASE}/versions/1/tree/weights/").json()["results"][0] == entry("weights/a.bin", 1, 1)
    for nothing in ("nothing", "README.md", "weights/nothing", "README.md/x"):
        assert client.get(f"{BASE}/versions/2/tree/{nothing}/").status_code == 404


def test_large_directory_comes_in_pages(cast: Cast) -> None:
    publish(cast.bob, cast.model(), {f"{n:03}": b"x" for n in range(205)})
    first = client_of(cast.dave).get(f"{BASE}/versions/1/tree/?page_size=200").json()
    assert (first["count"], len(first["results"])) == (205, 200)
    second = client_of(cast.dave).get(first["next"].removeprefix("http://testserver")).json()
    assert [one["path"] for one in second["results"]] == ["200", "201", "202", "203", "204"]


def test_refs_and_their_moves(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"}, tag="release", alias="production", message="One")
    publish(cast.bob, model, {"a": b"2"}, message="Two")
    client = client_of(cast.carol)
    body = {"revision": "2", "expected": "release", "comment": "better"}
    moved = {
        "kind": "alias",
        "name": "production",
        "version": 2,
        "digest": SHA256,
        "deprecated": None,
        "protected": False,
        "updated_at": JUST_NOW,
    }
    alias = moved | {"active": False, "materialised": None}
    response = client.put(f"{BASE}/aliases/production/", body)
    assert (response.status_code, response.json()) == (200, alias)
    assert client.get(f"{BASE}/aliases/").json() == page(alias)
    assert client.get(f"{BASE}/aliases/production/").json() == alias
    release = moved | {"kind": "tag", "name": "release", "version": 1}
    assert client.get(f"{BASE}/tags/").json() == page(release)
    assert client.get(f"{BASE}/branches/").json() == page(moved | {"kind": "branch", "name": "main"})
    assert client.delete(f"{BASE}/aliases/production/").status_code == 204
    assert client.get(f"{BASE}/aliases/production/moves/").json() == cursor_page(
        {"from": 2, "to": None, "actor": "carol", "comment": "", "at": JUST_NOW, "rollback": False},
        {"from": 1, "to": 2, "actor": "carol", "comment": "better", "at": JUST_NOW, "rollback": False},
        {"from": None, "to": 1, "actor": "bob", "comment": "One", "at": JUST_NOW, "rollback": False},
    )
    assert client.get(f"{BASE}/branches/main/moves/").json() == cursor_page(
        {"from": 1, "to": 2, "actor": "bob", "comment": "Two", "at": JUST_NOW, "rollback": False},
        {"from": None, "to": 1, "actor": "bob", "comment": "One", "at": JUST_NOW, "rollback": False},
    )


def test_users_for_staff(cast: Cast) -> None:
    cast.alice.is_staff = True
    cast.alice.save()
    found = client_of(cast.alice).get("/v1/users/").json()
    assert [user["username"] for user in found["results"]] == ["alice", "bob", "carol", "charlie", "dave"]
    assert found["results"][1] == {
        "username": "bob",
        "email": "bob@example.org",
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "is_verified": True,
        "date_joined": JUST_NOW,
    }


# --- The number of queries does not grow with the rows


def queries_of(cast: Cast, address: str) -> int:
    client = client_of(cast.alice)
    assert client.get(address).status_code == 200  # the personal project is there from now on
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def more_projects(cast: Cast, n: int) -> None:
    create_project(actor=cast.alice, name=f"p{n}")


def more_members(cast: Cast, n: int) -> None:
    set_membership(actor=cast.alice, project=cast.project, user=make_user(f"u{n}"), role=Role.VIEWER)


def more_models(cast: Cast, n: int) -> None:
    model = create_model(actor=cast.alice, project=cast.project, name=f"m{n}")
    publish(cast.bob, model, {"a": b"1"}, alias="production", tag="x")


def more_versions(cast: Cast, n: int) -> None:
    model = cast.project.models.get(name="classifier")
    publish(cast.bob, model, {f"d{n}/a": str(n).encode()}, alias=f"a{n}", metrics=[Measured("x", n)])


@pytest.mark.parametrize(
    ("address", "more"),
    [
        ("/v1/projects/", more_projects),
        ("/v1/projects/vision/members/", more_members),
        ("/v1/projects/vision/events/", more_members),
        ("/v1/projects/vision/models/", more_models),
        (f"{BASE}/versions/", more_versions),
        (f"{BASE}/versions/latest/", more_versions),
        (f"{BASE}/versions/latest/tree/", more_versions),
        (f"{BASE}/versions/latest/metrics/", more_versions),
        (f"{BASE}/aliases/", more_versions),
        (f"{BASE}/branches/main/moves/", more_versions),
    ],
)
def test_queries_do_not_grow_with_the_rows(cast: Cast, address: str, more: Any) -> None:
    publish(cast.bob, cast.model(), {"a": b"1"}, metrics=[Measured("x", 1.5)])
    more(cast, 1)
    few = queries_of(cast, address)
    for n in range(2, 11):
        more(cast, n)
    assert queries_of(cast, address) == few <= 12


def test_every_number_is_one(cast: Cast) -> None:
    events = client_of(cast.alice).get("/v1/projects/vision/events/").json()["results"]
    assert [event["id"] for event in events] == [NUMBER] * len(events)
