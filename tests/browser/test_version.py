"""A version in a real browser: looked at, promoted, put away and taken back; its lineage and the artifact trees."""

from __future__ import annotations

import math

import pytest
from playwright.sync_api import expect

from registry.models import Ref
from registry.services.artifacts import record_artifact
from registry.services.hierarchies import create_hierarchy
from registry.services.metrics import Measured, log_metrics
from registry.services.recordings import Recording
from registry.services.refs import Move, set_ref
from registry.services.registered_models import create_model
from tests.browser.browsing import DARK, PHONE, assert_accessible, assert_well_made
from tests.cast import Cast, publish

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/vision/classifier/versions/"
FRAME = "application/vnd.chapkit.dataframe+json"


@pytest.fixture
def model(cast: Cast):
    made = cast.model()
    data = create_model(
        actor=cast.alice, project=cast.project, name="scans-of-june-" + "long-" * 10 + "1", kind="dataset"
    )
    publish(cast.alice, data, {"a.csv": b"1"}, message="scans")
    publish(cast.alice, made, {"README.md": b"# Digits", "src/model.py": b"1"}, message="first", alias="production")
    publish(
        cast.bob,
        made,
        {"weights.bin": b"22", f"{'long' * 40}.txt": b"1"},
        message=f"second {'x' * 200}\n\nbody",
        metadata={"lr": 0.1, "optimizer": {"name": "adamw", "betas": [0.9, 0.99]}, "notes": "n" * 900},
        derived_from=[f"{data}@1"],
    )
    return made


@pytest.fixture
def root(cast: Cast, model):
    labels = {"0": "experiment", "1": "model", "2": "predictions"}
    create_hierarchy(actor=cast.bob, project=cast.project, name="ml_pipeline", level_labels=labels)

    def record(data, **more):
        return record_artifact(actor=cast.bob, recording=Recording(data=data, **more))

    top = record({"name": "Digits, autumn"}, project="vision", hierarchy="ml_pipeline")
    about = {"status": "success", "config_id": "hidden-64", "duration_seconds": 12.5}
    run = record({"type": "ml_training", "metadata": about}, parent_id=top.pk, version="vision/classifier@2")
    content = {"columns": ["city", "rain"], "data": [["Oslo", 1.5]] * 30}
    data = {"type": "ml_prediction", "metadata": about, "content": content, "content_type": FRAME}
    record(data, parent_id=run.pk)
    return top


@pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])
def test_the_pages_are_accessible_and_fit(new_visitor, cast: Cast, model, root, look) -> None:
    version = model.versions.get(number=2)
    points = [Measured("loss", math.exp(-step / 9), step) for step in range(30)]
    log_metrics(
        actor=cast.bob, version=version, measured=[*points, Measured("accuracy", 0.97), Measured("gpu", "A100")]
    )
    visitor = new_visitor(cast.alice, **look)
    for address in (f"{PAGE}2/", f"{PAGE}1/", f"{PAGE}2/lineage/", "/vision/-/artifacts/", "/alice/-/artifacts/"):
        assert_well_made(visitor.goto(address))
    for leaf in (root, root.children.get(), root.children.get().children.get()):
        assert_well_made(visitor.goto(f"/vision/-/artifacts/{leaf.pk}/"))
    page = visitor.goto(f"{PAGE}2/")
    for menu in page.locator("details.menu").all():
        menu.locator("summary").first.click()
        for fold in menu.locator("details").all():
            fold.locator("summary").click()
        box = menu.locator("> div").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.viewport_size["width"]
        assert_accessible(page)
        page.keyboard.press("Escape")


def test_a_version_is_promoted_by_its_page(new_visitor, cast: Cast, model) -> None:
    page = new_visitor(cast.bob).goto(f"{PAGE}1/")
    page.get_by_role("link", name="v2", exact=True).first.click()
    page.locator("summary", has_text="Move an alias here").click()
    expect(page.get_by_label("Name of a new alias")).to_be_visible()
    page.get_by_label("Alias", exact=True).select_option(label="production (now v1)")
    expect(page.get_by_label("Name of a new alias")).to_be_hidden()
    page.get_by_label("Comment").fill("Better on the scans of July")
    page.get_by_role("button", name="Let it name v2").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("The alias “production” names v2 now.")
    expect(page.locator(".story")).to_contain_text("Better on the scans of July")
    assert Ref.objects.get(name="production").version.number == 2


def test_an_alias_that_was_moved_meanwhile_is_told_in_the_open_form(new_visitor, cast: Cast, model) -> None:
    publish(cast.alice, model, {"a": b"3"}, message="third")
    visitor = new_visitor(cast.bob)
    page = visitor.goto(f"{PAGE}2/")
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "3"))
    page.locator("summary", has_text="Move an alias here").click()
    page.get_by_label("Alias", exact=True).select_option(label="production (now v1)")
    visitor.expected = 400
    page.get_by_role("button", name="Let it name v2").click()
    expect(page.get_by_role("alert")).to_contain_text("“production” names version 3 now")
    assert Ref.objects.get(name="production").version.number == 3


def test_a_version_is_deprecated_deleted_and_taken_back(new_visitor, cast: Cast, model) -> None:
    publish(cast.alice, model, {"a": b"3"}, message="third")
    visitor = new_visitor(cast.carol)
    page = visitor.goto(f"{PAGE}2/")
    page.locator("summary", has_text="More").click()
    page.locator("summary", has_text="Deprecate").click()
    page.get_by_label("Reason").fill("Mislabelled scans")
    page.get_by_role("button", name="Deprecate v2").click()
    expect(page.get_by_role("note").first).to_contain_text("Mislabelled scans")
    page.locator("summary", has_text="More").click()
    page.locator("summary", has_text="Delete").click()
    visitor.expected = 404
    page.get_by_role("button", name="Delete v2").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("v2 is in the trash")
    assert_well_made(page)
    visitor.expected = 200
    page.get_by_role("button", name="Take v2 back").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("v2 is back.")


def test_the_picture_leads_from_version_to_version_by_keyboard(new_visitor, cast: Cast, model) -> None:
    page = new_visitor(cast.dave).goto(f"{PAGE}2/")
    page.locator(".lineage-picture a", has_text="classifier v1").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{PAGE}1/")
    page.get_by_role("link", name="The whole lineage").click()
    expect(page.locator(".node.here .label")).to_have_text("classifier v1")
    page.get_by_role("link", name="1", exact=True).click()
    expect(page.locator(".steps [aria-current]")).to_have_text("1")


def test_pages_can_be_read_and_used_without_javascript(new_visitor, cast: Cast, model, root) -> None:
    page = new_visitor(cast.bob, java_script_enabled=False).goto(f"{PAGE}2/")
    expect(page.locator(".lineage-picture .node")).to_have_count(4)
    page.locator("summary", has_text="Tag or branch").click()
    page.get_by_label("Tag", exact=True).fill("paper-2026")
    page.get_by_role("button", name="Add the tag").click()
    expect(page.get_by_role("main").get_by_role("status")).to_have_text("The tag “paper-2026” names v2.")
    page.goto(f"/vision/-/artifacts/{root.pk}/")
    expect(page.get_by_role("link", name="hidden-64").first).to_be_visible()
    below = page.locator(".artifact-tree details").first
    expect(below).to_have_attribute("open", "")
    below.locator("summary").click()
    expect(below).not_to_have_attribute("open", "")
    page.get_by_role("link", name="hidden-64").first.click()
    expect(page.locator(".trail")).to_contain_text("Digits, autumn")
