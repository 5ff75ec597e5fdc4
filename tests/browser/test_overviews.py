"""Home, search, a project's models and metrics, and something new, as a person uses them."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from registry.models import RegisteredModel
from registry.services.metrics import Measured
from registry.services.projects import create_project
from registry.services.registered_models import create_model
from tests.browser.browsing import DARK, PHONE, assert_well_made
from tests.cast import Cast, publish

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESSES = (
    "/",
    "/vision/",
    "/vision/-/metrics/",
    "/search/?q=wider",
    "/search/",
    "/projects/new/",
    "/vision/-/models/new/",
    "/robots-at-night/",
)
LONG = "a-name-that-goes-on.and_on-" * 3 + "to-its-end"


@pytest.fixture
def library(cast: Cast) -> Cast:
    """Some models with versions and metrics, long names, and a project that is empty."""
    model = cast.model()
    for number in range(4):
        values = [Measured("accuracy", 0.5 + number / 10), Measured("loss", 1.0 - number / 10)]
        publish(cast.bob, model, {"w": b"%d" % number}, message=f"Wider {number}", metrics=values, alias="production")
    long = create_model(actor=cast.alice, project=cast.project, name=LONG, description="Longwinded " * 40)
    publish(cast.alice, long, {"x" * 200: b"1"}, message="wider" + "x" * 500, metrics=[Measured("loss" * 20, 1e-9)])
    create_model(actor=cast.alice, project=cast.project, name="scenes", kind="dataset")
    create_project(actor=cast.alice, name="robots-at-night", visibility="public")
    return cast


@pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_the_overviews_are_accessible_and_fit(new_visitor, library: Cast, look) -> None:
    visitor = new_visitor(library.alice, **look)
    for address in ADDRESSES:
        assert_well_made(visitor.goto(address))
    assert_well_made(new_visitor(None, **look).goto("/"))


def test_all_can_be_read_without_scripts(new_visitor, library: Cast) -> None:
    page = new_visitor(library.dave, java_script_enabled=False).goto("/")
    expect(page.locator(".news > li", has_text="published v4 of vision/classifier")).to_be_visible()
    page.get_by_label("Search", exact=True).fill("wider")
    page.keyboard.press("Enter")
    page.get_by_role("navigation", name="Types").get_by_role("link", name="Versions").click()
    page.get_by_role("main").get_by_role("link", name="v4", exact=True).click()
    expect(page).to_have_url("/vision/classifier/versions/4/")
    page.goto("/vision/?kind=dataset")
    expect(page.get_by_role("main").get_by_role("link", name="scenes")).to_be_visible()
    page.goto("/vision/-/metrics/")
    page.locator("summary", has_text="Columns").click()
    page.get_by_label("loss", exact=True).uncheck()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("columnheader", name="accuracy")).to_be_visible()
    expect(page.get_by_role("columnheader", name="loss", exact=True)).to_have_count(0)


def test_what_is_found_comes_while_one_types(new_visitor, library: Cast) -> None:
    page = new_visitor(library.dave).goto("/vision/-/metrics/")
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Search")
    expect(box).to_be_focused()
    box.press_sequentially("class")
    option = page.get_by_role("option", name="classifier vision")
    expect(option).to_be_visible()
    expect(box).to_have_attribute("aria-expanded", "true")
    assert_well_made(page)
    box.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", option.get_attribute("id") or "")
    box.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    assert box.input_value() == "class"
    box.press("ArrowDown")
    box.press("Enter")
    expect(page).to_have_url("/vision/classifier/")


def test_a_late_answer_to_earlier_letters_is_dropped(new_visitor, library: Cast) -> None:
    page = new_visitor(library.dave).goto("/")
    held = []

    def answer(route) -> None:
        if "q=wi&" in route.request.url:
            held.append(route)  # answered when the next one is there
        else:
            route.continue_()

    page.route("**/search/?*fragment=1", answer)
    box = page.get_by_role("combobox", name="Search")
    with page.expect_request("**/search/?q=wi&*"):
        box.fill("wi")
    box.fill("zzzz")
    expect(page.get_by_text("Nothing found for “zzzz”")).to_be_visible()
    for route in held:
        route.fulfill(body='<li role="option" id="late">late</li>')
    page.wait_for_function("() => document.querySelectorAll('#found li').length === 1")
    expect(page.locator("#late")).to_have_count(0)


def test_enter_without_a_choice_shows_all_results(new_visitor, library: Cast) -> None:
    page = new_visitor(library.dave).goto("/")
    box = page.get_by_role("combobox", name="Search")
    box.fill("wider")
    expect(page.get_by_role("option").first).to_be_visible()
    box.press("Enter")
    expect(page).to_have_url("/search/?q=wider")
    expect(page.get_by_role("main").get_by_role("listitem")).to_have_count(5)


def test_models_are_filtered_while_one_types(new_visitor, library: Cast) -> None:
    page = new_visitor(library.dave).goto("/vision/")
    box = page.get_by_label("Find a model by name")
    box.fill("SCEN")
    expect(page.locator("#models > li:visible")).to_have_count(1)
    box.fill("no such")
    expect(page.get_by_text("No model on this page has these letters.")).to_be_visible()
    box.fill("")
    expect(page.locator("#models > li:visible")).to_have_count(3)


def test_from_nothing_to_a_project_with_a_model(new_visitor, cast: Cast) -> None:
    page: Page = new_visitor(cast.charlie).goto("/")
    page.get_by_role("button", name="New project").click()
    name = page.get_by_label("Name")
    name.press_sequentially("Night Shift")
    expect(page.get_by_text("No capital letters")).to_be_visible()
    page.get_by_role("button", name="Make the project").click()
    expect(page).to_have_url("/projects/new/")  # the browser holds it back
    name.fill("night-shift")
    expect(page.locator("output")).to_contain_text("/night-shift/")
    page.get_by_label("Description").fill("What robots do at night")
    page.get_by_label("Internal: everybody").check()
    page.get_by_role("button", name="Make the project").click()
    expect(page.get_by_role("status").filter(has_text="night-shift is there.")).to_be_visible()
    page.get_by_role("button", name="Make a model").click()
    page.get_by_label("Name").fill("walker")
    page.get_by_role("button", name="Make the model").click()
    expect(page).to_have_url("/night-shift/walker/")
    made = RegisteredModel.objects.get(name="walker")
    assert made.project.visibility == "internal"
