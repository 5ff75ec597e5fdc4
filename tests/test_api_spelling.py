"""One address, several spellings: with and without the last slash, under /api/v1/, and as a page for a browser."""

from __future__ import annotations

from operator import attrgetter

import pytest

from tests.cast import PASSWORD, Cast, client_of, publish, undone
from tests.test_doors import DOORS, Door, Place, knock, place  # noqa: F401 - `place` is a fixture

BASE = "/v1/projects/vision/models/classifier"


SPELLINGS = ("with a slash", "without", "/api/v1/", "/api/v1/ without")


@pytest.mark.parametrize("door", DOORS, ids=attrgetter("title"))
def test_every_method_answers_each_spelling(place: Place, door: Door) -> None:  # noqa: F811
    for spelling in SPELLINGS:
        with undone():
            response = knock(client_of(place.cast.alice), Spelled(place, spelling), door)
        assert response.status_code == door.answers["alice"], (spelling, getattr(response, "content", b"")[:300])
        assert "Location" not in response, spelling


class Spelled:
    """A place whose addresses are spelled in another way."""

    def __init__(self, place: Place, spelling: str) -> None:  # noqa: F811
        self._place = place
        self._spelling = spelling
        self.body = place.body

    def url(self, door: Door) -> str:
        address, mark, query = self._place.url(door).partition("?")
        address = address.rstrip("/") + ("" if "without" in self._spelling else "/") + mark + query
        return f"/api{address}" if self._spelling.startswith("/api") else address


@pytest.mark.parametrize("address", ["/auth/login", "/auth/login/"])
def test_signing_in_answers_both_spellings(cast: Cast, address: str) -> None:
    response = client_of(None).post(address, {"email": cast.alice.email, "password": PASSWORD})
    assert response.status_code == 200


@pytest.mark.parametrize("address", ["/auth/me", "/auth/me/", "/auth/tokens", "/auth/tokens/", "/v1/users/"])
def test_accounts_answer_both_spellings(cast: Cast, address: str) -> None:
    status = 403 if "users" in address else 200
    assert client_of(cast.alice).get(address).status_code == status


def test_head_and_options_answer_too(cast: Cast) -> None:
    client = client_of(cast.alice)
    assert client.head("/v1/projects").status_code == client.options("/v1/projects").status_code == 200


BYTES = ("archive/", "files/<path:path>", "$download/")
PAGES = [door for door in DOORS if door.method == "GET" and not door.route.endswith(BYTES)]


@pytest.mark.parametrize("door", PAGES, ids=lambda door: door.operation)
def test_browser_gets_a_page(place: Place, door: Door) -> None:  # noqa: F811
    client = client_of(place.cast.alice)
    response = client.get(place.url(door), headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
    assert b"rest_framework/js" in response.content  # the API to click through, not our own pages


def test_browser_gets_a_page_for_an_error(cast: Cast) -> None:
    response = client_of(cast.charlie).get("/v1/projects/vision/", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_program_that_takes_anything_gets_json(cast: Cast) -> None:
    response = client_of(cast.alice).get("/v1/projects/", headers={"Accept": "*/*"})
    assert response["Content-Type"] == "application/json"


def test_links_of_an_alias_address_lead_on(cast: Cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"a": b"1"})
    publish(cast.bob, model, {"a": b"2"})
    client = client_of(cast.alice)
    first = client.get(f"/api{BASE}/versions?page_size=1").json()
    second = client.get(first["next"].removeprefix("http://testserver")).json()
    assert [version["number"] for version in second["results"]] == [1]


def test_request_answers_with_its_id(cast: Cast) -> None:
    assert client_of(cast.alice).get("/v1/projects/")["X-Request-Id"]
    given = client_of(cast.alice).get("/v1/projects/", headers={"X-Request-Id": "from-a-proxy"})
    assert given["X-Request-Id"] == "from-a-proxy"
