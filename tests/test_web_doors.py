"""Every page × everybody who may come: one table. A page that is not in it fails the test."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.test import Client

from lmvp.urls import urlpatterns
from registry.models import Artifact
from registry.services.artifacts import record_artifact
from registry.services.recordings import Recording
from registry.web.routes import routes
from registry.wheels import client_wheel
from tests.cast import publish, undone
from tests.reading import browser_of

pytestmark = pytest.mark.django_db

ROLES = ["viewer", "contributor", "maintainer", "owner"]
WHO = {"dave": "viewer", "bob": "contributor", "carol": "maintainer", "alice": "owner"}


@dataclass(frozen=True)
class Page:
    """Where a page is in the private project `vision`, and from which role on it is shown. POST: what only takes forms."""

    address: str
    least: str = "viewer"  # or "anyone", "signed in"
    posts_only: bool = False
    leads_to: str = ""  # of an address that is no page itself


PAGES = {
    # The site
    "search": Page("/search/?q=digits", "anyone"),
    "client": Page("/client/", "anyone"),
    "client-wheel": Page(f"/client/{client_wheel().name}", "anyone"),
    "new-project": Page("/projects/new/", "signed in"),
    "trash": Page("/trash/", "signed in"),
    "undelete-project": Page("/trash/vision/undelete/", "owner", posts_only=True),
    # A project
    "project": Page("/vision/"),
    "project-metrics": Page("/vision/-/metrics/"),
    "activity": Page("/vision/-/activity/", "maintainer"),
    "new-model": Page("/vision/-/models/new/", "contributor"),
    "members": Page("/vision/-/members/"),
    "add-member": Page("/vision/-/members/add/", "maintainer", posts_only=True),
    "invite-member": Page("/vision/-/members/invite/", "maintainer", posts_only=True),
    "set-role": Page("/vision/-/members/dave/role/", "maintainer", posts_only=True),
    "remove-member": Page("/vision/-/members/erin/remove/", "maintainer", posts_only=True),
    "resend-invitation": Page("/vision/-/members/invitations/1/resend/", "maintainer", posts_only=True),
    "withdraw-invitation": Page("/vision/-/members/invitations/1/withdraw/", "maintainer", posts_only=True),
    "project-settings": Page("/vision/-/settings/", "maintainer"),
    "set-visibility": Page("/vision/-/settings/visibility/", "owner", posts_only=True),
    "rename-project": Page("/vision/-/settings/rename/", "owner", posts_only=True),
    "delete-project": Page("/vision/-/settings/delete/", "owner", posts_only=True),
    "project-trash": Page("/vision/-/trash/", "maintainer"),
    "undelete-model": Page("/vision/-/trash/classifier/undelete/", "maintainer", posts_only=True),
    "artifacts": Page("/vision/-/artifacts/"),
    "artifact": Page("/vision/-/artifacts/{artifact}/"),
    # A model
    "model": Page("/vision/classifier/"),
    "metrics": Page("/vision/classifier/metrics/"),
    "publish": Page("/vision/classifier/publish/", least="contributor"),
    "model-settings": Page("/vision/classifier/settings/", "maintainer"),
    "rename-model": Page("/vision/classifier/settings/rename/", "maintainer", posts_only=True),
    "retention": Page("/vision/classifier/settings/retention/?keep_last=1", "maintainer"),
    "delete-retention": Page("/vision/classifier/settings/retention/delete/", "maintainer", posts_only=True),
    "delete-model": Page("/vision/classifier/settings/delete/", "maintainer", posts_only=True),
    "model-trash": Page("/vision/classifier/trash/", "maintainer"),
    "undelete-version": Page("/vision/classifier/trash/1/undelete/", "maintainer", posts_only=True),
    # Versions
    "versions": Page("/vision/classifier/versions/"),
    "graph": Page("/vision/classifier/graph/"),
    "version": Page("/vision/classifier/versions/1/"),
    "version-lineage": Page("/vision/classifier/versions/1/lineage/"),
    "tag-version": Page("/vision/classifier/versions/1/tag/", "contributor", posts_only=True),
    "branch-version": Page("/vision/classifier/versions/1/branch/", "contributor", posts_only=True),
    "alias-version": Page("/vision/classifier/versions/1/alias/", "contributor", posts_only=True),
    "restore-version": Page("/vision/classifier/versions/1/restore/", "contributor", posts_only=True),
    "log-metric": Page("/vision/classifier/versions/1/log/", "contributor", posts_only=True),
    "deprecate-version": Page("/vision/classifier/versions/1/deprecate/", "maintainer", posts_only=True),
    "delete-version": Page("/vision/classifier/versions/1/delete/", "maintainer", posts_only=True),
    "take-back-version": Page("/vision/classifier/versions/1/take-back/", "maintainer", posts_only=True),
    # The files of a version
    "tree": Page("/vision/classifier/versions/1/tree/"),
    "tree-at": Page("/vision/classifier/versions/1/tree/docs"),
    "files": Page("/vision/classifier/versions/1/files", leads_to="/vision/classifier/versions/1/tree/"),
    "file": Page("/vision/classifier/versions/1/files/README.md"),
    "raw": Page("/vision/classifier/versions/1/raw/README.md"),
    # Refs
    "refs": Page("/vision/classifier/refs/"),
    "new-ref": Page("/vision/classifier/refs/new/", "contributor"),
    "ref": Page("/vision/classifier/refs/alias/production/"),
    "move-ref": Page("/vision/classifier/refs/alias/production/move/", "contributor", posts_only=True),
    "change-ref": Page("/vision/classifier/refs/alias/production/change/", "contributor", posts_only=True),
    "delete-ref": Page("/vision/classifier/refs/alias/production/delete/", "contributor", posts_only=True),
    "roll-back-alias": Page("/vision/classifier/refs/alias/production/rollback/", "contributor", posts_only=True),
    "merge": Page("/vision/classifier/merge/?source=latest&target=main"),
    # Comparing
    "compare-choose": Page("/vision/classifier/compare/"),
    "compare": Page("/vision/classifier/compare/1...main/"),
    "compare-file": Page("/vision/classifier/compare/1...main/files/weights.bin"),
}


@pytest.fixture
def there(cast):
    """What the addresses of the table name."""
    model = cast.model()
    publish(
        cast.alice,
        model,
        {"README.md": b"# Digits", "docs/a.md": b"# A", "weights.bin": b"1"},
        message="first",
        alias="production",
    )
    publish(cast.alice, model, {"weights.bin": b"2"}, message="second")
    recording = Recording(data={"name": "first"}, project="vision")
    record_artifact(actor=cast.alice, recording=recording)
    return cast


def test_every_page_is_in_the_table() -> None:
    assert {route.name for route in routes} == set(PAGES)
    assert urlpatterns[-1].namespace == "web"  # behind all other addresses: its own catch much


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_shown_to_whom_it_may(there, name: str) -> None:
    address = PAGES[name].address.format(artifact=Artifact.objects.get())
    for who in (None, "charlie", *WHO):
        with undone():
            check(PAGES[name], address, who, browser_of(getattr(there, who) if who else None))


def check(page: Page, address: str, who: str | None, browser: Client) -> None:
    response = browser.post(address) if page.posts_only else browser.get(address)
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
    if page.leads_to:
        assert response.url == page.leads_to, who
    elif page.posts_only:
        assert (response.status_code in (302, 400, 405)) == allowed, (who, response.status_code)
        assert (response.status_code == 403) != allowed, who
    else:
        assert response.status_code == (200 if allowed else 403), who
        assert "'unsafe-inline'" not in response["Content-Security-Policy"]
        assert b"style=" not in response.getvalue()
