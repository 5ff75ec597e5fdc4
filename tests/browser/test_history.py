"""A model's history in the browser: sorted, filtered, ticked for a comparison; its graph; its metrics as charts."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from registry.models import Metric
from registry.services import merging
from registry.services.metrics import Measured
from tests.browser.browsing import DARK, PHONE, assert_well_made
from tests.cast import publish
from tests.test_version_lists import longer

pytestmark = pytest.mark.django_db(transaction=True)

VERSIONS, GRAPH, METRICS = (f"/vision/classifier/{page}/" for page in ("versions", "graph", "metrics"))
LONG = "a_long_word_without_any_space_" * 8


@pytest.fixture
def there(cast):
    """Eight versions on three branches, one of them merged; one message is long."""
    model = cast.model()
    for number in range(1, 8):
        branch = {3: "wide", 4: "wide", 6: f"wide-{'x' * 80}"}.get(number, "main")
        publish(
            cast.bob,
            model,
            {"weights.bin": str(number).encode()},
            branch=branch,
            message=f"Trial {number}\n\n{LONG}" if number % 2 else f"Trial {number} {LONG}",
            metadata={"lr": number / 10, "optimizer": "adam" if number % 2 else "sgd"},
            metrics=[Measured("loss", 1 / number), Measured("accuracy", number / 8), Measured(f"m{LONG[:100]}", 1.5)],
            **({"alias": "production"} if number == 5 else {}),
        )
    merging.merge(actor=cast.bob, model=model, source="wide", target="main", resolve={"weights.bin": "source"})
    return cast


@pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_history_pages_are_well_made(new_visitor, there, look) -> None:
    page = new_visitor(there.dave, **look).page
    for address in (
        VERSIONS,
        f"{VERSIONS}?branch=main&metric:loss__lt=0.9&order_by=-metric:accuracy",
        f"{VERSIONS}?author=nobody",
        GRAPH,
        METRICS,
        f"{METRICS}?metric=loss&metric=accuracy&branch=main",
    ):
        page.goto(address)
        assert_well_made(page)
        for summary in page.locator("details.menu summary").all():
            summary.click()
            assert_well_made(page)


def test_empty_pages_are_well_made(new_visitor, cast) -> None:
    cast.model()
    page = new_visitor(cast.bob).page
    for address in (VERSIONS, GRAPH, METRICS):
        page.goto(address)
        assert_well_made(page)


def test_somebody_finds_the_best_trial_and_compares_it(new_visitor, there) -> None:
    visitor = new_visitor(there.dave)
    page = visitor.goto(VERSIONS)
    button = page.get_by_role("button", name="Compare")
    expect(button).to_be_disabled()
    page.get_by_label("Branch").select_option("main")  # goes there at once
    page.wait_for_url("**branch=main**")
    page.get_by_text("Metric …").click()
    page.get_by_label("Only versions whose metric").fill("loss")
    page.get_by_label("is", exact=True).select_option("<")
    page.get_by_label("Value").fill("0.6")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("loss < 0.6", exact=True)).to_be_visible()
    page.get_by_role("link", name="accuracy").click()
    rows = page.locator("tbody th")
    expect(rows).to_have_text(["v7", "v5", "v2"])
    expect(page.locator("th[aria-sort=descending]")).to_have_text("accuracy")
    page.get_by_label("Compare v7").check()
    page.get_by_label("Compare v2").check()
    expect(button).to_have_text("Compare (2)")
    visitor.expected = 404  # where the page of comparisons is not there yet
    button.click()
    page.wait_for_url("**/vision/classifier/compare/?versions=2,7")


def test_columns_are_chosen_by_ticking(new_visitor, there) -> None:
    page = new_visitor(there.dave).goto(VERSIONS)
    page.get_by_text("Columns").click()
    page.get_by_role("checkbox", name="accuracy").uncheck()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("columnheader", name="loss")).to_be_visible()
    expect(page.get_by_role("columnheader", name="accuracy")).to_have_count(0)


def test_points_of_the_chart_lead_to_versions(new_visitor, there) -> None:
    page = new_visitor(there.dave).goto(f"{METRICS}?metric=accuracy")
    canvas = page.locator(".canvas").first
    expect(canvas).to_have_attribute("role", "img")
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 60, box["y"] + box["height"] / 2)
    page.wait_for_url(f"**{VERSIONS}7/")


def test_a_zoom_is_taken_back_by_a_button(new_visitor, there) -> None:
    page = new_visitor(there.dave).goto(f"{METRICS}?metric=accuracy")
    canvas, button = page.locator(".canvas").first, page.get_by_role("button", name="Show all")
    expect(button).to_be_hidden()
    canvas.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    expect(button).to_be_visible()
    button.click()
    expect(button).to_be_hidden()


def test_axes_are_chosen_by_ticking(new_visitor, there) -> None:
    page = new_visitor(there.dave).goto(METRICS)
    page.get_by_text("Axes").click()
    page.get_by_role("checkbox", name="optimizer").uncheck()
    page.get_by_role("button", name="Show", exact=True).last.click()
    page.get_by_text("As a table").click()
    table = page.get_by_role("region", name="Parameters against")
    expect(table.get_by_role("columnheader")).to_have_text(["Version", "lr", "accuracy"])


def test_a_finger_slides_the_axes_on_a_phone(new_visitor, there) -> None:
    page = new_visitor(there.dave, **PHONE).goto(METRICS)
    expect(page.get_by_text("Slide the chart sideways")).to_be_visible()
    slid = page.locator(".chart.sideways > .scroll")
    expect(slid.locator("canvas")).to_be_visible()
    slid.scroll_into_view_if_needed()
    left, top = (slid.bounding_box()[edge] for edge in ("x", "y"))
    touch = page.context.new_cdp_session(page)
    points = [{"x": left + 250 - 10 * step, "y": top + 100} for step in range(20)]
    for kind, point in [("touchStart", points[0]), *(("touchMove", point) for point in points[1:])]:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("document.querySelector('.chart.sideways > .scroll').scrollLeft > 20")


def test_history_is_read_without_scripts(new_visitor, there) -> None:
    page = new_visitor(there.dave, java_script_enabled=False).page
    page.goto(VERSIONS)
    page.get_by_role("link", name="loss").click()
    expect(page.locator("tbody th").first).to_have_text("v1")
    page.get_by_text("Whole message").first.click()
    expect(page.locator(".history-message").first).to_contain_text(LONG)
    page.get_by_label("Compare v1").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("Tick 2 to 20 versions to compare.")).to_be_visible()
    page.get_by_role("link", name="Graph").click()
    expect(page.locator("#v8 circle")).to_have_count(1)
    expect(page.locator("#v8")).to_contain_text("Merges v7 and v4")
    page.goto(METRICS)
    expect(page.get_by_role("region", name="Values").get_by_role("rowheader")).to_have_count(7)


def test_further_long_charts_are_fetched_by_the_page(new_visitor, cast) -> None:
    model = cast.model()
    publish(cast.bob, model, {"weights.bin": b"1"})
    longer(model, 500)
    Metric.objects.bulk_create(
        Metric(version=one, model=model, name=name, value=one.number % 7, latest=True, author=cast.bob)
        for one in model.versions.all()
        for name in ("loss", "f1")
    )
    visitor = new_visitor(cast.dave)
    page = visitor.page
    page.goto(f"{METRICS}?metric=loss&metric=f1")
    expect(page.locator("figure.chart canvas")).to_have_count(2)
    assert_well_made(page)
    visitor.page.route("**/v1/**/metrics/?**", lambda route: route.fulfill(status=503, body="{}"))
    page.goto(f"{METRICS}?metric=loss&metric=f1")
    expect(page.get_by_text("The points of this chart did not come")).to_be_visible()
    expect(page.locator("figure.chart canvas")).to_have_count(1)
    visitor.errors[:] = [error for error in visitor.errors if "503" not in error]
