"""Pages of what was refused or failed: they say the next step, who can help, and the code that the API has for it."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from registry.models import Role
from registry.services.members import set_membership
from registry.services.projects import update_project
from registry.services.registered_models import update_model
from tests.cast import Cast, make_user
from tests.reading import browser_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def broken(settings) -> Client:
    """A client of the site where everything goes wrong; the answer is what a browser gets."""
    settings.ROOT_URLCONF = "tests.broken_site"
    return Client(raise_request_exception=False)


def test_a_viewer_is_told_the_missing_role_and_who_can_give_it(cast: Cast) -> None:
    answer = browser_of(cast.dave).get("/vision/-/settings/")
    page = text_of(answer)
    assert answer.status_code == 403
    assert "it takes the role maintainer, and your role is viewer" in page
    assert "Who can give you the role maintainer" in page
    assert re.search(r"alice\s+owner", page)
    assert re.search(r"carol\s+maintainer", page)
    assert "role_too_low" in page
    assert answer["X-Request-Id"] in page


def test_only_owners_can_give_what_takes_an_owner(cast: Cast) -> None:
    page = text_of(browser_of(cast.carol).post("/vision/-/settings/delete/"))
    helpers = page.partition("Who can give you the role owner")[2].partition("To vision")[0]
    assert "alice" in helpers
    assert "carol" not in helpers


def test_an_outsider_of_an_internal_project_does_not_learn_who_its_members_are(cast: Cast) -> None:
    update_project(actor=cast.alice, project=cast.project, visibility="internal")
    answer = browser_of(cast.charlie).get("/vision/-/members/")
    page = text_of(answer)
    assert answer.status_code == 403
    assert "you are no member" in page
    assert "alice" not in page
    assert "shown to members alone" in page


def test_no_more_than_some_people_are_named(cast: Cast, django_assert_max_num_queries) -> None:
    for number in range(12):
        set_membership(actor=cast.alice, project=cast.project, user=make_user(f"m{number:02}"), role=Role.MAINTAINER)
    client = browser_of(cast.dave)
    with django_assert_max_num_queries(5):
        answer = client.get("/vision/-/settings/")
    assert answer.content.count(b'<span class="badge">') == 8


@pytest.mark.parametrize(
    "address", ["/vision/nothing/", "/nobody/", "/a/b/c/d/e/", "/vision/-/nowhere/", "/vision/classifier/versions/9/"]
)
def test_what_is_not_there_offers_the_search(cast: Cast, address: str) -> None:
    cast.model()
    answer = browser_of(cast.dave).get(address)
    assert answer.status_code == 404
    assert 'action="/search/"' in answer.content.decode().partition("<main")[2]
    assert "not_found" in text_of(answer)


def test_unknown_addresses_offer_signing_in_to_somebody_signed_out(client: Client) -> None:
    answer = client.get("/a/b/c/?d=e", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert 'href="/login/?next=%2Fa%2Fb%2Fc%2F%3Fd%3De"' in answer.content.decode()


@pytest.mark.parametrize("address", ["/v1/nothing/", "/auth/nothing/", "/api/v1/nothing/", "/api/nothing"])
def test_unknown_addresses_of_the_api_answer_json(client: Client, address: str) -> None:
    answer = client.get(address, headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_programs_that_take_no_pages_get_json_everywhere(client: Client) -> None:
    answer = client.get("/a/b/c/", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "x" * 10_000, "a\0b", "%00", "…", "{{ 7|add:7 }}", "..", "v1"]
)
def test_hostile_addresses_are_just_not_there(cast: Cast, hostile: str) -> None:
    client = browser_of(cast.dave)
    for address in (f"/{hostile}/", f"/vision/{hostile}/", f"/vision/-/{hostile}/", f"/vision/-/trash/{hostile}/"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert b"<script>alert" not in answer.content


def test_former_names_lead_to_the_page(cast: Cast) -> None:
    model = cast.model()
    update_model(actor=cast.alice, model=model, name="reader")
    update_project(actor=cast.alice, project=cast.project, name="eyes")
    client = browser_of(cast.carol)
    for old, new in {
        "/vision/-/members/": "/eyes/-/members/",
        "/vision/-/activity/?action=alias.": "/eyes/-/activity/?action=alias.",
        "/vision/classifier/settings/": "/eyes/reader/settings/",
        "/eyes/classifier/trash/": "/eyes/reader/trash/",
    }.items():
        answer = client.get(old)
        assert (answer.status_code, answer["Location"]) == (301, new)
        assert client.get(new).status_code == 200


def test_the_address_of_a_button_leads_back_to_its_page(cast: Cast) -> None:
    answer = browser_of(cast.alice).get("/vision/-/members/dave/role/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert 'href="/vision/-/members/"' in answer.content.decode().partition("<main")[2]


def test_a_form_without_its_token_is_told_what_to_do(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice)
    answer = client.post("/vision/-/settings/delete/", {"sure-name": "vision"})
    assert answer.status_code == 403
    assert "load the page again" in text_of(answer)
    assert "csrf_failed" in text_of(answer)


@pytest.mark.parametrize(
    ("name", "status", "heading", "code"),
    [
        ("conflict", 409, "That does not fit what is there", "some_conflict"),
        ("gone", 410, "Gone for good", "some_gone"),
        ("large", 413, "Too large", "too_large"),
        ("tries", 429, "Too many tries", "throttled"),
        ("busy", 503, "Busy", "some_busy"),
        ("full", 507, "The server’s disk is full", "storage_full"),
        ("form", 413, "Too large", "too_large"),
    ],
)
def test_every_refusal_has_words_of_its_own(broken: Client, name: str, status: int, heading: str, code: str) -> None:
    answer = broken.get(f"/broken/{name}/")
    assert answer.status_code == status
    assert f"<h1>{heading}</h1>" in answer.content.decode()
    assert code in text_of(answer)


def test_too_many_tries_say_when_the_next_can_succeed(broken: Client) -> None:
    assert broken.get("/broken/tries/")["Retry-After"] == "17"


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/broken/page/", 500, "server_error"),
        ("/broken/away/", 503, "database_busy"),
        ("/broken/closed/", 503, "database_busy"),
        ("/broken/disk/", 507, "storage_full"),
    ],
)
def test_a_failure_is_shown_without_asking_the_database(
    cast: Cast, broken: Client, django_assert_num_queries, address: str, status: int, code: str
) -> None:
    broken.force_login(cast.alice)
    with django_assert_num_queries(0):
        answer = broken.get(address)
    assert answer.status_code == status
    assert code in text_of(answer)
    assert answer["X-Request-Id"] in text_of(answer)
    assert "nobody foresaw it" not in answer.content.decode()
    assert "'unsafe-inline'" not in answer["Content-Security-Policy"]
    assert b"style=" not in answer.content


def test_a_failure_of_the_api_is_json_with_the_number_of_the_request(broken: Client) -> None:
    answer = broken.get("/v1/broken/", headers={"accept": "text/html"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "server_error")
    assert answer["X-Request-Id"] in answer.json()["error"]["message"]


def test_a_host_that_is_not_ours_gets_a_page_or_json() -> None:
    page = Client().get("/", headers={"host": "evil.example", "accept": "text/html"})
    assert (page.status_code, "set LMVP_URL" in text_of(page)) == (400, True)
    answer = Client().get("/v1/projects/", headers={"host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
