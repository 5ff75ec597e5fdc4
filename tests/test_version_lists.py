"""Lists of versions: down a branch, by an author, page by page, and with how many queries."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from registry.models import RegisteredModel, Version
from registry.models.walks import MOST_WALKED, Choice, DownBranch
from registry.services.projects import update_project
from registry.services.registered_models import update_model
from tests.cast import Cast, client_of, publish
from tests.matchers import refused

BASE = "/v1/projects/vision/models/classifier"
VERSIONS = f"{BASE}/versions/"


@pytest.fixture
def dave(cast: Cast) -> APIClient:
    return client_of(cast.dave)


def history(cast: Cast, model: RegisteredModel, *each: str) -> None:
    """Publish versions, each given as author@branch."""
    for number, said in enumerate(each):
        author, branch = said.split("@")
        publish(getattr(cast, author), model, {"a": str(number).encode()}, branch=branch)


def walk(client: APIClient, query: str) -> list[list[int]]:
    found, address = [], f"{VERSIONS}?{query}"
    while address:
        answer = client.get(address.removeprefix("http://testserver")).json()
        found.append([version["number"] for version in answer["results"]])
        address = answer["next"]
    return found


def cursor(position: str) -> str:
    return b64encode(urlencode({"p": position}).encode()).decode()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("branch=main&page_size=2", [[7, 5], [3, 1]]),
        ("branch=main&page_size=3", [[7, 5, 3], [1]]),
        ("branch=wide&page_size=2", [[6, 4], [2, 1]]),
        ("branch=wide&page_size=1&author=bob", [[4], [2]]),
        ("branch=main&order_by=number&page_size=3", [[1, 3, 5], [7]]),
        ("author=bob&page_size=2", [[7, 5], [4, 2]]),
        ("author=bob&order_by=number&page_size=3", [[2, 4, 5], [7]]),
        ("order_by=number&page_size=4", [[1, 2, 3, 4], [5, 6, 7]]),
    ],
)
def test_pages(cast: Cast, model: RegisteredModel, dave: APIClient, query: str, expected: list[list[int]]) -> None:
    history(cast, model, "alice@main", "bob@wide", "alice@main", "bob@wide", "bob@main", "alice@wide", "bob@main")
    assert walk(dave, query) == expected


def test_page_of_a_branch_is_the_same_json(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    history(cast, model, "alice@main", "bob@main")
    listed = dave.get(VERSIONS).json()
    assert dave.get(VERSIONS, {"branch": "main"}).json() == listed
    for shown in listed["results"]:
        assert dave.get(f"{VERSIONS}{shown['number']}/").json() == shown | {"derived_from": []}


def test_trashed_versions_are_passed_over_on_a_branch(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    history(cast, model, *["bob@main"] * 6)
    Version.objects.filter(number__in=[2, 3, 4, 6]).update(trashed_at=timezone.now())
    assert walk(dave, "branch=main&page_size=1") == [[5], [1]]


@pytest.mark.parametrize("position", ["99", "0.5 1", "x", "-1", "1" * 15, ""])
def test_cursor_that_was_made_up_is_not_found(
    cast: Cast, model: RegisteredModel, dave: APIClient, position: str
) -> None:
    history(cast, model, "bob@main")
    refused(dave.get(VERSIONS, {"branch": "main", "cursor": cursor(position)}), 404, "not_found")


def test_cursor_does_not_lead_into_another_model(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    history(cast, model, "bob@main")
    other = cast.model("other")
    history(cast, other, *["bob@main"] * 3)
    refused(dave.get(VERSIONS, {"branch": "main", "cursor": cursor("3")}), 404, "not_found")
    assert dave.get(VERSIONS, {"branch": "main", "cursor": cursor("1")}).json()["results"] == []


def test_cursor_of_a_whole_list_leads_on_down_a_branch(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    history(cast, model, "bob@main", "bob@main", "bob@main")
    following = dave.get(f"{VERSIONS}?page_size=1").json()["next"].removeprefix("http://testserver")
    assert dave.get(f"{following}&branch=main").json()["results"][0]["number"] == 2


def test_page_looks_at_a_bounded_part_of_a_branch(cast: Cast, model: RegisteredModel) -> None:
    history(cast, model, "bob@main")
    head = longer(model, MOST_WALKED + 2000)
    rare = Choice(model, author_id=cast.charlie.pk)
    with CaptureQueriesContext(connection) as captured:
        found, position = DownBranch(rare, head).page(None, 50)
    assert (found, len(captured) < 20) == ([], True)
    assert position is not None
    assert 1 < int(position) <= head.number - MOST_WALKED + 50
    assert DownBranch(rare, head).page(position, 50) == ([], None)
    last, position = DownBranch(Choice(model), head).page("60", 100)
    assert ([version.number for version in last], position) == (list(range(59, 0, -1)), None)


def longer(model: RegisteredModel, count: int) -> Version:
    """A line of so many versions more than there is time to publish; return its end."""
    first = model.versions.get()
    same = {name: getattr(first, name) for name in ("tree_id", "author", "author_name", "branch", "created_at")}
    numbers = range(2, count + 2)
    made = Version.objects.bulk_create(Version(model=model, number=n, digest=f"{n:064x}", **same) for n in numbers)
    links = Version.parent_links.rel.related_model
    links.objects.bulk_create(
        links(version=child, parent=parent) for parent, child in zip([first, *made], made, strict=False)
    )
    return made[-1]


@pytest.mark.parametrize(
    ("address", "queries"),
    [
        (VERSIONS, 5),
        (f"{VERSIONS}?order_by=number", 5),
        (f"{VERSIONS}?author=bob", 6),
        (f"{VERSIONS}?branch=main", 7),
        (f"{VERSIONS}3/", 6),
        (f"{VERSIONS}latest/", 6),
        (f"{VERSIONS}production/", 6),
        (f"{BASE}/", 3),
    ],
)
def test_number_of_queries(cast: Cast, model: RegisteredModel, dave: APIClient, address: str, queries: int) -> None:
    history(cast, model, *["bob@main"] * 5)
    publish(cast.bob, model, {"a": b"x"}, alias="production")
    with CaptureQueriesContext(connection) as captured:
        assert dave.get(address).status_code == 200
    assert len(captured) == queries, [query["sql"] for query in captured]


def plan(rows: Any) -> str:
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as asked:
        asked.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        return "\n".join(row[-1] for row in asked.fetchall())


def test_versions_of_an_author_and_a_few_are_found_by_an_index(cast: Cast, model: RegisteredModel) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("on few rows PostgreSQL reads the table; SQLite's plans do not depend on how many there are")
    by_author = Choice(model, author_id=cast.bob.pk).rows().order_by("-number")
    assert "versions_of_an_author" in plan(by_author)
    assert "TEMP B-TREE" not in plan(by_author)
    among = Choice(model).rows(among=[1, 2]).order_by("-number")
    assert "SEARCH registry_version USING INTEGER PRIMARY KEY" in plan(among)


@pytest.mark.parametrize("name", ["classifier", "CLASSIFIER", "Classifier"])
def test_model_is_found_whatever_the_case(cast: Cast, model: RegisteredModel, dave: APIClient, name: str) -> None:
    assert dave.get(f"/v1/projects/vision/models/{name}/").json()["name"] == "classifier"


def test_model_is_found_by_former_names(cast: Cast, model: RegisteredModel, dave: APIClient) -> None:
    history(cast, model, "bob@main")
    update_model(actor=cast.alice, model=model, name="sorter")
    update_project(actor=cast.alice, project=cast.project, name="sight")
    for project in ("vision", "sight"):
        for name in ("classifier", "Sorter"):
            found = dave.get(f"/v1/projects/{project}/models/{name}/versions/1/").json()
            assert (found["project"], found["model"]) == ("sight", "sorter")


def test_personal_project_is_there_when_it_is_first_asked_for(cast: Cast) -> None:
    client = client_of(cast.charlie)
    refused(client.get("/v1/projects/charlie/models/none/"), 404, "not_found")
    assert client.get("/v1/projects/charlie/").json()["personal"] is True
    assert client_of(cast.dave).get("/v1/projects/charlie/").status_code == 404
