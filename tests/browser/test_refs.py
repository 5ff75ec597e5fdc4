"""Names and merges as a person works with them: promote, look, take back, bring two lines together."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from registry.models import Ref
from registry.services.refs import Move, delete_ref, set_ref
from tests.browser.browsing import DARK, PHONE, assert_well_made
from tests.cast import publish

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/vision/classifier/refs/"
PRODUCTION = f"{URL}alias/production/"
LOOKS = pytest.mark.parametrize("look", [{}, DARK, PHONE], ids=["light", "dark", "phone"])


@pytest.fixture
def model(cast):
    """Three versions, `production` at the first, and a long name on everything that has one."""
    model = cast.model()
    for number in range(3):
        publish(cast.alice, model, {"weights.bin": b"%d" % number}, message=f"Train {number + 1} " + "with words " * 20)
    set_ref(actor=cast.carol, model=model, move=Move("alias", "production", "1", comment="first release"))
    set_ref(actor=cast.bob, model=model, move=Move("tag", "release-1", "1", comment="for " + "the-paper" * 30))
    set_ref(actor=cast.bob, model=model, move=Move("branch", "b" * 100, "2"))
    return model


@pytest.fixture
def torn(cast):
    """`wider` and main changed two files, each in its own way."""
    model = cast.model()
    publish(cast.bob, model, {"config.json": b"{}", "weights.bin": b"0", "d" * 200 + ".txt": b"long"}, message="first")
    publish(cast.bob, model, {"config.json": b'{"a": 1}', "weights.bin": b"1"}, branch="wider", message="Widen")
    publish(cast.alice, model, {"config.json": b'{"b": 2}', "weights.bin": b"22"}, message="Retrain")
    return model


def spans(page) -> list[str]:
    return page.locator(".strip svg svg text:not(.since)").all_text_contents()


def test_production_is_moved_seen_in_the_strip_and_rolled_back(new_visitor, cast, model) -> None:
    page = new_visitor(cast.alice).goto(URL)
    page.get_by_role("button", name="Move production").click()
    assert spans(page) == ["v1"]
    page.get_by_role("combobox", name="To").fill("3")
    page.get_by_label("Comment").fill("better on the July data")
    page.get_by_role("button", name="Move alias").click()
    expect(page.get_by_role("status").first).to_contain_text("“production” is at v3 now")
    assert spans(page) == ["v1", "v3"]
    assert_well_made(page)
    expect(page.get_by_text("Takes back the move to v3 by alice")).to_be_visible()
    page.get_by_role("button", name="Roll back to v1").click()
    page.get_by_label("Why").first.fill("too slow on phones")
    page.get_by_role("button", name="Yes, roll back").click()
    assert spans(page) == ["v1", "v3", "v1"]
    newest = page.locator(".moves > li").first
    expect(newest).to_contain_text("too slow on phones")
    expect(newest).to_contain_text("alice rolled it back just now, taking back the move to v3 by alice")
    assert Ref.objects.get(model=model, name="production").version.number == 1


def test_time_is_asked_by_its_field_and_answered(new_visitor, cast, model) -> None:
    page = new_visitor(cast.dave).goto(PRODUCTION)
    page.get_by_label("Date and time (UTC)").fill("2090-01-01T12:00")
    page.get_by_role("button", name="Tell me").click()
    expect(page.locator(".answer")).to_contain_text("carol had set it there on")
    expect(page.get_by_label("Date and time (UTC)")).to_have_value("2090-01-01T12:00")


def test_alias_is_made_deleted_and_brought_back(new_visitor, cast, model) -> None:
    visitor = new_visitor(cast.bob)
    page = visitor.goto(URL)
    visitor.expected = 400
    page.get_by_role("button", name="New alias").click()
    page.get_by_label("Name").fill("v7")
    page.get_by_role("button", name="Make the alias").click()
    expect(page.get_by_text("could be read as a version number")).to_be_visible()
    page.get_by_label("Name").fill("staging")
    page.get_by_role("button", name="Make the alias").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("staging")
    page.get_by_role("button", name="Delete alias").click()
    page.get_by_role("button", name="Yes, delete alias").click()
    expect(page.get_by_role("status").first).to_contain_text("from here you can bring it back")
    assert spans(page) == ["v3", "deleted"]
    page.get_by_role("button", name="Bring back at v3").click()
    page.get_by_role("button", name="Yes, bring it back").click()
    assert spans(page) == ["v3", "deleted", "v3"]


def test_tag_cannot_move(new_visitor, cast, model) -> None:
    visitor = new_visitor(cast.alice)
    page = visitor.goto(f"{URL}tag/release-1/")
    expect(page.get_by_text("Tags do not move")).to_be_visible()
    assert page.get_by_role("button", name="Move").count() == 0
    visitor.goto(f"{URL}new/?kind=tag&revision=3")
    visitor.expected = 400
    page.get_by_label("Name").fill("release-1")
    page.get_by_role("button", name="Make the tag").click()
    expect(page.get_by_text("The tag “release-1” is there, at version 1")).to_be_visible()


def test_conflict_is_resolved_on_the_page(new_visitor, cast, torn) -> None:
    visitor = new_visitor(cast.bob)
    page = visitor.goto(URL)
    page.get_by_role("button", name="Merge wider into main").click()
    expect(page.get_by_role("heading", name="2 conflicts")).to_be_visible()
    expect(page.locator("[data-left]")).to_have_text("2 of 2 to decide")
    assert_well_made(page)
    visitor.expected = 409
    page.get_by_role("group", name="What config.json shall be").get_by_label("as in main").check()
    expect(page.locator("[data-left]")).to_have_text("1 of 2 to decide")
    page.get_by_role("button", name="Merge into main").click()
    expect(page.get_by_role("alert")).to_contain_text("1 conflict is not decided")
    expect(page.locator("[data-left]")).to_have_text("1 of 2 to decide")
    page.get_by_role("button", name="All from wider").click()
    expect(page.locator("[data-left]")).to_have_text("All decided")
    page.get_by_role("group", name="What config.json shall be").get_by_label("as in main").check()
    page.get_by_label("Message").fill("Take the wider weights")
    page.get_by_role("button", name="Merge into main").click()
    page.wait_for_url("**/versions/4/")
    expect(page.get_by_role("status").first).to_contain_text("wider is merged into “main”")
    head = Ref.objects.get(model=torn, name="main").version
    assert (head.number, head.message) == (4, "Take the wider weights")


def test_reading_and_merging_need_no_script(new_visitor, cast, torn) -> None:
    set_ref(actor=cast.carol, model=torn, move=Move("alias", "production", "1", comment="first release"))
    visitor = new_visitor(cast.bob, java_script_enabled=False)
    page = visitor.goto(URL)
    expect(page.get_by_text("1 ahead, 1 behind main")).to_be_visible()
    page.get_by_role("link", name="production", exact=True).click()
    expect(page.get_by_text("first release").first).to_be_visible()
    assert spans(page) == ["v1"]
    page = visitor.goto("/vision/classifier/merge/")
    page.get_by_label("From").fill("wider")
    page.get_by_role("button", name="See what would come").click()
    assert not page.get_by_role("button", name="All from wider").is_visible()
    page.get_by_label("Conflicts not decided above").select_option("source")
    page.get_by_role("button", name="Merge into main").click()
    page.wait_for_url("**/versions/4/")


@LOOKS
def test_pages_of_names_are_accessible_and_fit(new_visitor, cast, model, look) -> None:
    for number in range(20):
        revision = str(number % 3 + 1)
        set_ref(actor=cast.carol, model=model, move=Move("alias", "production", revision, comment="x" * 300))
    set_ref(actor=cast.carol, model=model, move=Move("alias", "frozen", "1", protected=True, active=True))
    delete_ref(actor=cast.bob, model=model, kind="tag", name="release-1", comment="y" * 300)
    visitor = new_visitor(cast.alice, **look)
    for address in (
        URL, f"{URL}?kind=alias", f"{URL}new/?kind=alias", f"{PRODUCTION}?time=2090-01-01T12:00", f"{PRODUCTION}?time=no",
        f"{URL}branch/{'b' * 100}/", f"{URL}tag/release-1/", f"{URL}alias/frozen/",
    ):  # fmt: skip
        assert_well_made(visitor.goto(address))


@LOOKS
def test_page_of_a_merge_is_accessible_and_fits(new_visitor, cast, torn, look) -> None:
    publish(cast.bob, torn, {f"{'deep/' * 20}{n}": b"1" for n in range(30)}, branch="wider")
    publish(cast.bob, torn, {f"{'deep/' * 20}{n}": b"2" for n in range(30)})
    visitor = new_visitor(cast.alice, **look)
    for query in ("", "?source=wider&target=main", "?source=1&target=main"):
        assert_well_made(visitor.goto(f"/vision/classifier/merge/{query}"))
    visitor.goto("/vision/classifier/merge/?source=nobody&target=main", status=400)
    assert_well_made(visitor.page)
    page = new_visitor(cast.dave, **look).goto("/vision/classifier/merge/?source=wider&target=main")
    assert not re.search(r'type="radio"', page.content())
    assert_well_made(page)
