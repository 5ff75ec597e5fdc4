"""Every page × everybody who may come: one table. A page that is not in it fails the test."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.test import Client

from lmvp.urls import urlpatterns
from registry.web.routes import routes
from tests.cast import publish

pytestmark = pytest.mark.django_db

ROLES = ["viewer", "contributor", "maintainer", "owner"]
WHO = {"dave": "viewer", "bob": "contributor", "carol": "maintainer", "alice": "owner"}


@dataclass(frozen=True)
class Page:
    """Where a page is in the private project `vision`, and from which role on it is shown. POST: what only takes forms."""

    address: str
    least: str = "viewer"  # or "anyone", "signed in"
    posts_only: bool = False


PAGES = {
    "search": Page("/search/?q=digits", "anyone"),
    "new-project": Page("/projects/new/", "signed in"),
    "project": Page("/vision/"),
    "new-model": Page("/vision/-/models/new/", "contributor"),
    "project-metrics": Page("/vision/-/metrics/"),
    "model": Page("/vision/classifier/"),
    "versions": Page("/vision/classifier/versions/"),
    "version": Page("/vision/classifier/versions/1/"),
    "publish": Page("/vision/classifier/publish/", least="contributor"),
}


@pytest.fixture
def there(cast):
    """What the addresses of the table name."""
    model = cast.model()
    publish(cast.alice, model, {"README.md": b"# Digits", "weights.bin": b"1"}, message="first", alias="production")
    publish(cast.alice, model, {"weights.bin": b"2"}, message="second")
    return cast


def client_of(there, who: str | None) -> Client:
    client = Client()
    if who:
        client.force_login(getattr(there, who))
    return client


def test_every_page_is_in_the_table() -> None:
    assert {route.name for route in routes} == set(PAGES)
    assert urlpatterns[-1].namespace == "web"  # behind all other addresses: its own catch much


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("who", [None, "charlie", *WHO])
def test_a_page_is_shown_to_whom_it_may(there, name: str, who: str | None) -> None:
    page = PAGES[name]
    client = client_of(there, who)
    response = client.post(page.address) if page.posts_only else client.get(page.address)
    if page.least == "anyone" or (page.least == "signed in" and who):
        allowed = True
    elif who is None:
        assert response.status_code == 302
        assert response.url.startswith("/login/?next=")
        return
    elif who == "charlie":
        assert response.status_code == 404
        return
    else:
        allowed = ROLES.index(WHO[who]) >= ROLES.index(page.least)
    if page.posts_only:
        assert (response.status_code in (302, 400, 405)) == allowed, response.status_code
        assert (response.status_code == 403) != allowed
    else:
        assert response.status_code == (200 if allowed else 403)
        assert "'unsafe-inline'" not in response["Content-Security-Policy"]
        assert b"style=" not in response.content
