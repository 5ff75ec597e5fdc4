"""What is not ours in looks works under our Content-Security-Policy: Swagger UI, ReDoc, the click-through API, the admin."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from accounts.models import AccessToken, User
from accounts.services import sign_ins
from accounts.services.access_tokens import create_access_token
from registry.models import Project, Ref, Version
from tests.cast import PASSWORD, publish

pytestmark = pytest.mark.django_db(transaction=True)


def test_swagger_authorizes_and_calls(new_visitor, cast) -> None:
    access = sign_ins.sign_in(login="alice", password=PASSWORD).access
    page = new_visitor().goto("/docs/")
    page.locator(".auth-wrapper .authorize").click()
    page.locator(".auth-container input").fill(f"Bearer {access}")
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".auth-btn-wrapper .btn-done").click()
    operation = page.locator(".opblock-get", has=page.locator('[data-path="/v1/projects/{project}/"]'))
    operation.locator(".opblock-summary-control").click()
    operation.locator(".try-out__btn").click()
    operation.locator("input[placeholder=project]").fill("vision")
    operation.locator(".execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    expect(operation.locator(".live-responses-table")).to_contain_text('"name": "vision"')


def test_redoc_shows_and_searches_the_reference(new_visitor, db) -> None:
    visitor = new_visitor()
    page = visitor.goto("/redoc/")
    expect(page.get_by_role("heading", name="LMVP")).to_be_visible(timeout=60_000)  # it builds one long page
    page.get_by_placeholder("Search...").press_sequentially("alias back")
    expect(page.locator("[data-role='search:results']")).to_contain_text("Take an alias back")
    # It only says that it converts our version of the format.
    visitor.errors[:] = [error for error in visitor.errors if "[ReDoc Compatibility mode]" not in error]


def test_the_api_is_clicked_through(new_visitor, cast) -> None:
    page = new_visitor(cast.alice).goto("/v1/projects/")
    page.locator("a[name=raw-tab]").click()
    page.locator("#post-generic-content-form textarea").fill('{"name": "speech"}')
    page.locator("#post-generic-content-form button").click()
    expect(page.locator(".response-info")).to_contain_text("HTTP 201")
    assert Project.objects.filter(name="speech").exists()
    page.goto("/v1/projects/speech/")
    page.locator("button[data-target='#deleteModal']").click()
    page.locator("#deleteModal form button").click()
    expect(page.locator(".response-info")).to_contain_text("trashed_by")


@pytest.fixture
def boss(cast) -> User:
    publish(cast.alice, cast.model(), {"weights.bin": b"1"}, message="first", alias="production")
    create_access_token(actor=cast.alice, name="cluster", scope="read")
    return User.objects.create_superuser("boss@example.org", "boss", PASSWORD)


def test_the_admin_lets_in_and_looks_after_users(new_visitor, boss) -> None:
    page = new_visitor().goto("/admin/")
    page.get_by_label("E-mail address").fill("boss@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Users").first.click()
    page.get_by_role("link", name="alice").first.click()
    expect(page.locator(".selector-chosen").first).to_be_visible()  # the widget that its script builds
    page.get_by_text("may enter the admin").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_be_visible()
    assert User.objects.get(username="alice").is_staff
    page.get_by_role("link", name="View site").click()
    expect(page.get_by_role("main")).to_be_visible()


def test_no_page_of_the_admin_has_an_error(new_visitor, boss) -> None:
    visitor = new_visitor(boss)
    change = f"accounts/accesstoken/{AccessToken.objects.get().pk}/change/"
    lists = [f"registry/{table}/" for table in ("project", "registeredmodel", "version", "ref", "blob", "event")]
    rows = [
        f"registry/{table._meta.model_name}/{table.objects.first().pk}/change/" for table in (Project, Version, Ref)
    ]
    for address in ("", *lists, *rows, change, "accounts/signin/", "accounts/user/add/", "auth/group/add/"):
        page = visitor.goto(f"/admin/{address}")
        assert (
            page.locator("[style]:not([style=''])").evaluate_all(
                "all => all.filter(one => one.getAttribute('style').includes('width: 100%')).length"
            )
            == 0
        )
